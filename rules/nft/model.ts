/** The nouns of nftables, as this mode uses them (nft(8)). */
import type { Family } from '../model.ts'

/** A named set or map of our table. */
export type SetName = string
export type ChainName = string
/** Canonical text of a key, as nft prints it: `10.96.0.10 . udp . 53`. */
export type ElementKey = string

/** One element of a set (no value) or map. `value` and `comment` are text as nft prints it. */
export interface Element {
  readonly key: ElementKey
  readonly value?: string
  readonly comment?: string
}

/** Written out, as there may be a hundred thousand: to put each together from parts would take several times as long. */
export function elementOf(key: ElementKey, value: string | undefined, comment: string | undefined): Element {
  if (comment === undefined) return value === undefined ? { key } : { key, value }
  return value === undefined ? { key, comment } : { key, value, comment }
}

export interface PlacedElement extends Element {
  readonly set: SetName
}

/** A rule by its canonical text, as nft prints it. */
export type Rule = string

export interface Chain {
  readonly name: ChainName
  /** `type nat hook prerouting priority -100; policy accept;` with the priority as a number; absent on a regular chain. */
  readonly base?: string
  readonly rules: readonly Rule[]
}

export interface SetDeclaration {
  readonly name: SetName
  readonly kind: 'set' | 'map'
  /** What stands between the braces before the elements, e.g. `type ipv4_addr;`. */
  readonly type: string
}

/** A table as the kernel holds it, or as it should be. What packets put into dynamic sets is not in it. */
export interface Listing {
  readonly chains: ReadonlyMap<ChainName, Chain>
  readonly sets: ReadonlyMap<SetName, SetDeclaration>
  readonly elements: ReadonlyMap<SetName, ReadonlyMap<ElementKey, Element>>
}

export type Operation =
  | { readonly kind: 'add-table' }
  | { readonly kind: 'delete-table' }
  | { readonly kind: 'add-set'; readonly set: SetDeclaration }
  | { readonly kind: 'add-chain'; readonly chain: ChainName; readonly base?: string }
  | { readonly kind: 'add-rule'; readonly chain: ChainName; readonly rule: Rule }
  | { readonly kind: 'add-elements'; readonly set: SetName; readonly elements: readonly Element[] }
  | { readonly kind: 'delete-elements'; readonly set: SetName; readonly keys: readonly ElementKey[] }

/** What is sent to the kernel in one piece: all of it happens, or nothing. */
export interface Transaction {
  readonly family: Family
  readonly operations: readonly Operation[]
}
