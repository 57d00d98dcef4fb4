/** The columns of pods; STATUS sums up what is going on with the containers in one word. */
import type { ContainerStatus, Pod } from '../../../api/objects.ts'
import { ageColumn, joined, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'
import { ageText } from './age.ts'

type InitContainer = NonNullable<NonNullable<Pod['spec']>['initContainers']>[number]

/** e.g. `Running`, `ContainerCreating`, `Init:1/2`, `CrashLoopBackOff`, `Completed`, `Terminating`. */
export function podStatusText(pod: Pod): string {
  const phase = pod.status?.reason || pod.status?.phase || 'Pending'
  const deleting = pod.metadata.deletionTimestamp !== undefined && pod.metadata.deletionTimestamp !== null
  const gone = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
  if (deleting && pod.status?.reason === 'NodeLost') return 'Unknown'
  if (deleting && !gone) return 'Terminating'
  return initText(pod) ?? containersText(pod, gatedText(pod) ?? phase)
}

function gatedText(pod: Pod): string | undefined {
  const scheduled = pod.status?.conditions?.find((c) => c.type === 'PodScheduled')
  return scheduled?.reason === 'SchedulingGated' ? 'SchedulingGated' : undefined
}

/** What holds the pod up before its containers start, or undefined once all init containers have done their part. */
function initText(pod: Pod): string | undefined {
  const specs = pod.spec?.initContainers ?? []
  const specOf = new Map<string, InitContainer>(specs.map((c) => [c.name, c]))
  for (const [at, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const { terminated, waiting } = status.state ?? {}
    if (terminated?.exitCode === 0) continue
    const sidecar = specOf.get(status.name)?.restartPolicy === 'Always'
    if (sidecar && status.started === true) continue
    if (terminated) return `Init:${endText(terminated)}`
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`
    return `Init:${at}/${specs.length}`
  }
  return undefined
}

function containersText(pod: Pod, fallback: string): string {
  let text = fallback
  let running = false
  // The first container speaks last, so that its trouble is the one that is shown.
  for (const { state, ready } of (pod.status?.containerStatuses ?? []).toReversed()) {
    if (state?.waiting?.reason) text = state.waiting.reason
    else if (state?.terminated) text = endText(state.terminated)
    else if (state?.running && ready) running = true
  }
  if (text !== 'Completed' || !running) return text
  return isReady(pod) ? 'Running' : 'NotReady'
}

type Terminated = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>

function endText(end: Terminated): string {
  return end.reason || (end.signal ? `Signal:${end.signal}` : `ExitCode:${end.exitCode}`)
}

function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false
}

/** Containers that live as long as the pod: the ordinary ones, and init containers that are restarted always. */
function lasting(pod: Pod): readonly ContainerStatus[] {
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name))
  const inits = (pod.status?.initContainerStatuses ?? []).filter((s) => sidecars.has(s.name))
  return [...inits, ...(pod.status?.containerStatuses ?? [])]
}

function readyText(pod: Pod): string {
  const sidecars = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').length
  const ready = lasting(pod).filter((s) => s.ready && s.state?.running).length
  return `${ready}/${(pod.spec?.containers.length ?? 0) + sidecars}`
}

/** e.g. `0`, or `3 (2m ago)` with the time since the last end of a container. */
function restartsText(pod: Pod, now: number): string {
  const initializing = initText(pod) !== undefined
  const statuses = initializing ? (pod.status?.initContainerStatuses ?? []) : lasting(pod)
  const restarts = statuses.reduce((sum, s) => sum + s.restartCount, 0)
  const last = statuses.map((s) => s.lastState?.terminated?.finishedAt ?? '').reduce((a, b) => (a > b ? a : b), '')
  return restarts > 0 && last !== '' ? `${restarts} (${ageText(last, now)} ago)` : `${restarts}`
}

function gatesText(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? []
  if (gates.length === 0) return '<none>'
  const met = gates.filter((gate) => pod.status?.conditions?.some((c) => c.type === gate.conditionType && c.status === 'True'))
  return `${met.length}/${gates.length}`
}

export const podColumns: readonly Column<Pod>[] = [
  nameColumn,
  { name: 'Ready', description: 'Containers that are ready, of all containers.', cell: readyText },
  { name: 'Status', description: 'The pod in one word.', cell: podStatusText },
  { name: 'Restarts', description: 'How often containers were restarted, and when last.', cell: restartsText },
  ageColumn,
  { name: 'IP', priority: 1, description: 'Address of the pod.', cell: (pod) => joined([pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP]) },
  { name: 'Node', priority: 1, description: 'Node that the pod runs on.', cell: (pod) => joined([pod.spec?.nodeName]) },
  {
    name: 'Nominated Node',
    priority: 1,
    description: 'Node that is being cleared for the pod.',
    cell: (pod) => joined([pod.status?.nominatedNodeName]),
  },
  { name: 'Readiness Gates', priority: 1, description: 'Readiness gates that are met, of all.', cell: gatesText },
]
