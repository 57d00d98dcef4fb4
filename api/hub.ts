/** The hub's own HTTP paths, beside the Kubernetes API, and what they carry (JSON). */
import type { NodeUsage } from './frames.ts'

export const hubPaths = {
  /** WebSocket of the agents (client certificate of a node). */
  agent: '/wherry/v1/agent',
  /** GET: ClusterStatus. */
  status: '/wherry/v1/status',
  /** GET /wherry/v1/nodes/NAME/rules: the node's ruleset as text. */
  nodes: '/wherry/v1/nodes',
  /** GET: a copy of the hub's database, as a file; for administrators. */
  snapshot: '/wherry/v1/snapshot',
  /** POST: secrets get a new key. Answered with a KeyChange. */
  secrets: '/wherry/v1/secrets/rotate',
  /** POST JoinRequest, answered with a JoinAnswer; authenticated by the token alone. */
  join: '/wherry/v1/join',
} as const

export interface ClusterStatus {
  readonly version: string
  readonly revision: number
  readonly nodes: readonly NodeLink[]
}

/** How the hub sees one agent. Times are RFC 3339. */
export interface NodeLink {
  readonly name: string
  /** Whether its session is with this hub, which then knows how far it is. */
  readonly connected: boolean
  /** Set where its session is with another hub, and this one can ask it over a side link. */
  readonly aside?: true
  readonly since?: string
  /** The last revision the agent acknowledged as received, and as accepted by its kernel. */
  readonly received: number
  readonly applied: number
  readonly failed?: { readonly code: string; readonly message: string }
  readonly usage?: NodeUsage
}

export interface KeyChange {
  /** The key that seals from now on. */
  readonly key: string
  /** How many values, history included, were sealed anew. */
  readonly rewritten: number
}

export interface JoinRequest {
  readonly node: string
  readonly token: string
  /** PEM certificate request whose subject is `CN=system:node:NAME, O=system:nodes`. */
  readonly csr: string
}

/** PEM texts. */
export interface JoinAnswer {
  readonly certificate: string
  readonly ca: string
}
