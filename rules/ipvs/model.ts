/** The nouns of IPVS, as this mode uses them (ipvsadm(8)). Those of its table of packet rules are nft's. */
import type { Family, Protocol } from '../model.ts'
import type { Listing as Table, Operation as RuleOperation } from '../nft/model.ts'

/** What a virtual server answers to: an address and port, or packets that carry a mark (1 to 2^31 - 1). */
export type Virtual =
  | { readonly kind: 'address'; readonly address: string; readonly protocol: Protocol; readonly port: number }
  | { readonly kind: 'mark'; readonly mark: number }

/** `tcp 10.96.0.1:80`, `udp [fd00::1]:53`, `mark 77`. */
export type VirtualKey = string

/** `10.244.1.2:8080`, `[fd01::2]:8080`: address and port as ipvsadm writes them. */
export type RealKey = string

/** How a virtual server chooses: `rr`, `rr persistent 10800`, as `ipvsadm -Ln` prints it, with flags that others may have set. */
export type Settings = string

export interface RealServer {
  /** 0: no new connections. */
  readonly weight: number
  /** Whether packets are translated (`Masq`); anything else is other people's. */
  readonly translated: boolean
  /** Open and closing connections, where the kernel was asked. */
  readonly connections?: number
}

export interface VirtualServer {
  readonly settings: Settings
  readonly reals: ReadonlyMap<RealKey, RealServer>
}

/** What the kernel holds for one IP family. */
export interface Listing {
  readonly family: Family
  /** Our table of packet rules; absent if there is none. */
  readonly table?: Table
  /** All virtual servers, those of other people too. */
  readonly servers: ReadonlyMap<VirtualKey, VirtualServer>
  /** Whether our dummy device is there. */
  readonly device: boolean
  /** On our dummy device. */
  readonly addresses: ReadonlySet<string>
  /** On all other devices, loopback included. NodePorts answer on some of them. */
  readonly hostAddresses: readonly string[]
}

export type ServerOperation =
  | { readonly kind: 'add-server' | 'edit-server'; readonly virtual: VirtualKey; readonly settings: Settings }
  | { readonly kind: 'delete-server'; readonly virtual: VirtualKey }
  | { readonly kind: 'add-real' | 'edit-real'; readonly virtual: VirtualKey; readonly real: RealKey; readonly weight: number }
  | { readonly kind: 'delete-real'; readonly virtual: VirtualKey; readonly real: RealKey }

export type AddressOperation =
  | { readonly kind: 'add-device' }
  | { readonly kind: 'add-address' | 'delete-address'; readonly address: string }

/** What one tool does in one go. `rules` happen whole or not at all; of the others, what comes before an error has happened. */
export type Step =
  | { readonly kind: 'rules'; readonly operations: readonly RuleOperation[] }
  | { readonly kind: 'servers'; readonly operations: readonly ServerOperation[] }
  | { readonly kind: 'addresses'; readonly operations: readonly AddressOperation[] }

/** Steps in their order. Together they are not atomic; plan.ts tells what a packet may meet between them. */
export interface Transaction {
  readonly family: Family
  readonly steps: readonly Step[]
}
