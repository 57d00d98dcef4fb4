/**
 * How many pods of a PodDisruptionBudget (policy/v1) may go now. Pure, but that it reads the store. An eviction is noted in the
 * budget's status before its pod goes, so that no two of them, on whichever hubs, count on the same pod.
 */
import { rfc3339 } from '../../api/clock.ts'
import type { Deployment, KubeObject, Pod, PodDisruptionBudget } from '../../api/objects.ts'
import { kindByType } from '../../api/resources.ts'
import { matchesSelector } from '../../api/selectors.ts'
import type { Store } from '../store/store.ts'

type Status = NonNullable<PodDisruptionBudget['status']> & Readonly<Record<'currentHealthy' | 'desiredHealthy' | 'disruptionsAllowed' | 'expectedPods', number>>
type Reads = Pick<Store, 'get' | 'list'>

/** So long an eviction that was allowed is taken to be under way. */
export const disruptionMs = 120_000

const ready = ({ status }: Pod): boolean => status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false
const finished = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed'

/** Whether a pod's eviction takes nothing away: it is not yet, or no more. */
export const isNoLoss = (pod: Pod): boolean => finished(pod) || pod.status?.phase === 'Pending' || pod.metadata.deletionTimestamp !== undefined

/** The budgets that count a pod. */
export function budgetsOf(store: Reads, { metadata }: Pod): readonly PodDisruptionBudget[] {
  const all = store.list('poddisruptionbudgets.policy', metadata.namespace) as readonly object[] as readonly PodDisruptionBudget[]
  return all.filter((budget) => matchesSelector(budget.spec?.selector, metadata.labels))
}

/** The status of a budget as it is now. @param now ms since 1970 */
export function statusOf(store: Reads, budget: PodDisruptionBudget, now: number): Status {
  const { metadata, spec = {}, status } = budget
  const pods = (store.list('pods', metadata.namespace) as Pod[]).filter((pod) => !finished(pod) && matchesSelector(spec.selector, pod.metadata.labels))
  const disrupted = Object.entries(status?.disruptedPods ?? {}).filter(([name, since]) => {
    const pod = pods.find((p) => p.metadata.name === name)
    return pod && !pod.metadata.deletionTimestamp && Date.parse(since) + disruptionMs > now
  })
  const going = new Set(disrupted.map(([name]) => name))
  const currentHealthy = pods.filter((pod) => ready(pod) && !pod.metadata.deletionTimestamp && !going.has(pod.metadata.name)).length
  const counts = countsOf(store, spec, pods)
  const { expectedPods, desiredHealthy } = counts ?? { expectedPods: pods.length, desiredHealthy: pods.length }
  const disruptionsAllowed = counts && expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0
  const { generation } = metadata
  return {
    ...status,
    currentHealthy,
    desiredHealthy,
    disruptionsAllowed,
    expectedPods,
    ...(generation !== undefined && { observedGeneration: generation }),
    disruptedPods: Object.fromEntries(disrupted),
    conditions: [conditionOf(budget, counts ? disruptionsAllowed : undefined, now)],
  }
}

/** @param allowed undefined where it cannot be said */
function conditionOf({ metadata, status }: PodDisruptionBudget, allowed: number | undefined, now: number) {
  const state = allowed ? 'True' : 'False'
  const reason = allowed === undefined ? 'SyncFailed' : allowed > 0 ? 'SufficientPods' : 'InsufficientPods'
  const old = status?.conditions?.find((c) => c.type === 'DisruptionAllowed')
  return {
    type: 'DisruptionAllowed',
    status: state,
    reason,
    message: allowed === undefined ? 'a pod has no controller that says how many there should be' : '',
    lastTransitionTime: old?.status === state ? old.lastTransitionTime : rfc3339(now),
    ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
  }
}

interface Counts {
  readonly expectedPods: number
  readonly desiredHealthy: number
}

/** How many there should be, and how many of them must stay; undefined where nobody says how many there should be. */
function countsOf(store: Reads, { minAvailable, maxUnavailable }: NonNullable<PodDisruptionBudget['spec']>, pods: readonly Pod[]): Counts | undefined {
  if (typeof minAvailable === 'number') return { expectedPods: pods.length, desiredHealthy: minAvailable }
  const expectedPods = scaleOf(store, pods)
  if (expectedPods === undefined) return undefined
  if (minAvailable !== undefined) return { expectedPods, desiredHealthy: shareOf(minAvailable, expectedPods) }
  return { expectedPods, desiredHealthy: Math.max(0, expectedPods - shareOf(maxUnavailable ?? expectedPods, expectedPods)) }
}

/** A share in percent is rounded up. */
const shareOf = (amount: number | string, of: number): number => (typeof amount === 'number' ? amount : Math.ceil((Number.parseInt(amount, 10) * of) / 100))

/** What the controllers of pods wish for, all together. */
function scaleOf(store: Reads, pods: readonly Pod[]): number | undefined {
  const wishes = new Map<string, number>()
  for (const pod of pods) {
    const controller = controllerOf(store, pod as KubeObject)
    const above = controller && (controllerOf(store, controller) ?? controller)
    const replicas = (above as Deployment | undefined)?.spec?.replicas
    if (!above || typeof replicas !== 'number') return undefined
    wishes.set(above.metadata.uid, replicas)
  }
  return [...wishes.values()].reduce((a, b) => a + b, 0)
}

function controllerOf(store: Reads, { metadata }: KubeObject): KubeObject | undefined {
  const owner = metadata.ownerReferences?.find((o) => o.controller)
  const kind = owner && kindByType(owner.apiVersion, owner.kind)
  const found = kind?.namespaced ? store.get({ resource: kind.resource, namespace: metadata.namespace ?? '', name: owner!.name }) : undefined
  return found?.metadata.uid === owner?.uid ? found : undefined
}

/** Whether a budget lets this pod go, and whether that uses some of what it allows. */
export function verdictOf({ spec }: PodDisruptionBudget, status: Status, pod: Pod): 'free' | 'counted' | 'refused' {
  if (!ready(pod)) {
    if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return 'free'
    if (status.currentHealthy >= status.desiredHealthy && status.desiredHealthy > 0) return 'free'
  }
  return status.disruptionsAllowed > 0 ? 'counted' : 'refused'
}
