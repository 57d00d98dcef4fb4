/** What a worker remembers of its own tries: who has to wait for how long, and how often something has failed. */
import type { NodeEvent } from '../../api/frames.ts'
import type { Pod } from '../../api/objects.ts'
import type { Attempts } from './attempts.ts'
import { retryDelay } from './backoff.ts'
import { createCrashLoops } from './crash-loops.ts'
import { awaitingRestart, isOver, killHold, killingHold, networkHold, volumesHold, type Hold } from './decide.ts'
import { failedStart, failedVolumes } from './failures.ts'
import type { Act } from './steps.ts'

/** An event, and the container that it is about if it is about one. */
export type TrialEvent = Pick<NodeEvent, 'type' | 'reason' | 'message'> & { readonly container?: string }

export interface Held {
  readonly holds: ReadonlyMap<string, Hold>
  readonly events: readonly TrialEvent[]
}

export interface Trials {
  /** Who has to wait now, and events about back-offs that have just begun. */
  holds(pod: Pod, attempts: Attempts, now: number): Held
  succeeded(step: Act, now: number): void
  /** @returns what to tell of it */
  failed(step: Act, error: unknown, now: number): readonly TrialEvent[]
  /** When the first SIGTERM was sent. */
  readonly termSince: number | undefined
  /** The pod is to end: nothing that was waited for matters any more. */
  doom(): void
}

export function createTrials(): Trials {
  const crashes = createCrashLoops()
  const held = new Map<string, Hold>()
  const failures = new Map<string, number>()
  const told = new Map<string, number>()
  let termSince: number | undefined
  let doomed = false

  const count = (name: string): number => {
    const n = (failures.get(name) ?? 0) + 1
    failures.set(name, n)
    return n
  }

  function beginnings(holds: ReadonlyMap<string, Hold>, pod: Pod): readonly TrialEvent[] {
    return [...holds].flatMap(([container, { reason, until }]) => {
      if (reason !== 'CrashLoopBackOff' || told.get(container) === until) return []
      told.set(container, until)
      const message = `Back-off restarting failed container ${container} in pod ${pod.metadata.name}`
      return [{ type: 'Warning' as const, reason: 'BackOff', message, container }]
    })
  }

  return {
    holds(pod, attempts, now) {
      for (const [name, hold] of held) if (hold.until <= now) held.delete(name)
      const crashed = doomed || isOver(pod, attempts) ? [] : [...crashes.holds(pod, awaitingRestart(pod, attempts))]
      const holds = new Map([...crashed.filter(([, hold]) => hold.until > now), ...held])
      return { holds, events: beginnings(holds, pod) }
    },
    succeeded(step, now) {
      if (step.kind === 'start') failures.delete(step.container.name)
      if (step.kind === 'raise-network') failures.delete(networkHold)
      if (step.kind === 'provide-volumes') failures.delete(volumesHold)
      if (step.kind !== 'signal') return
      if (step.signal === 'SIGTERM') termSince ??= now
      else held.set(killingHold, killHold(now))
    },
    failed(step, error, now) {
      const message = error instanceof Error ? error.message : String(error)
      if (step.kind === 'raise-network') {
        held.set(networkHold, { until: now + retryDelay(count(networkHold)), reason: 'ContainerCreating', message })
        return [{ type: 'Warning', reason: 'FailedCreatePodSandBox', message: `Failed to create pod sandbox: ${message}` }]
      }
      if (step.kind === 'provide-volumes') {
        const { hold, events } = failedVolumes(error, { failures: count(volumesHold), now })
        held.set(volumesHold, hold)
        return events
      }
      if (step.kind !== 'start') return []
      const { name, image = '' } = step.container
      const { hold, events } = failedStart(error, { image, failures: count(name), now })
      held.set(name, hold)
      return events.map((event) => ({ ...event, container: name }))
    },
    get termSince() {
      return termSince
    },
    doom() {
      doomed = true
      held.clear()
    },
  }
}
