/** Tells the hub of one pod: its status when it has changed, its events, its end. */
import type { NodeEvent, NodeReport } from '../../api/frames.ts'
import { keyOf, type Pod, type PodStatus } from '../../api/objects.ts'
import { isOver, type PodSight } from './decide.ts'
import { podStatus } from './status.ts'
import type { TrialEvent } from './trials.ts'

export interface Teller {
  status(sight: PodSight, at: { readonly hostIPs: readonly string[]; readonly podIPs: readonly string[] }): void
  event(pod: Pod, event: Pick<NodeEvent, 'type' | 'reason' | 'message'>, fieldPath?: string): void
  events(pod: Pod, events: readonly TrialEvent[]): void
  gone(pod: Pod): void
  /** The next status is told even if it has not changed. */
  repeat(): void
  /** The status told last. */
  readonly last: PodStatus | undefined
}

export function createTeller(report: (report: NodeReport) => void): Teller {
  let last: PodStatus | undefined
  let text = ''

  const event: Teller['event'] = (pod, part, fieldPath) => {
    const { namespace, name, uid } = pod.metadata
    report({ kind: 'event', event: { ...part, about: { kind: 'Pod', namespace, name, uid, ...(fieldPath && { fieldPath }) } } })
  }

  return {
    event,
    events(pod, events) {
      for (const { container, ...one } of events) event(pod, one, container && containerField(pod, container))
    },
    status(sight, at) {
      const { pod, attempts } = sight
      // Of a pod that has ended and whose containers are gone nothing better is known than what was told before.
      if (isOver(pod, new Map()) && attempts.size === 0) return
      const before = last ?? pod.status
      const status = podStatus({ ...sight, ...at, ...(before && { before }) })
      const now = JSON.stringify(status)
      if (now === text) return
      last = status
      text = now
      report({ kind: 'pod', key: keyOf(pod), uid: pod.metadata.uid, status })
    },
    gone: (pod) => report({ kind: 'podGone', key: keyOf(pod), uid: pod.metadata.uid }),
    repeat: () => void (text = ''),
    get last() {
      return last
    },
  }
}

/** Tells nothing: for a pod that nobody wishes and of which only labels are known. */
export const silentTeller: Teller = {
  status: () => {},
  event: () => {},
  events: () => {},
  gone: () => {},
  repeat: () => {},
  last: undefined,
}

/** The field path by which events point to a container, e.g. `spec.containers{web}`. */
export function containerField(pod: Pod, container: string): string {
  const init = pod.spec?.initContainers?.some((c) => c.name === container)
  return `spec.${init ? 'initContainers' : 'containers'}{${container}}`
}
