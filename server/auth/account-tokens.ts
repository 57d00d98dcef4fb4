/** Tokens of service accounts: made for a TokenRequest, bound to what they were made for, and believed while all of that is there. */
import type { KubeObject, Pod } from '../../api/objects.ts'
import type { Resource } from '../../api/resources.ts'
import type { Store } from '../store/store.ts'
import { groups, type User } from './auth.ts'
import type { AccountKeys } from './account-key.ts'
import { peek, signToken, verifyToken, type Claims } from './jwt.ts'

/** What a token is bound to beside its account: it ceases to count when that is gone. */
export interface BoundObject {
  readonly kind: 'Pod' | 'Secret' | 'Node'
  readonly name: string
  readonly uid: string
}

export interface TokenWish {
  readonly account: KubeObject
  readonly audiences: readonly string[]
  readonly seconds: number
  readonly bound?: BoundObject
  /** Of a pod's token: the node that the pod is on. */
  readonly node?: string
}

export interface AccountTokens {
  readonly issuer: string
  /** For whom tokens are that nobody made for somebody else: the hub itself. */
  readonly audiences: readonly string[]
  readonly keys: AccountKeys
  issue(wish: TokenWish): { readonly token: string; readonly expires: number }
  /**
   * Whose token it is, and which of the audiences it is for. Undefined where it is no token of ours at all.
   * @param audiences those that the asker answers to; without them the hub's own
   */
  verify(token: string, audiences?: readonly string[]): Verified | Refused | undefined
}

export interface Verified {
  readonly kind: 'verified'
  readonly user: User
  readonly audiences: readonly string[]
}

export interface Refused {
  readonly kind: 'refused'
  readonly why: string
}

export interface AccountTokenDeps {
  readonly store: Pick<Store, 'get'>
  readonly keys: AccountKeys
  readonly issuer: string
  readonly now: () => number
  readonly uuid: () => string
}

/** How long a token counts while its account or pod is on its way out. */
const leewayMs = 60_000
/** Tokens whose signature is known to fit. What they say is looked at each time. */
const remembered = 4096

const refused = (why: string): Refused => ({ kind: 'refused', why })

export function createAccountTokens({ store, keys, issuer, now, uuid }: AccountTokenDeps): AccountTokens {
  const proven = new Map<string, Claims>()
  const own = [issuer]
  const claimsOf = (token: string): Claims | undefined => {
    const known = proven.get(token) ?? verifyToken(keys.accepted, token)
    if (!known) return undefined
    proven.delete(token)
    proven.set(token, known)
    if (proven.size > remembered) proven.delete(proven.keys().next().value!)
    return known
  }
  return {
    issuer,
    audiences: own,
    keys,
    issue(wish) {
      const at = Math.floor(now() / 1000)
      const exp = at + wish.seconds
      return { token: signToken(keys.signing, claimsFor(wish, { iss: issuer, at, exp, jti: uuid() })), expires: exp * 1000 }
    },
    verify(token, audiences = own) {
      if (peek(token)?.['iss'] !== issuer) return undefined
      const claims = claimsOf(token)
      if (!claims) return refused('its signature does not fit')
      return accepted({ store, now }, claims, audiences)
    },
  }
}

interface Stamp {
  readonly iss: string
  readonly at: number
  readonly exp: number
  readonly jti: string
}

/** RFC 7519, and the claim that Kubernetes adds. Times in seconds. */
function claimsFor({ account, audiences, bound, node }: TokenWish, { iss, at, exp, jti }: Stamp): Claims {
  const { name, namespace = '', uid } = account.metadata
  const binding = bound && { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } }
  const kubernetes = { namespace, ...(node && { node: { name: node } }), ...binding, serviceaccount: { name, uid } }
  return { aud: audiences, exp, iat: at, iss, jti, 'kubernetes.io': kubernetes, nbf: at, sub: `system:serviceaccount:${namespace}:${name}` }
}

interface Named {
  readonly name: string
  readonly uid?: string
}

/** The claim `kubernetes.io`. Only the hub signs, so its shape is known. */
interface OwnClaim {
  readonly namespace: string
  readonly serviceaccount: Named
  readonly pod?: Named
  readonly secret?: Named
  readonly node?: Named
}

function accepted(deps: Pick<AccountTokenDeps, 'store' | 'now'>, claims: Claims, audiences: readonly string[]): Verified | Refused {
  const seconds = deps.now() / 1000
  if (Number(claims['exp']) <= seconds) return refused('it has expired')
  if (Number(claims['nbf']) > seconds + leewayMs / 1000) return refused('it is not valid yet')
  const fitting = audiences.filter((a) => (claims['aud'] as readonly string[]).includes(a))
  if (fitting.length === 0) return refused(`it is for ${JSON.stringify(claims['aud'])}, not for ${JSON.stringify(audiences)}`)
  const claim = claims['kubernetes.io'] as OwnClaim
  const { namespace, serviceaccount, pod, secret, node } = claim
  const gone = [
    missing(deps, 'serviceaccounts', namespace, serviceaccount),
    pod && missing(deps, 'pods', namespace, pod),
    secret && missing(deps, 'secrets', namespace, secret),
    // The node beside a pod tells where the pod is; alone it is what the token is bound to.
    node?.uid && missing(deps, 'nodes', '', node),
  ].find((why) => why)
  return gone ? refused(gone) : { kind: 'verified', user: userOf(claims, claim), audiences: fitting }
}

function missing({ store, now }: Pick<AccountTokenDeps, 'store' | 'now'>, resource: Resource, namespace: string, { name, uid }: Named): string | undefined {
  const object = store.get({ resource, namespace, name })
  if (object?.metadata.uid !== uid) return `${resource} ${JSON.stringify(name)} for which it was made is gone`
  const since = object?.metadata.deletionTimestamp
  if (since && Date.parse(since) + leewayMs < now()) return `${resource} ${JSON.stringify(name)} for which it was made is being deleted`
  return undefined
}

function userOf(claims: Claims, { namespace, serviceaccount, pod, node }: OwnClaim): User {
  const extra = Object.entries({ 'credential-id': `JTI=${String(claims['jti'])}`, 'pod-name': pod?.name, 'pod-uid': pod?.uid, 'node-name': node?.name, 'node-uid': node?.uid })
  return {
    name: String(claims['sub']),
    uid: serviceaccount.uid!,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, groups.authenticated],
    extra: Object.fromEntries(extra.flatMap(([key, value]) => (value === undefined ? [] : [[`authentication.kubernetes.io/${key}`, [value]] as const]))),
  }
}

/** A pod as that to which a token is bound. */
export function boundPod(pod: Pod): { readonly bound: BoundObject; readonly node?: string } {
  const { name, uid } = pod.metadata
  return { bound: { kind: 'Pod', name, uid }, ...(pod.spec?.nodeName && { node: pod.spec.nodeName }) }
}
