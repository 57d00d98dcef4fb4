/** One request on its way through the room, and what the room works with. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../api/clock.ts'
import type { ClusterStatus, JoinAnswer, JoinRequest, KeyChange } from '../../api/hub.ts'
import type { Log } from '../../api/log.ts'
import type { Registry as Metrics } from '../../api/prometheus.ts'
import type { Met } from '../audit/event.ts'
import type { AccountTokens } from '../auth/account-tokens.ts'
import type { User, Wish } from '../auth/auth.ts'
import type { Verdict } from '../auth/authorize.ts'
import type { Kinds } from '../custom/kinds.ts'
import type { Sessions } from '../hub/sessions.ts'
import type { Policy } from '../rbac/policy.ts'
import type { Registry } from '../registry/registry.ts'
import type { Store } from '../store/store.ts'
import type { InflightLimits } from './inflight.ts'

/** The hub's own paths, which others answer. What they throw should be a StatusError. */
export interface HubHandlers {
  status(): ClusterStatus
  /** The ruleset of a node as text. */
  rules(node: string, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** A copy of everything that is stored. @throws StatusError MethodNotAllowed where somebody else keeps it */
  snapshot(signal: AbortSignal): AsyncIterable<Uint8Array>
  /** Without it keys are changed by hand. @throws StatusError */
  rotateSecrets?(): Promise<KeyChange>
  /** Checks the token itself: a joining node has no certificate yet. */
  join(request: JoinRequest): Promise<JoinAnswer>
}

/** One line of /livez, /readyz and /healthz. `run` returns what is wrong, or undefined; it has a few seconds. */
export interface HealthCheck {
  readonly name: string
  /** Checks that tell whether to send requests here, not whether to restart, are left out of /livez. */
  readonly readyOnly?: boolean
  readonly run: (signal: AbortSignal) => string | undefined | Promise<string | undefined>
}

export interface RestDeps {
  readonly store: Store
  readonly kinds: Kinds
  readonly registry: Registry
  readonly sessions: Sessions
  /** Who is asking; never throws, an unknown caller is `system:anonymous`. */
  readonly authenticate: (req: IncomingMessage) => User
  readonly authorize: (user: User, wish: Wish) => Verdict
  /** The rules that hold for a user; without it a SelfSubjectRulesReview is answered as incomplete. */
  readonly policy?: Pick<Policy, 'rulesFor'>
  /** Without it there are no tokens of service accounts. */
  readonly tokens?: AccountTokens
  /** The registry behind the checks of what a user may write; without it the registry as it is. */
  readonly guard?: (user: User) => Registry
  readonly log: Log
  readonly clock: Clock
  /** Told of every request that is answered, and of every stream that begins. */
  readonly audit?: (met: Met) => void
  /** Where they are not those of `inflight.ts`. */
  readonly limits?: Partial<InflightLimits>
  /** Wherry's own version, e.g. `0.1.0`. */
  readonly version: string
  /** Without it the hub's own paths are 404. */
  readonly hub?: HubHandlers
  readonly checks?: readonly HealthCheck[]
  /** What /metrics shows; the room adds its own measurements. Without it, only those are shown. */
  readonly metrics?: Metrics
}

/** What every step of a request's way may need. `signal` aborts when the client goes away. */
export interface Call {
  readonly deps: RestDeps
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly query: URLSearchParams
  readonly user: User
  readonly signal: AbortSignal
}
