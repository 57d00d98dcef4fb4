/** The conditions of a Deployment (apps/v1 DeploymentCondition): Available and Progressing, as `kubectl rollout status` reads them. Pure. */
import { rfc3339 } from '../../api/clock.ts'
import type { Deployment, ReplicaSet } from '../../api/objects.ts'

type Condition = NonNullable<NonNullable<Deployment['status']>['conditions']>[number]

export interface Counts {
  readonly replicas: number
  readonly updatedReplicas: number
  readonly availableReplicas: number
}

/**
 * @param counts the status as it will be written; the Deployment still carries the one before
 * @returns the conditions, and after how many ms the deadline may strike
 */
export function conditionsOf(d: Deployment, counts: Counts, fresh: ReplicaSet | undefined, nowMs: number): { conditions: Condition[]; againMs?: number } {
  const wanted = d.spec!.replicas ?? 1
  const now = rfc3339(nowMs)
  const old = (type: string): Condition | undefined => d.status?.conditions?.find((c) => c.type === type)
  const set = (type: string, status: string, reason: string, message: string, touched: boolean): Condition => {
    const before = old(type)
    const same = before?.status === status && before.reason === reason
    return {
      type,
      status,
      reason,
      message,
      lastUpdateTime: same && !touched ? before.lastUpdateTime : now,
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : now,
    }
  }

  const floor = wanted - maxUnavailable(d, wanted)
  const available =
    counts.availableReplicas >= floor
      ? set('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', false)
      : set('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.', false)

  const what = fresh ? `ReplicaSet "${fresh.metadata.name}"` : 'Deployment'
  const complete = counts.updatedReplicas === wanted && counts.replicas === wanted && counts.availableReplicas >= wanted
  const before = d.status
  const moved =
    counts.updatedReplicas !== (before?.updatedReplicas ?? 0) ||
    counts.availableReplicas !== (before?.availableReplicas ?? 0) ||
    counts.replicas !== (before?.replicas ?? 0)
  if (complete) {
    return { conditions: [available, set('Progressing', 'True', 'NewReplicaSetAvailable', `${what} has successfully progressed.`, false)] }
  }
  const deadlineMs = (d.spec!.progressDeadlineSeconds ?? 600) * 1000
  const last = old('Progressing')
  const since = moved || !last?.lastUpdateTime || last.reason === 'NewReplicaSetAvailable' ? nowMs : Date.parse(last.lastUpdateTime)
  const left = since + deadlineMs - nowMs
  if (left <= 0 || (last?.reason === 'ProgressDeadlineExceeded' && !moved)) {
    return { conditions: [available, set('Progressing', 'False', 'ProgressDeadlineExceeded', `${what} has timed out progressing.`, false)] }
  }
  return {
    conditions: [available, set('Progressing', 'True', 'ReplicaSetUpdated', `${what} is progressing.`, moved)],
    againMs: left,
  }
}

function maxUnavailable(d: Deployment, wanted: number): number {
  if (d.spec!.strategy?.type === 'Recreate') return wanted
  const value = d.spec!.strategy?.rollingUpdate?.maxUnavailable ?? '25%'
  return typeof value === 'number' ? value : Math.floor((Number.parseFloat(value) * wanted) / 100)
}
