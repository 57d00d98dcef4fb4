/** What a mode is: one way to make a kernel do what a `NodeView` says. The sync loop knows modes by this alone. */
import type { Family, NodeView, Problem, ServiceKey } from './model.ts'

export const modeNames = ['nftables', 'iptables', 'ipvs'] as const
export type ModeName = (typeof modeNames)[number]

/** What the kernel should do next, and what is to be remembered once it did. A mode's own plan carries more. */
export interface Plan<Transaction> {
  /** Absent when the kernel holds all of it already. */
  readonly transaction?: Transaction
  /** How many services were looked at. */
  readonly services: number
  /** Rules, elements, servers: whatever the mode counts. One that is replaced counts in both. */
  readonly elements: { readonly added: number; readonly deleted: number }
  /** What could not be served, among the services looked at. */
  readonly problems: readonly Problem[]
}

/**
 * The verbs of a mode, all of them pure.
 * @typeParam Listing what reading the kernel gives
 * @typeParam Accepted what the kernel is known to hold; opaque to everybody else
 */
export interface Mode<Listing, Accepted, Transaction, P extends Plan<Transaction> = Plan<Transaction>> {
  readonly name: ModeName
  /** The state of knowledge after the kernel was read; undefined if it has nothing of ours. */
  adopt(family: Family, listing: Listing | undefined): Accepted
  /**
   * From what the kernel holds to what the view says. Costs what the changed services cost. With 'all', and always after
   * `adopt`, everything is compared, and what is wrong or not wanted is repaired. Alters nothing.
   */
  plan(accepted: Accepted, view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>): P
  /** When the kernel has said yes, or there was nothing to do. May update `accepted` in place; gives what counts from now on. */
  commit(accepted: Accepted, plan: P): Accepted
  /** What is to be kept for `recall`, for a process that comes after this one. Undefined if that is not known yet. */
  note?(accepted: Accepted): string | undefined
  /**
   * In place of `adopt` and `plan`, where the kernel is known to hold what was noted: if that is what the view says and nothing else.
   * The plan has no transaction, as there is nothing to do. Undefined if it is something else; then the kernel has to be read.
   */
  recall?(family: Family, noted: string, view: NodeView): { readonly accepted: Accepted; readonly plan: P } | undefined
}
