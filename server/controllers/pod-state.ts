/** What controllers read off a pod's status (core/v1 PodStatus). */
import type { Pod } from '../../api/objects.ts'

const condition = (pod: Pod, type: string) => pod.status?.conditions?.find((c) => c.type === type)

export function isReady(pod: Pod): boolean {
  return condition(pod, 'Ready')?.status === 'True'
}

/** When it became ready, or ceased to be; ms since 1970. */
export function readyChangedAt(pod: Pod): number | undefined {
  const at = condition(pod, 'Ready')?.lastTransitionTime
  return at === undefined ? undefined : Date.parse(at)
}

/** Ready for at least `minReadyMs`. */
export function isAvailable(pod: Pod, minReadyMs: number, now: number): boolean {
  const ready = condition(pod, 'Ready')
  if (ready?.status !== 'True') return false
  return minReadyMs === 0 || (ready.lastTransitionTime !== undefined && Date.parse(ready.lastTransitionTime) + minReadyMs <= now)
}

/** Every container ended for good. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}
