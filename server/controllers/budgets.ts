/** PodDisruptionBudget (policy/v1): its status says how many of its pods may go now. Evictions do not wait for it, they count themselves. */
import { keyOf, type KubeObject, type PodDisruptionBudget } from '../../api/objects.ts'
import { matchesSelector } from '../../api/selectors.ts'
import { disruptionMs, statusOf } from '../registry/budget.ts'
import { createController, splitKey, type Controller, type ControllerDeps } from './controller.ts'

const resource = 'poddisruptionbudgets.policy'

export function createBudgetController(deps: ControllerDeps): Controller {
  const { store, registry, clock } = deps
  const budgetsIn = (namespace: string | undefined) => store.list(resource, namespace) as readonly object[] as readonly PodDisruptionBudget[]
  return createController(deps, {
    name: 'budget',
    resources: [resource, 'pods', 'deployments.apps', 'replicasets.apps'],
    keys(change) {
      if (change.resource === resource) return [keyOf(change.object)]
      const budgets = budgetsIn(change.object.metadata.namespace)
      if (change.resource !== 'pods') return budgets.map(keyOf)
      const states = [change.object, change.previous].filter((state) => state !== undefined)
      return budgets.filter(({ spec }) => states.some((state) => matchesSelector(spec?.selector, state.metadata.labels))).map(keyOf)
    },
    async reconcile(key) {
      const ref = { resource, ...splitKey(key) } as const
      if (!store.get(ref)) return undefined
      const change = (current: KubeObject) => ({ ...current, status: statusOf(store, current as PodDisruptionBudget, clock.now()) })
      const { status } = (await registry.update(ref, change, { subresource: 'status' })) as PodDisruptionBudget
      return Object.keys(status?.disruptedPods ?? {}).length > 0 ? disruptionMs : undefined
    },
  })
}
