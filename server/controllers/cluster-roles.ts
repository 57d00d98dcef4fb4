/** ClusterRole (rbac.authorization.k8s.io/v1) with an `aggregationRule`: its rules are those of the roles that the rule selects. */
import { isDeepStrictEqual } from 'node:util'
import type { ClusterRole, KubeObject, PolicyRule } from '../../api/objects.ts'
import { matchesSelector } from '../../api/selectors.ts'
import { createController, type Controller, type ControllerDeps } from './controller.ts'

const resource = 'clusterroles.rbac.authorization.k8s.io'

export function createClusterRoleController(deps: ControllerDeps): Controller {
  const { store, registry } = deps
  const roles = (): readonly ClusterRole[] => store.list(resource) as unknown as readonly ClusterRole[]

  return createController(deps, {
    name: 'cluster-roles',
    resources: [resource],
    // A change of any role may concern each that aggregates; there are few of them.
    keys: () => roles().filter((role) => role.aggregationRule).map((role) => role.metadata.name),
    async reconcile(name) {
      const ref = { resource, namespace: '', name } as const
      const role = store.get(ref) as unknown as ClusterRole | undefined
      if (!role?.aggregationRule || role.metadata.deletionTimestamp) return undefined
      const rules = aggregated(role, roles())
      if (isDeepStrictEqual(rules, role.rules ?? [])) return undefined
      await registry.update(ref, (current) => ({ ...(current as KubeObject & { aggregationRule?: unknown }), rules }))
      return undefined
    },
  })
}

/** In the order of the roles' names, each rule once. */
function aggregated(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? []
  const parts = all.filter((r) => r.metadata.name !== role.metadata.name && selectors.some((s) => matchesSelector(s, r.metadata.labels)))
  const rules: PolicyRule[] = []
  for (const rule of parts.flatMap((r) => r.rules ?? [])) if (!rules.some((r) => isDeepStrictEqual(r, rule))) rules.push(rule)
  return rules
}
