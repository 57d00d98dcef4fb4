/**
 * Events on objects, for whoever describes them with kubectl: events.k8s.io/v1, or core/v1 where the server has only that.
 * They are told as far as it goes: a flood is cut off, and an event that cannot be told is dropped.
 */
import type { Clock } from '../../api/clock.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import type { ApiClient } from './kube/client.ts'
import { ApiFailure } from './kube/failure.ts'

export interface ObjectName {
  readonly apiVersion: string
  readonly kind: string
  /** Absent for what is cluster-wide. */
  readonly namespace?: string
  readonly name: string
  readonly uid?: string
}

export interface ProxyEvent {
  readonly type: 'Normal' | 'Warning'
  /** For programs, in CamelCase. */
  readonly reason: string
  /** What was being done: `Listen`. */
  readonly action: string
  readonly note: string
  readonly about: ObjectName
}

export interface EventRecorder {
  tell(event: ProxyEvent): void
}

export interface EventRecorderDeps {
  readonly client: Pick<ApiClient, 'ask'>
  readonly node: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly signal: AbortSignal
}

/** So many at once, and then one each `everyMs`; the same one again not before `againMs`. */
const pace = { burst: 25, everyMs: 10_000, againMs: 10 * 60_000, remembered: 1_000 } as const
const mostNote = 1_024
const deadlineMs = 10_000

export function createEventRecorder({ client, node, clock, random, log, signal }: EventRecorderDeps): EventRecorder {
  const told = new Map<string, number>()
  let tokens: number = pace.burst
  let filledAt = clock.now()
  let api: 'events.k8s.io' | 'core' = 'events.k8s.io'

  const mayTell = (event: ProxyEvent): boolean => {
    const now = clock.now()
    tokens = Math.min(pace.burst, tokens + (now - filledAt) / pace.everyMs)
    filledAt = now
    const id = JSON.stringify([event.reason, event.about, event.note])
    if (now - (told.get(id) ?? -Infinity) < pace.againMs || tokens < 1) return false
    tokens--
    told.delete(id)
    told.set(id, now)
    if (told.size > pace.remembered) told.delete(told.keys().next().value!)
    return true
  }

  const send = async (event: ProxyEvent): Promise<void> => {
    const namespace = event.about.namespace ?? 'default'
    const id = `${event.about.name}.${Math.floor(clock.now()).toString(16)}${Math.floor(random() * 2 ** 32).toString(16)}`
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)])
    const post = (): Promise<unknown> => client.ask({ method: 'POST', ...(api === 'core' ? coreEvent : eventsEvent)({ event, namespace, id, node, now: clock.now() }) }, deadline)
    try {
      await post()
    } catch (e) {
      if (api === 'core' || !(e instanceof ApiFailure) || e.status !== 404) throw e
      api = 'core'
      await post()
    }
  }

  return {
    tell(event) {
      if (!mayTell(event)) return
      send(event).catch((e: unknown) => {
        if (!signal.aborted) log.debug('an event could not be told', { reason: event.reason, ...errorKeys(e) })
      })
    },
  }
}

interface Parts {
  readonly event: ProxyEvent
  readonly namespace: string
  readonly id: string
  readonly node: string
  readonly now: number
}

interface Post {
  readonly path: string
  readonly body: unknown
}

const reporter = 'wherry-proxy'

function eventsEvent({ event, namespace, id, node, now }: Parts): Post {
  const { type, reason, action, note, about } = event
  return {
    path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
    body: {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: id, namespace },
      eventTime: new Date(now).toISOString().replace('Z', '000Z'),
      reportingController: reporter,
      reportingInstance: `${reporter}-${node}`,
      type,
      reason,
      action,
      note: note.slice(0, mostNote),
      regarding: about,
    },
  }
}

function coreEvent({ event, namespace, id, node, now }: Parts): Post {
  const { type, reason, note, about } = event
  const time = `${new Date(now).toISOString().slice(0, 19)}Z`
  return {
    path: `/api/v1/namespaces/${namespace}/events`,
    body: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: id, namespace },
      involvedObject: about,
      type,
      reason,
      message: note.slice(0, mostNote),
      source: { component: reporter, host: node },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    },
  }
}
