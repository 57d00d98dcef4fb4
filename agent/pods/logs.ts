/** Answers `kubectl logs` (pods/log of the Kubernetes API) from the files that the containers' loggers write. */
import { sleep, type Clock } from '../../api/clock.ts'
import type { NodeCall } from '../../api/frames.ts'
import type { Pod } from '../../api/objects.ts'
import { identityOf } from './attempts.ts'
import { PodError } from './error.ts'
import { createLogFilter } from './log-filter.ts'
import { openLog } from './log-reader.ts'
import type { PodFiles } from './pod-files.ts'

export type LogCall = Extract<NodeCall, { readonly method: 'logs' }>

export interface LogsOptions {
  readonly files: PodFiles
  readonly clock: Clock
  /** The newest pod of that name on this node, and what its worker knows. */
  find(namespace: string, name: string): LoggedPod | undefined
}

export interface LoggedPod {
  readonly pod: Pod
  hasEnded(container: string, attempt: number): boolean
  waitsFor(container: string): string | undefined
}

/** How often a followed file is looked at. Milliseconds. */
const followMs = 200

/**
 * The bytes of a log as they come; ends at its end, or with the container where it is followed, or when the signal aborts.
 * @throws PodError CONTAINER_UNKNOWN where there is no such pod, container or log; CONTAINER_CONFIG for a bad time
 */
export async function* readLogs(call: LogCall, options: LogsOptions, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const found = options.find(call.namespace, call.pod)
  if (!found) throw new PodError('CONTAINER_UNKNOWN', `pod "${call.namespace}/${call.pod}" is not on this node`)
  if (call.sinceTime !== undefined && Number.isNaN(Date.parse(call.sinceTime))) {
    throw new PodError('CONTAINER_CONFIG', `sinceTime: ${call.sinceTime} is not a time; write it like 2026-01-01T00:00:00Z`)
  }
  const container = containerOf(found.pod, call.container)
  const attempt = attemptOf(call, found, container, options.files)
  const log = openLog(options.files.logPath(identityOf(found.pod), container, attempt))
  try {
    const filter = createLogFilter(call)
    let ended = found.hasEnded(container, attempt)
    const begin = filter.begin(log.read())
    if (begin.length > 0) yield begin
    while (call.follow && !ended && !filter.full) {
      await sleep(options.clock, followMs, signal).catch(() => {})
      if (signal.aborted) return
      // Asked before the file is read: what was written before the end is read then.
      ended = found.hasEnded(container, attempt)
      const more = filter.more(log.read())
      if (more.length > 0) yield more
    }
  } finally {
    log.close()
  }
}

function containerOf(pod: Pod, name: string): string {
  const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].map((c) => c.name)
  const chosen = name === '' && all.length === 1 ? all[0]! : name
  if (all.includes(chosen)) return chosen
  throw new PodError('CONTAINER_UNKNOWN', `container "${name}" is not in pod "${pod.metadata.name}"; it has: ${all.join(', ')}`)
}

function attemptOf(call: LogCall, found: LoggedPod, container: string, files: PodFiles): number {
  const logged = files.loggedAttempts(identityOf(found.pod), container)
  const attempt = logged[call.previous ? 1 : 0]
  if (attempt !== undefined) return attempt
  const where = `container "${container}" in pod "${call.pod}"`
  if (call.previous) throw new PodError('CONTAINER_UNKNOWN', `previous terminated ${where} not found`)
  const waits = found.waitsFor(container)
  throw new PodError('CONTAINER_UNKNOWN', `${where} is waiting to start${waits ? `: ${waits}` : ''}`)
}
