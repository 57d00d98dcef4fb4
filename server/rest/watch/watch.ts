/**
 * The life of one watch. It follows the store by revision; a reader that does not keep up is not buffered for: the
 * watch pauses at a bound and goes on from the revision it reached, and a reader that stands still is cut off.
 */
import { isWherryError } from '../../../api/errors.ts'
import type { KubeObject } from '../../../api/objects.ts'
import { StatusError, expired } from '../../../api/status.ts'
import { definitions } from '../../custom/kinds.ts'
import type { Change } from '../../store/store.ts'
import { negotiate } from '../accept.ts'
import type { Call } from '../call.ts'
import { filterOf } from '../filter.ts'
import type { Filter } from '../filter.ts'
import { flag, integer, revision } from '../query.ts'
import { includeObject, reach } from '../read.ts'
import type { ResourceTarget } from '../target.ts'
import { createEventEncoder } from './encode.ts'
import type { EventEncoder, EventTexts } from './encode.ts'
import { eventOf } from './event.ts'
import type { Sink } from './sink.ts'

/** Bytes that may wait for a reader before its watch pauses. */
export const pauseBytes = 8 * 1024 * 1024
/** How long a paused reader has to take what waits for it. */
export const stallMs = 30_000
/** The time between bookmarks. */
export const bookmarkMs = 60_000
/** How long a watch lasts whose client sets no `timeoutSeconds`. */
export const lifeMs = 3_600_000

/** What a watch request asks for. */
interface Wish {
  readonly target: ResourceTarget
  readonly filter: Filter
  readonly encoder: EventEncoder
  /** The last revision that the client knows; undefined if it is to be told of all objects first. */
  readonly from: number | undefined
  readonly bookmarks: boolean
  /** Whether a bookmark marks the end of the initial events. */
  readonly initialEnd: boolean
  /** ms */
  readonly life: number
}

/** Reads the request, waits for the revision it starts from. @throws StatusError for a request that cannot be met */
export async function prepareWatch(call: Call, target: ResourceTarget, texts: EventTexts): Promise<(sink: Sink) => Promise<void>> {
  const { query, deps } = call
  const { form } = negotiate(call.req.headers.accept)
  const filter = filterOf(query, target)
  const now = (): number => deps.clock.now()
  const encoder = createEventEncoder(texts, { of: target.of, form, include: includeObject(query), now })
  const bookmarks = flag(query, 'allowWatchBookmarks')
  const seconds = integer(query, 'timeoutSeconds')
  const initial = initialEvents(query)
  const known = revision(query.get('resourceVersion') ?? '')
  await deps.store.fresh(call.signal)
  if (known !== undefined) await reach(call, known)
  const everything = initial ?? known === undefined
  const from = everything ? undefined : (known ?? deps.store.revision)
  const wish = { target, filter, encoder, from, bookmarks, initialEnd: bookmarks && initial === true, life: seconds ? seconds * 1000 : lifeMs }
  return (sink) => follow(call, wish, sink)
}

/** `sendInitialEvents` (KEP-3157), undefined where it is absent. */
function initialEvents(query: URLSearchParams): boolean | undefined {
  const match = query.get('resourceVersionMatch') ?? ''
  const given = query.has('sendInitialEvents')
  if (given !== (match !== '') || (given && match !== 'NotOlderThan')) {
    const message = 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, and a watch has the one only with the other'
    throw new StatusError('Invalid', `ListOptions "" is invalid: resourceVersionMatch: Forbidden: ${message}`)
  }
  return given ? flag(query, 'sendInitialEvents') : undefined
}

async function follow(call: Call, wish: Wish, sink: Sink): Promise<void> {
  const { clock, store } = call.deps
  const life = new AbortController()
  const end = (): void => life.abort()
  call.signal.addEventListener('abort', end, { once: true })
  const cancelLife = clock.after(wish.life, end)
  const run: Run = { call, wish, sink, signal: life.signal, seen: wish.from ?? 0, end }
  const stopBookmarks = wish.bookmarks ? everyMinute(run) : undefined
  try {
    if (wish.from === undefined) {
      run.seen = store.revision
      await sendAll(run, store.list(wish.target.of.resource, wish.target.namespace || undefined).filter(wish.filter.matches))
    }
    while (!life.signal.aborted) {
      await sendChanges(run)
      await drained(run)
    }
    // The last word of a watch that ends in order, so that the next one need not start far back.
    if (wish.bookmarks && !call.signal.aborted && !run.filling && !run.failed) sink.send(wish.encoder.bookmark(run.seen, false))
    sink.end()
  } finally {
    stopBookmarks?.()
    cancelLife()
    call.signal.removeEventListener('abort', end)
  }
}

