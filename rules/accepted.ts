/** What the kernel is known to hold, and how that knowledge moves on. */
import type { Entry, Owners, Reseating } from './claims.ts'
import { RulesError } from './error.ts'
import { wordsOf } from './family.ts'
import type { ClaimKey, Problem } from './fragment.ts'
import type {
  Chain, ChainName, Element, ElementKey, Family, Listing, NodeConfig, ServiceKey, SetDeclaration, SetName, Transaction,
} from './model.ts'
import type { Skeleton } from './skeleton.ts'

export type Elements = ReadonlyMap<SetName, ReadonlyMap<ElementKey, Element>>

/**
 * What the kernel is known to hold. Its fields are for this room. Elements are not kept a second time: once a plan was
 * committed, they are those of the services and of the configuration.
 */
export interface Accepted {
  readonly family: Family
  /** Counts commits; a plan can be committed to the version from which it was made, once. */
  version: number
  /** Counts commits that changed the kernel. */
  passes: number
  /** Whether the table exists. */
  present: boolean
  /** Elements of a read-back whose owners are not known yet; undefined after the first commit. */
  held: Elements | undefined
  /** Undefined before the first commit. */
  made: { readonly config: NodeConfig; readonly skeleton: Skeleton } | undefined
  readonly chains: Map<ChainName, Chain>
  readonly sets: Map<SetName, SetDeclaration>
  readonly entries: Map<ServiceKey, Entry>
  readonly claims: Map<ClaimKey, Owners>
  /** How many elements lead to a shape's chain; those with none are absent. */
  readonly uses: Map<ChainName, number>
  /** Chains that nothing leads to any more (a shape's map goes with its chain), with the pass that emptied them. */
  readonly idle: Map<ChainName, number>
}

/** What the kernel should do, and what is to be remembered once it did. */
export interface Plan {
  /** Absent when the kernel holds all of it already. */
  readonly transaction?: Transaction
  /** How many services were looked at. */
  readonly services: number
  /** An element that is replaced counts in both. */
  readonly elements: { readonly added: number; readonly deleted: number }
  /** What could not be served, among the services looked at. */
  readonly problems: readonly Problem[]
  /** For `commit` alone. */
  readonly next: Next
}

/** Only what differs from the `Accepted` that the plan was made from; undefined as a value means that it goes. */
export interface Next {
  readonly version: number
  /** The old table goes as a whole. */
  readonly rebuild: boolean
  readonly made: NonNullable<Accepted['made']>
  readonly reseating: Reseating
  readonly chains: ReadonlyMap<ChainName, Chain | undefined>
  readonly sets: ReadonlyMap<SetName, SetDeclaration | undefined>
  readonly uses: ReadonlyMap<ChainName, number>
  /** Chains that this plan leaves without use. */
  readonly idle: readonly ChainName[]
}

/**
 * The state of knowledge after the kernel was read.
 * @param listing what `parse` gave; undefined if the kernel has no table of ours
 * @throws RulesError RULES_MISUSED for a family that is not served
 */
export function adopt(family: Family, listing: Listing | undefined): Accepted {
  wordsOf(family)
  return {
    family,
    version: 0,
    passes: 0,
    present: listing !== undefined,
    held: listing?.elements ?? new Map(),
    made: undefined,
    chains: new Map(listing?.chains),
    sets: new Map(listing?.sets),
    entries: new Map(),
    claims: new Map(),
    uses: new Map(),
    idle: new Map(),
  }
}

/**
 * To be called when the kernel has said yes to the plan's transaction, or when there was none. Updates `accepted` in place
 * and returns it: with 30,000 services a copy would cost more than the change. After a failure do not commit; read the
 * kernel and `adopt` what it holds.
 * @throws RulesError RULES_MISUSED if the plan was made from another state, or was committed before
 */
export function commit(accepted: Accepted, plan: Plan): Accepted {
  const { next } = plan
  if (next.version !== accepted.version) {
    const versions = `made from version ${next.version}, but version ${accepted.version} is accepted`
    throw new RulesError('RULES_MISUSED', `plan: ${versions}; plan again`)
  }
  accepted.version++
  if (plan.transaction) accepted.passes++
  if (next.rebuild) {
    accepted.chains.clear()
    accepted.sets.clear()
  }
  accepted.present = true
  accepted.held = undefined
  accepted.made = next.made
  merge(accepted.chains, next.chains)
  merge(accepted.sets, next.sets)
  merge(accepted.entries, next.reseating.entries)
  for (const [claim, owners] of next.reseating.claims) {
    if (owners.length > 0) accepted.claims.set(claim, owners)
    else accepted.claims.delete(claim)
  }
  for (const [chain, count] of next.uses) {
    if (count > 0) accepted.uses.set(chain, count)
    else accepted.uses.delete(chain)
    accepted.idle.delete(chain)
  }
  for (const chain of next.idle) accepted.idle.set(chain, accepted.passes)
  for (const [chain, value] of next.chains) if (!value) accepted.idle.delete(chain)
  return accepted
}

function merge<K, V>(into: Map<K, V>, from: ReadonlyMap<K, V | undefined>): void {
  for (const [key, value] of from) {
    if (value === undefined) into.delete(key)
    else into.set(key, value)
  }
}
