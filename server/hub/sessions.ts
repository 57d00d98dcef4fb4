/** What the rest of the server may know of the agents' connections. `hub.ts` keeps them. */
import type { NodeCall, NodeUsage, PodUsage } from '../../api/frames.ts'
import type { NodeLink } from '../../api/hub.ts'
import type { Exchange } from './exchanges.ts'

/** What the containers of a node used, on average over a window that ended at `at` (ms since 1970). */
export interface PodLoad {
  readonly at: number
  readonly windowMs: number
  readonly pods: readonly PodUsage[]
}

export interface Sessions {
  /** Every agent that has had its session here since the hub started, or has a side link now; by name, each once. */
  nodes(): readonly NodeLink[]
  /** The last measured load of a node, if it reported within the last 30 s. */
  usage(node: string): NodeUsage | undefined
  /** The last measured load of a node's containers, if it reported within the last 30 s. */
  podLoad(node: string): PodLoad | undefined
  /** Asks a node, to and fro. @throws StatusError ServiceUnavailable where the node has no connection */
  open(node: string, call: NodeCall, signal: AbortSignal): Exchange
  /**
   * Asks a node when it is first read; yields the bytes of the answer as they come. Aborting cancels the call on the node.
   * @throws StatusError ServiceUnavailable where the node has no connection, BadRequest or NotFound as the node says
   */
  call(node: string, call: NodeCall, signal: AbortSignal): AsyncIterable<Uint8Array>
}
