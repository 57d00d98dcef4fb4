/** What the kernel is known to hold, and how that knowledge moves on. */
import { RulesError } from '../error.ts'
import { openLedger, settle, type Ledger, type Reseating } from '../ledger.ts'
import type { Plan as AnyPlan } from '../mode.ts'
import type { Family, NodeConfig } from '../model.ts'
import { noElements, type Digest } from './digest.ts'
import type { Layout } from './layout.ts'
import type { Listing, SetName, Transaction } from './model.ts'

/** An element of a shared set (see `elements.ts`): how many services want it, and what it leads to. */
export interface Share {
  readonly count: number
  readonly value?: string
}

/**
 * What the kernel is known to hold. Its fields are for this room. Elements are not kept a second time: once a plan was
 * committed, they follow from the services and the configuration.
 */
export interface Accepted {
  readonly family: Family
  /** Counts commits; a plan can be committed to the version from which it was made, once. */
  version: number
  /** A read-back whose owners are not known yet; undefined after the first commit, and where there is no table. */
  held: Listing | undefined
  /** Undefined before the first commit. */
  made: { readonly config: NodeConfig; readonly layout: Layout } | undefined
  /** Sets beyond those of the layout. */
  readonly extensions: Set<SetName>
  readonly ledger: Ledger
  /** By set and key. */
  readonly shares: Map<string, Share>
  /** Of all elements; of none before the first commit. */
  digest: Digest
}

export interface Plan extends AnyPlan<Transaction> {
  /** For `commit` alone. */
  readonly next: Next
}

/** Only what differs from the `Accepted` that the plan was made from. */
export interface Next {
  readonly version: number
  /** The table was made anew: nothing that was known before counts. */
  readonly rebuild: boolean
  readonly made: NonNullable<Accepted['made']>
  readonly reseating: Reseating
  /** Those that come; with `rebuild`, all. */
  readonly extensions: ReadonlySet<SetName>
  readonly shares: ReadonlyMap<string, Share>
  readonly digest: Digest
}

/** @param listing what `parse` gave; undefined if the kernel has no table of ours */
export function adopt(family: Family, listing: Listing | undefined): Accepted {
  return { family, version: 0, held: listing, made: undefined, extensions: new Set(), ledger: openLedger(family), shares: new Map(), digest: noElements }
}

/**
 * To be called when the kernel has said yes to the plan's transaction, or when there was none. Updates `accepted` in place
 * and returns it: with 30,000 services a copy would cost more than the change. After a failure do not commit; read the
 * kernel and `adopt` what it holds.
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
  if (next.rebuild) {
    accepted.extensions.clear()
    accepted.shares.clear()
  }
  for (const name of next.extensions) accepted.extensions.add(name)
  for (const [id, share] of next.shares) {
    if (share.count > 0) accepted.shares.set(id, share)
    else accepted.shares.delete(id)
  }
  accepted.digest = next.digest
  settle(accepted.ledger, next.reseating)
  return accepted
}
