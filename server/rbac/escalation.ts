/** Nobody gives what he does not have: the check of what users write into roles and bindings. */
import { isDeepStrictEqual } from 'node:util'
import type { PolicyRule, RoleRef } from '../../api/objects.ts'
import { kindOf, type Resource } from '../../api/resources.ts'
import { notFound, StatusError } from '../../api/status.ts'
import { groups, type User } from '../auth/auth.ts'
import type { Draft } from '../registry/registry.ts'
import type { Ref } from '../store/store.ts'
import type { Authorize } from './authorizer.ts'
import type { Check, Intent } from './guard.ts'
import type { Policy } from './policy.ts'
import { beyond, ruleText, splitResource } from './rules.ts'

export interface EscalationDeps {
  readonly policy: Policy
  readonly authorize: Authorize
}

const roles: readonly Resource[] = ['roles.rbac.authorization.k8s.io', 'clusterroles.rbac.authorization.k8s.io']
const bindings: readonly Resource[] = ['rolebindings.rbac.authorization.k8s.io', 'clusterrolebindings.rbac.authorization.k8s.io']

/** A create or an update. The shape of its draft is checked by nobody yet; what has the wrong one is refused later. */
type Writing = Intent & { readonly draft: Draft }

/** Everything, which only the rule of everything covers. */
const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

/** Refuses with Forbidden and the rules that are missing, with NotFound where the role of a binding is not there. */
export function escalationCheck(deps: EscalationDeps): Check {
  return (user, intent) => {
    const { ref, draft } = intent
    if (!draft || user.groups.includes(groups.admins)) return undefined
    if (roles.includes(ref.resource)) checkRole(deps, user, { ...intent, draft })
    else if (bindings.includes(ref.resource)) checkBinding(deps, user, { ...intent, draft })
    return undefined
  }
}

function checkRole({ policy, authorize }: EscalationDeps, user: User, { ref, draft, current }: Writing): void {
  const before = current as { readonly rules?: unknown; readonly aggregationRule?: unknown } | undefined
  const rules = rulesIn(draft['rules'])
  const aggregates = draft['aggregationRule'] !== undefined && draft['aggregationRule'] !== null
  if (before && isDeepStrictEqual(rulesIn(before.rules), rules) && isDeepStrictEqual(before.aggregationRule, draft['aggregationRule'])) return
  if (authorize(user, { verb: 'escalate', path: '', ...targetOf(ref) }).allowed) return
  const owned = policy.rulesFor(user, ref.namespace).rules
  // What is aggregated tomorrow nobody knows today.
  refuse(user, ref, beyond(owned, aggregates ? everything : rules))
}

function checkBinding({ policy, authorize }: EscalationDeps, user: User, { ref, draft, current }: Writing): void {
  const before = current as { readonly roleRef?: unknown; readonly subjects?: unknown } | undefined
  const role = roleIn(draft['roleRef'])
  if (!role) return
  const same = before && isDeepStrictEqual(roleIn(before.roleRef), role) && isDeepStrictEqual(before.subjects ?? [], draft['subjects'] ?? [])
  if (same) return
  const resource = role.kind === 'Role' ? 'roles.rbac.authorization.k8s.io' : 'clusterroles.rbac.authorization.k8s.io'
  const where = ref.namespace ? { namespace: ref.namespace } : {}
  if (authorize(user, { verb: 'bind', path: '', resource, name: role.name, ...where }).allowed) return
  const rules = policy.rulesOf(role, ref.namespace)
  if (!rules) throw notFound(kindOf(resource), role.name)
  refuse(user, ref, beyond(policy.rulesFor(user, ref.namespace).rules, rules))
}

function targetOf({ resource, namespace, name }: Ref) {
  return { resource, ...(namespace && { namespace }), ...(name && { name }) }
}

function refuse(user: User, { resource, name }: Ref, missing: readonly PolicyRule[]): void {
  if (missing.length === 0) return
  const { plural, group } = splitResource(resource)
  const shown = missing.slice(0, 20).map(ruleText)
  const more = missing.length > shown.length ? `\nand ${missing.length - shown.length} more` : ''
  const who = `user ${JSON.stringify(user.name)} (groups=${JSON.stringify(user.groups)})`
  throw new StatusError(
    'Forbidden',
    `${resource} ${JSON.stringify(name)} is forbidden: ${who} is attempting to grant RBAC permissions not currently held:\n${shown.join('\n')}${more}`,
    { name, group, kind: plural },
  )
}

type Plain = Readonly<Record<string, unknown>>
const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value)
const words = (value: unknown): string[] => (Array.isArray(value) ? value.filter((w) => typeof w === 'string') : [])

function rulesIn(value: unknown): readonly PolicyRule[] {
  if (!Array.isArray(value)) return []
  return value.filter(isPlain).map((rule) => ({
    verbs: words(rule['verbs']),
    apiGroups: words(rule['apiGroups']),
    resources: words(rule['resources']),
    resourceNames: words(rule['resourceNames']),
    nonResourceURLs: words(rule['nonResourceURLs']),
  }))
}

function roleIn(value: unknown): RoleRef | undefined {
  if (!isPlain(value) || typeof value['kind'] !== 'string' || typeof value['name'] !== 'string') return undefined
  return { apiGroup: 'rbac.authorization.k8s.io', kind: value['kind'], name: value['name'] }
}
