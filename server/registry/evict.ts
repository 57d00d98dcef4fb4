/** Eviction (policy/v1): a deletion that asks the budgets of the pod first. */
import type { Clock } from '../../api/clock.ts'
import { rfc3339 } from '../../api/clock.ts'
import type { KubeObject, Pod, PodDisruptionBudget } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import type { Ref, Store } from '../store/store.ts'
import { budgetsOf, isNoLoss, statusOf, verdictOf } from './budget.ts'
import type { Draft, Registry, RemoveOptions } from './registry.ts'

export interface EvictDeps {
  readonly store: Store
  readonly registry: Registry
  readonly clock: Clock
}

/**
 * Deletes a pod unless one of its budgets would be exceeded.
 * @throws StatusError TooManyRequests, and all that `remove` throws
 */
export async function evict(deps: EvictDeps, ref: Ref, options: RemoveOptions): Promise<void> {
  const { store, registry, clock } = deps
  await store.fresh()
  const pod = store.get(ref) as Pod | undefined
  if (pod && !isNoLoss(pod)) {
    const budgets = budgetsOf(store, pod)
    // Nothing is noted in one where another one refuses.
    for (const budget of budgets) {
      const status = statusOf(store, budget, clock.now())
      if (verdictOf(budget, status, pod) === 'refused') throw refusal(pod, budget, status)
    }
    for (const budget of budgets) await note(deps, pod, budget, options)
  }
  await registry.remove(ref, pod ? { ...options, preconditions: { uid: pod.metadata.uid, ...options.preconditions } } : options)
}

/** Asks again on what the budget is by then, and notes the eviction in it. */
async function note({ store, registry, clock }: EvictDeps, pod: Pod, { metadata }: PodDisruptionBudget, { dryRun = false }: RemoveOptions): Promise<void> {
  const change = (current: KubeObject): Draft => {
    const budget = current as PodDisruptionBudget
    const status = statusOf(store, budget, clock.now())
    const verdict = verdictOf(budget, status, pod)
    if (verdict === 'refused') throw refusal(pod, budget, status)
    const noted =
      verdict === 'free'
        ? status
        : {
            ...status,
            disruptionsAllowed: status.disruptionsAllowed - 1,
            disruptedPods: { ...status.disruptedPods, [pod.metadata.name]: rfc3339(clock.now()) },
          }
    return { ...budget, status: noted }
  }
  const ref: Ref = { resource: 'poddisruptionbudgets.policy', namespace: metadata.namespace!, name: metadata.name }
  await registry.update(ref, change, { subresource: 'status', dryRun }).catch((e: unknown) => {
    if (!(e instanceof StatusError && e.status.reason === 'NotFound')) throw e
  })
}

function refusal({ metadata }: Pod, budget: PodDisruptionBudget, { desiredHealthy, currentHealthy }: NonNullable<PodDisruptionBudget['status']>): StatusError {
  const { name } = budget.metadata
  const message = `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`
  return new StatusError('TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    name: metadata.name,
    kind: 'pods',
    causes: [{ reason: 'DisruptionBudget', field: '', message }],
    retryAfterSeconds: 1,
  })
}
