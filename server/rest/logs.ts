/** GET pods/NAME/log: what a container wrote, from the node that it runs on. */
import type { NodeCall } from '../../api/frames.ts'
import type { ContainerStatus, Pod } from '../../api/objects.ts'
import { rfc3339 } from '../../api/clock.ts'
import { badRequest } from '../../api/status.ts'
import type { Call } from './call.ts'
import { flag, integer } from './query.ts'
import { settle, stored } from './read.ts'
import type { ResourceTarget } from './target.ts'

type LogsCall = Extract<NodeCall, { method: 'logs' }>

/** A client that follows a silent container gets the head of its answer after this time. */
const headMs = 500

/**
 * The container that is meant: the named one, or the only one.
 * @throws StatusError BadRequest
 */
export function containerOf(pod: Pod, asked: string | null): string {
  const name = pod.metadata.name
  const inits = (pod.spec?.initContainers ?? []).map((c) => c.name)
  const all = (pod.spec?.containers ?? []).map((c) => c.name)
  if (asked) {
    if ([...all, ...inits].includes(asked)) return asked
    throw badRequest(`container ${asked} is not valid for pod ${name}`)
  }
  const [only, ...more] = all
  if (only !== undefined && more.length === 0) return only
  const or = inits.length > 0 ? ` or one of the init containers: [${inits.join(' ')}]` : ''
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${all.join(' ')}]${or}`)
}

/**
 * Refuses what there can be no log of.
 * @throws StatusError BadRequest
 */
export function checkStarted(pod: Pod, container: string, previous: boolean): void {
  const name = pod.metadata.name
  const status = statusOf(pod, container)
  if (previous) {
    if (status?.lastState?.terminated) return
    throw badRequest(`previous terminated container "${container}" in pod "${name}" not found`)
  }
  if (status?.state?.running || status?.state?.terminated || status?.lastState?.terminated) return
  const fallback = pod.spec?.initContainers?.length ? 'PodInitializing' : 'ContainerCreating'
  throw badRequest(`container "${container}" in pod "${name}" is waiting to start: ${status?.state?.waiting?.reason ?? fallback}`)
}

function statusOf({ status }: Pod, container: string): ContainerStatus | undefined {
  return [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find((s) => s.name === container)
}

/** The query's part of the call. `now` is ms since 1970. @throws StatusError BadRequest */
export function logOptions(query: URLSearchParams, now: number): Omit<LogsCall, 'method' | 'namespace' | 'pod' | 'container'> {
  const tailLines = integer(query, 'tailLines')
  const limitBytes = integer(query, 'limitBytes', 1)
  const seconds = integer(query, 'sinceSeconds', 1)
  const time = query.get('sinceTime')
  if (seconds !== undefined && time) throw badRequest('at most one of `sinceTime` or `sinceSeconds` may be specified')
  if (time && Number.isNaN(Date.parse(time))) throw badRequest(`query parameter sinceTime must be an RFC 3339 time, not ${JSON.stringify(time)}`)
  const sinceTime = seconds === undefined ? time : rfc3339(now - seconds * 1000)
  return {
    follow: flag(query, 'follow'),
    previous: flag(query, 'previous'),
    timestamps: flag(query, 'timestamps'),
    ...(tailLines !== undefined && { tailLines }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(sinceTime && { sinceTime }),
  }
}

export async function logs(call: Call, target: ResourceTarget): Promise<void> {
  const { deps, query, signal } = call
  const options = logOptions(query, deps.clock.now())
  await settle(call)
  const pod = stored(call, target) as Pod
  const container = containerOf(pod, query.get('container'))
  if (!pod.spec?.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`)
  checkStarted(pod, container, options.previous)
  const asked: LogsCall = { method: 'logs', namespace: target.namespace, pod: target.name, container, ...options }
  await sendStream(call, deps.sessions.call(pod.spec.nodeName, asked, signal))
}

/** Sends bytes as they come. A failure before the first ones is still answered with a Status. */
export async function sendStream(call: Call, bytes: AsyncIterable<Uint8Array>, type = 'text/plain'): Promise<void> {
  const { res, deps, signal } = call
  res.statusCode = 200
  res.setHeader('Content-Type', type)
  res.setHeader('Cache-Control', 'no-cache, private')
  const cancel = deps.clock.after(headMs, () => res.flushHeaders())
  try {
    for await (const chunk of bytes) {
      if (signal.aborted) return
      if (!res.write(chunk)) await takes(call)
    }
    res.end()
  } finally {
    cancel()
  }
}

/** Resolves when the client has taken what was written, or is gone. */
function takes({ res, signal }: Call): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    res.once('drain', done)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
