/** What the rest of the server may know of the agents' connections. `hub.ts` keeps them. */
import type { NodeCall, NodeUsage } from '../../api/frames.ts'
import type { NodeLink } from '../../api/hub.ts'

export interface Sessions {
  /** Every agent that has been seen since the hub started, by name. */
  nodes(): readonly NodeLink[]
  /** The last measured load of a node, if it reported within the last 30 s. */
  usage(node: string): NodeUsage | undefined
  /**
   * Asks a node; yields the bytes of the answer as they come. Aborting cancels the call on the node.
   * @throws StatusError ServiceUnavailable where the node has no connection, BadRequest or NotFound as the node says
   */
  call(node: string, call: NodeCall, signal: AbortSignal): AsyncIterable<Uint8Array>
}
