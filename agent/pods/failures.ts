/** What a failed start means for a container: how long it waits, and what its status and the events say. Pure. */
import { isWherryError } from '../../api/errors.ts'
import type { NodeEvent } from '../../api/frames.ts'
import { retryDelay, waitDelay } from './backoff.ts'
import type { Hold } from './decide.ts'

export interface FailedStart {
  readonly hold: Hold
  readonly events: readonly Pick<NodeEvent, 'type' | 'reason' | 'message'>[]
}

/**
 * @param of the container's image, how often in a row it has failed (this one counts), and now in ms since 1970
 */
export function failedStart(
  error: unknown,
  of: { readonly image: string; readonly failures: number; readonly now: number },
): FailedStart {
  const message = error instanceof Error ? error.message : String(error)
  const until = of.now + (isAwaited(error) ? waitDelay : retryDelay)(of.failures)
  const failed = (text: string): FailedStart['events'][number] => ({ type: 'Warning', reason: 'Failed', message: text })
  if (isWherryError(error, 'IMAGE_PULL')) {
    const again = of.failures > 1
    const backingOff = `Back-off pulling image "${of.image}"`
    return {
      hold: again
        ? { until, reason: 'ImagePullBackOff', message: `${backingOff}: ${message}` }
        : { until, reason: 'ErrImagePull', message },
      events: [
        failed(`Failed to pull image "${of.image}": ${message}`),
        ...(again ? [{ type: 'Normal' as const, reason: 'BackOff', message: backingOff }] : []),
      ],
    }
  }
  return { hold: { until, reason: reasonOf(error), message }, events: [failed(`Error: ${message}`)] }
}

/** Whether an object is missing, or nobody gives it: that passes, and a try costs little. */
const isAwaited = (error: unknown): boolean => (['OBJECT_ABSENT', 'LINK_LOST', 'LINK_REFUSED'] as const).some((code) => isWherryError(error, code))

/** What a failure to make a pod's volumes means. */
export function failedVolumes(error: unknown, of: { readonly failures: number; readonly now: number }): FailedStart {
  const message = error instanceof Error ? error.message : String(error)
  return {
    hold: { until: of.now + waitDelay(of.failures), reason: 'ContainerCreating', message },
    events: [{ type: 'Warning', reason: 'FailedMount', message }],
  }
}

function reasonOf(error: unknown): string {
  if (isWherryError(error, 'CONTAINER_CONFIG') || isAwaited(error)) return 'CreateContainerConfigError'
  if (isWherryError(error, 'IMAGE_ABSENT')) return 'ErrImageNeverPull'
  return 'RunContainerError'
}
