/** What the kernel is known to hold. */
import { RulesError } from '../error.ts'
import { openLedger, settle, type Ledger, type Reseating } from '../ledger.ts'
import type { Plan as ModePlan } from '../mode.ts'
import type { Family, NodeConfig, ServiceKey } from '../model.ts'
import type { Claims, Claim } from './claims.ts'
import type { Draining } from './draft.ts'
import type { HostFacts } from './host.ts'
import type { Layout } from './layout.ts'
import type { Listing, RealKey, Transaction, VirtualKey } from './model.ts'

/** Opaque to everybody but this mode. Elements and servers are not kept: they follow from views, configuration and host. */
export interface Accepted {
  readonly family: Family
  readonly ledger: Ledger
  readonly hostAddresses: readonly string[]
  /** What was read; undefined after the first commit. */
  held: Listing | undefined
  /** By which configuration the kernel's rules were made; undefined before the first commit. */
  made: Made | undefined
  readonly shares: Map<string, number>
  readonly claims: Map<VirtualKey, readonly Claim[]>
  readonly draining: Map<VirtualKey, ReadonlySet<RealKey>>
  version: number
}

export interface Made {
  readonly config: NodeConfig
  readonly layout: Layout
  readonly host: HostFacts
}

/** `next` is for `commit` alone. */
export interface Plan extends ModePlan<Transaction> {
  readonly next: {
    readonly version: number
    readonly made: Made
    readonly reseating: Reseating
    readonly shares: ReadonlyMap<string, number>
    readonly claims: Claims
    readonly draining: Draining
  }
}

/** @param listing undefined only where nobody could look; then no address of the host is known, and NodePorts wait for one */
export function adopt(family: Family, listing: Listing | undefined): Accepted {
  const held = listing ?? { family, servers: new Map(), device: false, addresses: new Set<string>(), hostAddresses: [] }
  return {
    family,
    ledger: openLedger(family),
    hostAddresses: held.hostAddresses,
    held,
    made: undefined,
    shares: new Map(),
    claims: new Map(),
    draining: new Map(),
    version: 0,
  }
}

/**
 * Updates `accepted` in place.
 * @throws RulesError RULES_MISUSED for a plan that was not made from this state
 */
export function commit(accepted: Accepted, { next }: Plan): Accepted {
  if (next.version !== accepted.version)
    throw new RulesError('RULES_MISUSED', 'the plan was made from another state than the one it is committed to')
  accepted.version++
  accepted.made = next.made
  accepted.held = undefined
  settle(accepted.ledger, next.reseating)
  keep(accepted.shares, next.shares, (count) => count > 0)
  keep(accepted.claims, next.claims, (claims) => claims.length > 0)
  keep(accepted.draining, next.draining, (reals) => reals.size > 0)
  return accepted
}

function keep<V>(known: Map<ServiceKey, V>, changed: ReadonlyMap<string, V>, counts: (value: V) => boolean): void {
  for (const [key, value] of changed) {
    if (counts(value)) known.set(key, value)
    else known.delete(key)
  }
}
