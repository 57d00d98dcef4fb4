/** Questions about users and what they may do (authorization.k8s.io/v1, authentication.k8s.io/v1): answered, and kept nowhere. */
import { rfc3339 } from '../../api/clock.ts'
import { apiVersionOf } from '../../api/resources.ts'
import { invalid } from '../../api/status.ts'
import { required, wrong } from '../admit/causes.ts'
import type { User, Wish } from '../auth/auth.ts'
import { negotiate } from './accept.ts'
import { asObject, readBody } from './body.ts'
import type { Call } from './call.ts'
import { kindInData, metadataOf } from './draft.ts'
import { createFields } from './fields.ts'
import type { Fields } from './fields.ts'
import { dryRun } from './query.ts'
import { sendValue } from './reply.ts'
import type { Target } from './target.ts'
import { tokenReview } from './token.ts'

type JsonMap = { readonly [field: string]: unknown }
type ReviewTarget = Extract<Target, { readonly kind: 'review' }>

/** POST on a collection of questions. */
export async function review(call: Call, target: ReviewTarget): Promise<void> {
  const { media } = negotiate(call.req.headers.accept)
  dryRun(call.query.getAll('dryRun'))
  const { of } = target
  const body = asObject(await readBody(call.req), `a ${of.kind}`)
  kindInData(of, body)
  const metadata = { ...metadataOf(body), creationTimestamp: null }
  const fields = createFields()
  const spec = fields.map('spec', body.spec) ?? {}
  const answer = answerTo(call, target, { spec, fields })
  if (fields.causes.length > 0) throw invalid(of, '', fields.causes)
  sendValue(call, { kind: of.kind, apiVersion: apiVersionOf(of), metadata, ...answer() }, { code: 201, media })
}

interface Question {
  readonly spec: JsonMap
  readonly fields: Fields
}

/** @returns how to answer, once the question turned out to be in order */
function answerTo(call: Call, { of, namespace }: ReviewTarget, { spec, fields }: Question): () => JsonMap {
  const { user, deps } = call
  switch (of.kind) {
    case 'SelfSubjectReview':
      return () => ({ metadata: { creationTimestamp: rfc3339(deps.clock.now()) }, status: { userInfo: userInfo(user) } })
    case 'TokenReview': {
      const status = tokenReview(call, spec, fields)
      return () => ({ spec, status: status() })
    }
    case 'SelfSubjectRulesReview': {
      const where = fields.text('spec.namespace', spec.namespace)
      if (where === '') fields.causes.push(required('spec.namespace', 'rules are asked for in one namespace'))
      return () => ({ spec, status: rulesFor(call, where) })
    }
    case 'SelfSubjectAccessReview': {
      const wish = wishIn(spec, fields)
      return () => ({ spec, status: access(call, user, wish) })
    }
    default: {
      const wish = wishIn(spec, fields)
      const about = userIn(spec, fields)
      if (of.namespaced && wish.resource === undefined) fields.causes.push(wrong('spec.nonResourceAttributes', spec.nonResourceAttributes, 'a question in a namespace is about a resource'))
      if (of.namespaced && wish.namespace !== namespace)
        fields.causes.push(wrong('spec.resourceAttributes.namespace', wish.namespace ?? '', `must match the namespace of the request, ${namespace}`))
      return () => ({ spec, status: access(call, about, wish) })
    }
  }
}

function access({ deps }: Call, user: User, wish: Wish): JsonMap {
  const { allowed, why } = deps.authorize(user, wish)
  return { allowed, ...(why !== '' && { reason: why }) }
}

function rulesFor({ deps, user }: Call, namespace: string): JsonMap {
  const { rules, missing } = deps.policy?.rulesFor(user, namespace) ?? { rules: [], missing: ['the hub keeps no roles'] }
  return {
    resourceRules: rules.filter((r) => r.resources?.length).map(({ verbs, apiGroups, resources, resourceNames }) => ({ verbs, apiGroups, resources, ...(resourceNames && { resourceNames }) })),
    nonResourceRules: rules.filter((r) => r.nonResourceURLs?.length).map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: missing.length > 0,
    ...(missing.length > 0 && { evaluationError: missing.join('; ') }),
  }
}

/** authentication/v1 UserInfo. */
export function userInfo({ name, groups, uid, extra }: User): JsonMap {
  return { username: name, ...(uid && { uid }), groups, ...(extra && { extra }) }
}

/** What `spec` asks about: a resource or a path, exactly one of them. */
function wishIn(spec: JsonMap, fields: Fields): Wish {
  const resource = fields.map('spec.resourceAttributes', spec.resourceAttributes)
  const other = fields.map('spec.nonResourceAttributes', spec.nonResourceAttributes)
  if ((resource === undefined) === (other === undefined))
    fields.causes.push(wrong('spec.resourceAttributes', spec.resourceAttributes ?? null, 'exactly one of resourceAttributes and nonResourceAttributes must be given'))
  if (other) {
    const text = (field: string): string => fields.text(`spec.nonResourceAttributes.${field}`, other[field])
    return { verb: text('verb'), path: text('path') }
  }
  const text = (field: string): string => fields.text(`spec.resourceAttributes.${field}`, resource?.[field])
  const [plural, group, subresource, namespace, name] = ['resource', 'group', 'subresource', 'namespace', 'name'].map(text)
  return {
    verb: text('verb'),
    path: '',
    resource: group ? `${plural}.${group}` : plural!,
    ...(subresource && { subresource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
  }
}

function userIn(spec: JsonMap, fields: Fields): User {
  const name = fields.text('spec.user', spec.user)
  const groups = fields.texts('spec.groups', spec.groups)
  if (name === '' && groups.length === 0) fields.causes.push(wrong('spec.user', name, 'at least one of user and groups must be given'))
  const uid = fields.text('spec.uid', spec.uid)
  const extra = Object.entries(fields.map('spec.extra', spec.extra) ?? {}).map(([key, value]) => [key, fields.texts(`spec.extra[${key}]`, value)] as const)
  return { name, groups, ...(uid && { uid }), ...(extra.length > 0 && { extra: Object.fromEntries(extra) }) }
}
