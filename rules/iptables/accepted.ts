/** What the kernel is known to hold, and how that knowledge moves on. */
import { RulesError } from '../error.ts'
import { openLedger, settle, type Ledger, type Reseating } from '../ledger.ts'
import type { Plan as AnyPlan } from '../mode.ts'
import type { Family, NodeConfig, ServiceKey } from '../model.ts'
import type { Layout } from './layout.ts'
import type { Listing, Transaction } from './model.ts'
import type { Place } from './names.ts'

/** Who has entries in a chain; one alone without a set around it. */
export type Owners = ServiceKey | ReadonlySet<ServiceKey>

/**
 * What the kernel is known to hold. Its fields are for this room. Rules are not kept: once a plan was committed, they follow
 * from the services and the configuration.
 */
export interface Accepted {
  readonly family: Family
  /** Counts commits; a plan can be committed to the version from which it was made, once. */
  version: number
  /** A read-back of which nothing is known yet; undefined after the first commit, and where there was nothing of ours. */
  held: Listing | undefined
  /** Undefined before the first commit. */
  made: { readonly config: NodeConfig; readonly layout: Layout } | undefined
  readonly ledger: Ledger
  /** Of chains with rules of services. */
  readonly owners: Map<Place, Owners>
  /** Of chains that lead to others: those that are there. */
  readonly children: Map<Place, ReadonlySet<Place>>
}

export interface Plan extends AnyPlan<Transaction> {
  /** For `commit` alone. */
  readonly next: Next
}

/** Only what differs from the `Accepted` that the plan was made from. */
export interface Next {
  readonly version: number
  readonly made: NonNullable<Accepted['made']>
  readonly reseating: Reseating
  /** Undefined for chains that go. */
  readonly owners: ReadonlyMap<Place, Owners | undefined>
  /** Empty for chains that lead nowhere any more. */
  readonly children: ReadonlyMap<Place, ReadonlySet<Place>>
}

/** @param listing what `parse` gave; undefined if the kernel has nothing of ours */
export function adopt(family: Family, listing: Listing | undefined): Accepted {
  return { family, version: 0, held: listing, made: undefined, ledger: openLedger(family), owners: new Map(), children: new Map() }
}

/**
 * To be called when the kernel has said yes to the plan's transaction, or when there was none. Updates `accepted` in place
 * and returns it. After a failure do not commit; read the kernel and `adopt` what it holds.
 * @throws RulesError RULES_MISUSED if the plan was made from another state, or was committed before
 */
export function commit(accepted: Accepted, { next }: Plan): Accepted {
  if (next.version !== accepted.version) {
    const versions = `made from version ${next.version}, but version ${accepted.version} is accepted`
    throw new RulesError('RULES_MISUSED', `plan: ${versions}; plan again`)
  }
  accepted.version++
  accepted.held = undefined
  accepted.made = next.made
  for (const [place, owners] of next.owners) {
    if (owners === undefined) accepted.owners.delete(place)
    else accepted.owners.set(place, owners)
  }
  for (const [place, children] of next.children) {
    if (children.size > 0) accepted.children.set(place, children)
    else accepted.children.delete(place)
  }
  settle(accepted.ledger, next.reseating)
  return accepted
}
