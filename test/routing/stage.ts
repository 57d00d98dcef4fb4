/** What a behaviour may do and ask, whatever stands behind it: a tracer that reads rules, or a kernel that gets packets. */
import type { Family, NodeConfig, Protocol } from '../../rules/model.ts'
import type { ModeName } from '../../rules/mode.ts'

/**
 * Who answers, on the ports 8080 and 9090. b1, b2 are pods of node1, where the rules are; b3, b4 are pods of node2. `host` is a
 * program of node1 itself, `stranger` one of the host outside.
 */
export type Backend = 'b1' | 'b2' | 'b3' | 'b4' | 'host' | 'stranger'
/** Who asks: `pod` is on node1, `remote-pod` on node2, `outside` on neither. */
export type Place = 'node' | 'pod' | 'remote-pod' | 'outside' | 'b1' | 'b2' | 'b3' | 'b4'

/** With several places or destinations it is asked from all to all of them, at once. */
export interface Probe {
  readonly from: Place | readonly Place[]
  readonly protocol?: Protocol
  readonly to: string | readonly string[]
  readonly port: number
  /** Of the many addresses that the host outside has: each is a client of its own. */
  readonly client?: number
  /** UDP on kernels: asked again from where this destination was asked before, as a long-lived client does. */
  readonly again?: true
}

export type Expected =
  /** All of them answer, and nobody else. `evenly`: each gets its part, by chance. */
  | { readonly answer: readonly Backend[]; readonly source?: 'kept' | 'hidden'; readonly port?: number; readonly evenly?: true }
  /** One of them, always the same. Kernels only. */
  | { readonly sticky: readonly Backend[] }
  /** A reset or port-unreachable, at once. */
  | 'refused'
  | 'dropped'
  /** Nothing of ours: the packet goes its way as if there were no rules. */
  | 'untouched'

export interface Addresses {
  readonly backends: Readonly<Record<Backend, string>>
  readonly places: Readonly<Record<'node' | 'pod' | 'remote-pod' | 'outside', string>>
  readonly remoteNode: string
  readonly loopback: string
  /** node1's pods; nobody's; those of `outside`; those of the clients of `outside`. */
  readonly ranges: Readonly<Record<'localPods' | 'nobody' | 'outside' | 'clients' | 'everyone', string>>
  readonly client: (n: number) => string
  /** A fresh address or port of each kind, for this behaviour alone. */
  readonly vip: () => string
  readonly externalIP: () => string
  readonly loadBalancerIP: () => string
  readonly nodePort: () => number
}

export interface Stage {
  readonly mode: ModeName
  readonly family: Family
  readonly at: Addresses
  /** The addresses of the other family. */
  readonly otherAt: Addresses
  /** Creates or replaces objects; resolves when the rules have followed. */
  apply(...objects: readonly object[]): Promise<void>
  /** By `Kind name` or `Kind namespace/name`, e.g. `Service web`; objects that are given are applied in the same breath. */
  remove(names: readonly string[], ...objects: readonly object[]): Promise<void>
  /** How the node is set up from now on, until the end of the behaviour. */
  configure(part: Partial<NodeConfig>): Promise<void>
  /** The node has one more address from now on, until the end of the behaviour; the rules' maker is not told. */
  addHostAddress(address: string): Promise<void>
  /** @throws AssertionError */
  expect(probe: Probe, expected: Expected): Promise<void>
}

/** A TCP connection that stays open. */
export interface Connection {
  /** Who answers a line on it; `closed` if it is not open any more, `silent` if nobody answers. */
  ask(): Promise<Backend | 'closed' | 'silent'>
}

/** What only a kernel has. */
export interface KernelStage extends Stage {
  open(probe: Probe): Promise<Connection>
  /** Who answers each of these clients of `outside` once; anything but an answer fails. */
  who(probe: Omit<Probe, 'from'>, clients: readonly number[]): Promise<readonly Backend[]>
  /** Ends the process without a chance to do anything. Objects may be applied and removed meanwhile. */
  crash(): Promise<void>
  /** The same in order. */
  stop(): Promise<void>
  /** Starts it again, with the objects as they are then. */
  start(): Promise<void>
  /** Takes all rules away (and ends the process). */
  cleanUp(): Promise<void>
  /** Another hand empties the place where our rules begin. */
  disturb(): Promise<void>
  /** @throws AssertionError if they are not equal */
  same(found: unknown, expected: unknown): void
  /** Lets the kernel's clock go on. */
  rest(ms: number): Promise<void>
  /** Runs a program on node1, and another one when the behaviour is over. */
  host(program: readonly string[], undo?: readonly string[]): Promise<void>
}

interface Described {
  /** Rows of the catalogue of service routing that it covers, e.g. `D1`. */
  readonly rows: readonly string[]
  readonly title: string
  /** Modes in which it is not so, and why. */
  readonly except?: Readonly<Partial<Record<ModeName, string>>>
  readonly families?: readonly Family[]
}

export type Behaviour = Described &
  (
    | { readonly on: 'everywhere'; readonly run: (stage: Stage) => Promise<void> }
    /** It is about state that only packets make, or about the life of the process. */
    | { readonly on: 'kernel'; readonly run: (stage: KernelStage) => Promise<void> }
  )

type Part = Partial<Omit<Described, 'rows' | 'title'>>

export function behaviour(rows: string, title: string, run: (stage: Stage) => Promise<void>, part: Part = {}): Behaviour {
  return { rows: rows.split(' '), title, run, on: 'everywhere', ...part }
}

export function onKernel(rows: string, title: string, run: (stage: KernelStage) => Promise<void>, part: Part = {}): Behaviour {
  return { rows: rows.split(' '), title, run, on: 'kernel', ...part }
}

/** Every pair of a place and a destination of a probe. */
export function single(probe: Probe): readonly (Probe & { readonly from: Place; readonly to: string })[] {
  const [places, destinations] = [[probe.from].flat() as Place[], [probe.to].flat() as string[]]
  return places.flatMap((from) => destinations.map((to) => ({ ...probe, from, to })))
}
