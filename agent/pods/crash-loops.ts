/** Remembers how often in a row each container of a pod has ended, and holds it back accordingly. */
import type { Pod } from '../../api/objects.ts'
import type { Attempt } from './attempts.ts'
import { nextEnds, restartDelay } from './backoff.ts'
import type { Hold } from './decide.ts'

export interface CrashLoops {
  /** @param ended newest attempts that have ended and are to be followed by another. Absent where the restart may come now. */
  holds(pod: Pod, ended: readonly Attempt[]): ReadonlyMap<string, Hold>
}

export function createCrashLoops(): CrashLoops {
  const seen = new Map<string, { readonly attempt: number; readonly ends: number }>()

  function endsOf(attempt: Attempt, ranMs: number): number {
    const last = seen.get(attempt.container)
    if (last?.attempt === attempt.attempt) return last.ends
    // What an agent that is new here cannot know: it supposes that the restarts before came one upon the other.
    const ends = nextEnds(last?.ends ?? attempt.attempt, ranMs)
    seen.set(attempt.container, { attempt: attempt.attempt, ends })
    return ends
  }

  return {
    holds(pod, ended) {
      const holds = new Map<string, Hold>()
      for (const attempt of ended) {
        const { state, container } = attempt
        if (state.phase !== 'exited') continue
        const began = Date.parse(state.createdAt ?? '') || 0
        const end = Date.parse(state.finishedAt ?? '') || began
        const delay = restartDelay(endsOf(attempt, end - began))
        if (delay === 0) continue
        const { name, namespace, uid } = pod.metadata
        const message = `back-off ${delay / 1000}s restarting failed container=${container} pod=${name}_${namespace}(${uid})`
        holds.set(container, { until: end + delay, reason: 'CrashLoopBackOff', message })
      }
      return holds
    },
  }
}
