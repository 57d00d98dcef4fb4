/** Checks of rbac.authorization.k8s.io/v1: what a role gives, and to whom. */
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from '../../../api/objects.ts'
import { forbidden, required, unsupported, wrong, type Causes } from '../causes.ts'
import { validateSelector } from './meta.ts'
import { dnsSubdomain, pathSegment } from './names.ts'

/** The API group of roles, which their references carry. */
export const rbacGroup = 'rbac.authorization.k8s.io'

/** The rules of an aggregated role are written by its controller, so they are checked as well. */
export function* validateRole(role: Role | ClusterRole): Causes {
  for (const [i, rule] of (role.rules ?? []).entries()) yield* validateRule(`rules[${i}]`, rule, role.kind === 'Role')
  if (!('aggregationRule' in role) || role.aggregationRule === undefined) return
  const selectors = role.aggregationRule.clusterRoleSelectors ?? []
  if (selectors.length === 0) yield required('aggregationRule.clusterRoleSelectors', 'at least one selector must say what is aggregated')
  for (const [i, selector] of selectors.entries()) yield* validateSelector(`aggregationRule.clusterRoleSelectors[${i}]`, selector)
}

function* validateRule(at: string, rule: PolicyRule, inNamespace: boolean): Causes {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
  if (verbs.length === 0) yield required(`${at}.verbs`, 'verbs must contain at least one value')
  if (nonResourceURLs.length > 0) {
    if (inNamespace) yield wrong(`${at}.nonResourceURLs`, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs')
    if (apiGroups.length + resources.length + resourceNames.length > 0)
      yield wrong(`${at}.nonResourceURLs`, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs')
    return
  }
  if (apiGroups.length === 0) yield required(`${at}.apiGroups`, 'resource rules must supply at least one api group')
  if (resources.length === 0) yield required(`${at}.resources`, 'resource rules must supply at least one resource')
}

export function* validateRoleBinding(binding: RoleBinding | ClusterRoleBinding): Causes {
  const { roleRef, subjects = [] } = binding
  const kinds = binding.kind === 'RoleBinding' ? ['Role', 'ClusterRole'] : ['ClusterRole']
  if (roleRef.apiGroup !== rbacGroup) yield unsupported('roleRef.apiGroup', roleRef.apiGroup, [rbacGroup])
  if (!kinds.includes(roleRef.kind)) yield unsupported('roleRef.kind', roleRef.kind, kinds)
  if (roleRef.name === '') yield required('roleRef.name')
  const problem = roleRef.name && pathSegment(roleRef.name)
  if (problem) yield wrong('roleRef.name', roleRef.name, problem)
  for (const [i, subject] of subjects.entries()) yield* validateSubject(`subjects[${i}]`, subject, binding.kind === 'RoleBinding')
}

function* validateSubject(at: string, subject: NonNullable<RoleBinding['subjects']>[number], inNamespace: boolean): Causes {
  const { kind, name, namespace, apiGroup } = subject
  if (name === '') yield required(`${at}.name`)
  if (kind === 'ServiceAccount') {
    const problem = name && dnsSubdomain(name)
    if (problem) yield wrong(`${at}.name`, name, problem)
    if (apiGroup) yield unsupported(`${at}.apiGroup`, apiGroup, [''])
    if (!inNamespace && !namespace) yield required(`${at}.namespace`, 'a service account belongs to a namespace')
  } else if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== rbacGroup) yield unsupported(`${at}.apiGroup`, apiGroup, [rbacGroup])
    if (namespace) yield forbidden(`${at}.namespace`, 'users and groups belong to no namespace')
  } else yield unsupported(`${at}.kind`, kind, ['ServiceAccount', 'User', 'Group'])
}
