/**
 * The nouns of the rules room. A `NodeView` is what one node should do for services; a `Plan` is the difference between
 * that and what its kernel holds. Everything here is a value: no I/O, no clock, no randomness.
 */

// ── the wish: what services look like from one node ─────────────────────────

export type Protocol = 'tcp' | 'udp' | 'sctp'

/** `namespace/name`. */
export type ServiceKey = string

/** One family's view of a cluster from one node. Addresses are in canonical text, of that family only. */
export interface NodeView {
  readonly config: NodeConfig
  readonly services: ReadonlyMap<ServiceKey, ServiceView>
}

export interface NodeConfig {
  /** Sources inside these are pods: their traffic to a cluster IP keeps its address (CIDR text). */
  readonly clusterCIDRs: readonly string[]
  /** The node's own addresses on which NodePorts answer. */
  readonly nodePortAddresses: readonly string[]
}

export interface ServiceView {
  readonly key: ServiceKey
  /** RFC 3339 `creationTimestamp`; where two services claim one address and port, the older one has it. */
  readonly created: string
  readonly clusterIPs: readonly string[]
  readonly ports: readonly ServicePortView[]
}

export interface ServicePortView {
  /** May be empty when the service has one port. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  readonly nodePort?: number
  /** All known endpoints with their conditions; `select.ts` decides which of them count. */
  readonly endpoints: readonly EndpointView[]
}

export interface EndpointView {
  readonly address: string
  readonly port: number
  /** Whether the endpoint is on this node. */
  readonly local: boolean
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
}

// ── the kernel's nouns (nft(8)) ─────────────────────────────────────────────

/** A named set or map of our table; its declaration is fixed by its name (`names.ts`). */
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

export type Rule =
  /** One of our own statements, by its canonical text as nft prints it. */
  { readonly text: string }

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

/** A table as the kernel holds it, or as it should be. */
export interface Listing {
  readonly chains: ReadonlyMap<ChainName, Chain>
  readonly sets: ReadonlyMap<SetName, SetDeclaration>
  readonly elements: ReadonlyMap<SetName, ReadonlyMap<ElementKey, Element>>
}

// ── the verbs, as values ────────────────────────────────────────────────────

export type Operation =
  | { readonly kind: 'add-table' }
  | { readonly kind: 'delete-table' }
  | { readonly kind: 'add-set'; readonly set: SetDeclaration }
  | { readonly kind: 'delete-set'; readonly set: SetDeclaration }
  | { readonly kind: 'add-chain'; readonly chain: ChainName; readonly base?: string }
  | { readonly kind: 'flush-chain'; readonly chain: ChainName }
  | { readonly kind: 'delete-chain'; readonly chain: ChainName }
  | { readonly kind: 'add-rule'; readonly chain: ChainName; readonly rule: Rule }
  | { readonly kind: 'add-elements'; readonly set: SetName; readonly elements: readonly Element[] }
  | { readonly kind: 'delete-elements'; readonly set: SetName; readonly keys: readonly ElementKey[] }

/** What is sent to the kernel in one piece: all of it happens, or nothing. */
export interface Transaction {
  readonly family: Family
  readonly operations: readonly Operation[]
}

/** The nft table family (one table for each IP family). */
export type Family = 'ip' | 'ip6'
