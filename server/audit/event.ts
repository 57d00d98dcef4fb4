/** What the audit log says of a request: audit.k8s.io/v1 Event of the level Metadata, without any content of objects. */
import type { User, Wish } from '../auth/auth.ts'
import { splitResource } from '../rbac/rules.ts'

/** A request as it was met. Times in ms since 1970. */
export interface Met {
  readonly id: string
  readonly stage: 'ResponseStarted' | 'ResponseComplete'
  readonly uri: string
  readonly received: number
  readonly at: number
  readonly sourceIPs: readonly string[]
  readonly userAgent?: string | undefined
  readonly user: User
  /** Where the user acts as another one. */
  readonly impersonated?: User | undefined
  /** Absent where the request was refused before it was understood. */
  readonly wish?: Wish | undefined
  readonly verdict?: { readonly allowed: boolean; readonly why: string } | undefined
  readonly code: number
  /** Of a failure: the reason and the message of its Status. */
  readonly failure?: { readonly reason?: string | undefined; readonly message?: string | undefined } | undefined
}

/** The words that a path, a user agent or a name may have in a line; more is cut. */
const longest = 2048
const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…` : text)
const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z')

/** One line of the log, without its end. */
export function auditLine(met: Met): string {
  const { id, stage, wish, verdict, failure } = met
  return JSON.stringify({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: id,
    stage,
    requestURI: cut(met.uri),
    verb: wish?.verb ?? '',
    user: userOf(met.user),
    ...(met.impersonated && { impersonatedUser: userOf(met.impersonated) }),
    sourceIPs: met.sourceIPs,
    ...(met.userAgent !== undefined && { userAgent: cut(met.userAgent) }),
    ...(wish?.resource !== undefined && { objectRef: objectOf(wish, wish.resource) }),
    responseStatus: {
      metadata: {},
      ...(failure && { status: 'Failure', ...(failure.message !== undefined && { message: cut(failure.message) }), ...(failure.reason && { reason: failure.reason }) }),
      code: met.code,
    },
    requestReceivedTimestamp: microTime(met.received),
    stageTimestamp: microTime(met.at),
    ...(verdict && { annotations: { 'authorization.k8s.io/decision': verdict.allowed ? 'allow' : 'forbid', 'authorization.k8s.io/reason': verdict.why } }),
  })
}

function userOf({ name, uid, groups, extra }: User): object {
  return { username: name, ...(uid !== undefined && { uid }), groups, ...(extra && { extra }) }
}

function objectOf({ namespace, name, subresource }: Wish, resource: string): object {
  const { plural, group } = splitResource(resource)
  return { resource: plural, ...(namespace && { namespace }), ...(name && { name }), ...(group && { apiGroup: group }), ...(subresource && { subresource }) }
}
