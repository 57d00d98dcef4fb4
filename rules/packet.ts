/** A packet on its way through a node, and what became of it: the words that the tracers of all modes share. */
import type { Protocol } from './model.ts'

/** The first packet of a connection. */
export interface Packet {
  /** Where it enters: from the wire or from a pod (`prerouting`), or from a process of the node itself (`output`). */
  readonly hook: 'prerouting' | 'output'
  /** The interface that it came in on; absent for `output`. */
  readonly inputInterface?: string
  readonly source: string
  readonly destination: string
  readonly protocol: Protocol | 'icmp'
  /** Ports are absent for ICMP. */
  readonly sourcePort?: number
  readonly destinationPort?: number
}

/** What a tracer must know of the node beside the rules. */
export interface Host {
  /** Every address that the node owns, loopback included (what fib(8) calls local); of any family. */
  readonly addresses: readonly string[]
}

/** A rule or entry that decided something, by the name of its place (chain, set, virtual server) and its text. */
export interface Step {
  readonly place: string
  readonly text: string
}

export type Fate =
  /** Nothing was done to its destination. */
  | { readonly kind: 'passed' }
  | { readonly kind: 'translated'; readonly address: string; readonly port: number }
  | { readonly kind: 'refused'; readonly answer: 'tcp-reset' | 'port-unreachable' }
  | { readonly kind: 'dropped' }

export interface Journey {
  readonly packet: Packet
  readonly fate: Fate
  /** Whether the endpoint sees the node's address in place of the client's. */
  readonly masqueraded: boolean
  readonly steps: readonly Step[]
}

/**
 * A mode's tracer: it reads what the kernel holds, so that it tells the truth about what others changed, too.
 * Gives every way that the packet's random choice can take: one journey for each endpoint (each slot, where a mode has slots).
 * @throws RulesError RULES_UNREADABLE on a rule that the tracer does not know
 */
export type Outcomes<Listing> = (listing: Listing, host: Host, packet: Packet) => readonly Journey[]
