/** The nouns of iptables, as this mode uses them (iptables(8), iptables-extensions(8)). */
import type { Family } from '../model.ts'

export type TableName = 'filter' | 'nat'

/** In the order in which they are written: what refuses comes before what translates. */
export const tableNames: readonly TableName[] = ['filter', 'nat']

/** A chain that the kernel itself walks. */
export type HookName = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING'

/** The name of a chain of ours, at most 28 characters. */
export type ChainName = string

/** A rule by its canonical text, as iptables-save prints it behind `-A CHAIN `. */
export type Rule = string

/** Our part of a table: our chains, and what leads from the kernel's chains into them. */
export interface Table {
  readonly chains: ReadonlyMap<ChainName, readonly Rule[]>
  readonly jumps: ReadonlyMap<HookName, readonly Rule[]>
}

/** Our part of both tables as the kernel holds it, or as it should be. */
export type Listing = Readonly<Record<TableName, Table>>

export type Operation =
  /** The chain has exactly these rules afterwards, whether it was there or not. */
  | { readonly kind: 'set-chain'; readonly chain: ChainName; readonly rules: readonly Rule[] }
  /**
   * The rest of the chain stays, and keeps its counters: rules are taken away by their text; then others are put in, from the
   * first on, each at the place (counted from 1) that it is to have in the end.
   */
  | { readonly kind: 'edit-chain'; readonly chain: ChainName; readonly deleted: readonly Rule[]; readonly inserted: readonly Placed[] }
  | { readonly kind: 'delete-chain'; readonly chain: ChainName }
  /** In front of all other rules of the hook. */
  | { readonly kind: 'add-jump'; readonly hook: HookName; readonly rule: Rule }
  | { readonly kind: 'delete-jump'; readonly hook: HookName; readonly rule: Rule }

export interface Placed {
  readonly at: number
  readonly rule: Rule
}

/** What is sent in one run. Each table changes at once, `filter` shortly before `nat`. */
export interface Transaction {
  readonly family: Family
  readonly operations: Readonly<Record<TableName, readonly Operation[]>>
}