interface Run {
  readonly call: Call
  readonly wish: Wish
  readonly sink: Sink
  readonly signal: AbortSignal
  readonly end: () => void
  /** The last revision that the client was told everything up to. */
  seen: number
  /** Set while the initial events are on their way: a bookmark then would promise too much. */
  filling?: boolean
  /** Set once the client was told of a failure, behind which nothing comes. */
  failed?: boolean
}

async function sendAll(run: Run, objects: readonly KubeObject[]): Promise<void> {
  const { wish, sink } = run
  run.filling = true
  for (const object of objects) {
    sink.send(wish.encoder.event({ type: 'ADDED', object }))
    if (sink.waiting > pauseBytes) await drained(run)
    if (run.signal.aborted) return
  }
  run.filling = false
  if (wish.initialEnd) sink.send(wish.encoder.bookmark(run.seen, true))
}

/** Sends what changes, until the sink is full or the watch is over. */
function sendChanges(run: Run): Promise<void> {
  const { wish, sink, signal, call } = run
  return new Promise((resolve) => {
    let paused = false
    let stop: (() => void) | undefined
    const pause = (): void => {
      paused = true
      stop?.()
      signal.removeEventListener('abort', pause)
      resolve()
    }
    signal.addEventListener('abort', pause, { once: true })
    const onChange = (change: Change): void => {
      // A replay of history goes on to its end; what comes after the pause is asked for again.
      if (paused) return
      if (isEnd(run, change)) return run.end()
      const text = concerns(wish, change) ? textOf(wish, change) : undefined
      run.seen = change.revision
      if (text === undefined) return
      sink.send(text)
      if (sink.waiting > pauseBytes) pause()
    }
    try {
      stop = call.deps.store.watch(run.seen, onChange)
      if (paused) stop()
    } catch (e) {
      const known = isWherryError(e, 'STORE_COMPACTED')
      if (!known) call.deps.log.error('watch failed', { error: (e as Error).message })
      const failure = known ? expired(run.seen, call.deps.store.compacted) : new StatusError('InternalError', 'the watch failed')
      sink.send(wish.encoder.error(failure.status))
      run.failed = true
      run.end()
    }
  })
}

function concerns({ target }: Wish, { resource, object }: Change): boolean {
  return resource === target.of.resource && (target.namespace === '' || object.metadata.namespace === target.namespace)
}

/** Whether the kind is not what it was, or is no more: the client has to learn of it anew. */
function isEnd({ call, wish }: Run, { resource, object }: Change): boolean {
  const { of } = wish.target
  if (resource !== definitions || object.metadata.name !== of.resource) return false
  return !call.deps.kinds.inGroup(of.group).includes(of)
}

function textOf({ filter, encoder }: Wish, change: Change): string | undefined {
  const event = eventOf(change, filter.matches)
  return event && encoder.event(event, change)
}

/** Waits until the reader took everything; cuts it off where it takes too long. */
function drained({ sink, signal, call, end }: Run): Promise<void> {
  if (signal.aborted || sink.waiting <= pauseBytes) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = call.deps.clock.after(stallMs, () => {
      call.deps.log.warn('slow watcher cut off', { user: call.user.name, path: call.req.url, waiting: sink.waiting })
      sink.cut()
      end()
    })
    signal.addEventListener('abort', done, { once: true })
    sink.onDrained(done)
  })
}

function everyMinute(run: Run): () => void {
  const { clock } = run.call.deps
  let cancel = (): void => {}
  const next = (): void => {
    cancel = clock.after(bookmarkMs, () => {
      if (!run.filling && run.sink.waiting <= pauseBytes) run.sink.send(run.wish.encoder.bookmark(run.seen, false))
      next()
    })
  }
  next()
  return () => cancel()
}
