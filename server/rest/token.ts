/** Tokens of service accounts (authentication.k8s.io/v1): made, looked at, and checked by others (OpenID Connect discovery). */
import { rfc3339 } from '../../api/clock.ts'
import type { KubeObject, Pod } from '../../api/objects.ts'
import { kindOf, type BuiltInResource } from '../../api/resources.ts'
import { invalid, notFound, StatusError } from '../../api/status.ts'
import { required, unsupported, wrong } from '../admit/causes.ts'
import { boundPod, type AccountTokens, type BoundObject } from '../auth/account-tokens.ts'
import { nodeOf } from '../auth/authorize.ts'
import { keySet } from '../auth/jwt.ts'
import { negotiate } from './accept.ts'
import { asObject, readBody } from './body.ts'
import type { Call } from './call.ts'
import { kindInData, metadataOf } from './draft.ts'
import { createFields, type Fields } from './fields.ts'
import { dryRun } from './query.ts'
import { stored } from './read.ts'
import { nothingHere, sendText, sendValue } from './reply.ts'
import type { ResourceTarget } from './target.ts'

type JsonMap = { readonly [field: string]: unknown }

const tokenRequest = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', plural: 'tokenrequests' }
const bounds = { standard: 3600, least: 600, most: 2 ** 32, granted: 365 * 86_400 } as const

function tokensOf({ deps }: Call): AccountTokens {
  if (!deps.tokens) throw nothingHere()
  return deps.tokens
}

/** POST serviceaccounts/NAME/token. */
export async function createToken(call: Call, target: ResourceTarget): Promise<void> {
  const tokens = tokensOf(call)
  const { media } = negotiate(call.req.headers.accept)
  const body = asObject((await readBody(call.req)) ?? {}, 'a TokenRequest')
  const trial = dryRun(call.query.getAll('dryRun'))
  kindInData(tokenRequest, body)
  metadataOf(body)
  const fields = createFields()
  const spec = fields.map('spec', body.spec) ?? {}
  const audiences = fields.texts('spec.audiences', spec.audiences)
  const seconds = secondsIn(spec, fields)
  const reference = referenceIn(spec, fields)
  if (fields.causes.length > 0) throw invalid(tokenRequest, target.name, fields.causes)
  const account = stored(call, target)
  const bound = reference && boundTo(call, account, reference)
  checkNode(call, bound)
  const asked = { audiences: audiences.length > 0 ? audiences : tokens.audiences, seconds: Math.min(seconds, bounds.granted) }
  const { token, expires } = tokens.issue({ account, ...asked, ...bound })
  const { name, namespace } = account.metadata
  const answer = {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: rfc3339(call.deps.clock.now()) },
    spec: { audiences: asked.audiences, expirationSeconds: asked.seconds, boundObjectRef: spec.boundObjectRef ?? null },
    status: { token: trial ? '' : token, expirationTimestamp: rfc3339(expires) },
  }
  sendValue(call, answer, { code: 201, media })
}

function secondsIn(spec: JsonMap, { causes }: Fields): number {
  const seconds = spec.expirationSeconds ?? bounds.standard
  if (!Number.isSafeInteger(seconds)) causes.push(wrong('spec.expirationSeconds', seconds, 'must be a whole number of seconds'))
  else if ((seconds as number) < bounds.least) causes.push(wrong('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes'))
  else if ((seconds as number) > bounds.most) causes.push(wrong('spec.expirationSeconds', seconds, 'may not specify a duration larger than 2^32 seconds'))
  return seconds as number
}

interface Reference {
  readonly kind: BoundObject['kind']
  readonly name: string
  readonly uid: string
}

function referenceIn(spec: JsonMap, fields: Fields): Reference | undefined {
  const reference = fields.map('spec.boundObjectRef', spec.boundObjectRef)
  if (!reference) return undefined
  const text = (field: string): string => fields.text(`spec.boundObjectRef.${field}`, reference[field])
  const [kind, apiVersion, name, uid] = ['kind', 'apiVersion', 'name', 'uid'].map(text) as [string, string, string, string]
  if (apiVersion !== '' && apiVersion !== 'v1') fields.causes.push(unsupported('spec.boundObjectRef.apiVersion', apiVersion, ['v1']))
  if (kind !== 'Pod' && kind !== 'Secret' && kind !== 'Node') {
    fields.causes.push(unsupported('spec.boundObjectRef.kind', kind, ['Pod', 'Secret', 'Node']))
    return undefined
  }
  if (name === '') fields.causes.push(required('spec.boundObjectRef.name'))
  return { kind, name, uid }
}

const resources: Readonly<Record<BoundObject['kind'], BuiltInResource>> = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' }

/** @throws StatusError NotFound, Conflict (another uid), BadRequest (a pod of another account) */
function boundTo({ deps }: Call, account: KubeObject, { kind, name, uid }: Reference): { readonly bound: BoundObject; readonly node?: string } {
  const resource = resources[kind]
  const namespace = kind === 'Node' ? '' : (account.metadata.namespace ?? '')
  const object = deps.store.get({ resource, namespace, name })
  if (!object) throw notFound(kindOf(resource), name)
  if (uid !== '' && uid !== object.metadata.uid) {
    throw new StatusError('Conflict', `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`)
  }
  if (kind !== 'Pod') return { bound: { kind, name, uid: object.metadata.uid } }
  const pod = object as Pod
  const own = pod.spec?.serviceAccountName || 'default'
  if (own !== account.metadata.name) {
    throw new StatusError('BadRequest', `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to pod running with different serviceaccount name: spec.boundObjectRef names a pod of ${JSON.stringify(own)}`)
  }
  return boundPod(pod)
}

/** A node gets tokens for its own pods alone, and bound to them. */
function checkNode({ user, deps }: Call, bound: { readonly bound: BoundObject; readonly node?: string } | undefined): void {
  const node = nodeOf(user)
  if (node === undefined) return
  if (bound?.bound.kind === 'Pod' && bound.node === node) return
  deps.log.debug('a node asked for a token that is not for its pods', { node })
  throw new StatusError('Forbidden', `node ${node} may only have tokens that are bound to one of its own pods (spec.boundObjectRef)`)
}

/** The status of a TokenReview. */
export function tokenReview(call: Call, spec: JsonMap, fields: Fields): () => JsonMap {
  const token = fields.text('spec.token', spec.token)
  const audiences = fields.texts('spec.audiences', spec.audiences)
  if (token === '') fields.causes.push(required('spec.token'))
  return () => {
    const verified = tokensOf(call).verify(token, audiences.length > 0 ? audiences : undefined)
    if (verified?.kind === 'verified') {
      const { name, uid, groups, extra } = verified.user
      return { authenticated: true, user: { username: name, uid, groups, extra }, audiences: verified.audiences }
    }
    return { authenticated: false, user: {}, error: `invalid bearer token${verified ? `: ${verified.why}` : ''}` }
  }
}

/** OpenID Connect Discovery 1.0: what others need who check the tokens of this cluster themselves. */
export function openid(call: Call, document: 'configuration' | 'keys'): void {
  const { issuer, keys } = tokensOf(call)
  const [value, type] =
    document === 'keys'
      ? [keySet(keys.accepted), 'application/jwk-set+json']
      : [
          {
            issuer,
            jwks_uri: `https://${call.req.headers.host ?? 'localhost'}/openid/v1/jwks`,
            response_types_supported: ['id_token'],
            subject_types_supported: ['public'],
            id_token_signing_alg_values_supported: ['ES256'],
          },
          'application/json',
        ]
  sendText(call, JSON.stringify(value), { code: 200, type })
}
