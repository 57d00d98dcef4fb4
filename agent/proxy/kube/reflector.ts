/**
 * One kind of objects, kept up with: listed in pages, then watched from there, for as long as it takes. A watch that ends is
 * taken up at the last revision; what cannot be taken up is listed again, and the difference is told.
 *
 * - What is told is always a state that the server had. A list that breaks off tells no deletion.
 * - A revision that the server has forgotten (410), or an event that cannot be read, means listing again.
 * - An object that cannot be read is left out, and said so; the others are not kept from their way.
 */
import type { Buffer } from 'node:buffer'
import { sleep, type Clock } from '../../../api/clock.ts'
import { isWherryError } from '../../../api/errors.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { keyOf, type KubeObject } from '../../../api/objects.ts'
import { ProxyError } from '../error.ts'
import type { ApiClient } from './client.ts'
import { ApiFailure, failureOf, readStatus } from './failure.ts'
import { createLines } from './lines.ts'
import { createPace } from './pace.ts'
import { readObject, type FollowedResource } from './objects.ts'

/** What is followed. */
export interface Followed {
  readonly resource: FollowedResource
  /** `/api/v1/services` */
  readonly path: string
  /** labelSelector and the like. */
  readonly selectors: Readonly<Record<string, string>>
}

export interface ReflectorBounds {
  /** Objects of one page. */
  readonly pageSize: number
  /** How long a watch is asked for: from this to twice this, by chance, so that they do not all end at once. */
  readonly watchMs: number
  /** How long a watch may say nothing. Servers send a bookmark each minute. */
  readonly silentMs: number
  readonly lineBytes: number
}

export const reflectorBounds: ReflectorBounds = { pageSize: 500, watchMs: 300_000, silentMs: 100_000, lineBytes: 8 << 20 }

export type Told =
  | { readonly kind: 'set'; readonly object: KubeObject }
  | { readonly kind: 'delete'; readonly key: string; readonly resourceVersion: string }

export interface ReflectorDeps {
  readonly client: ApiClient
  readonly followed: Followed
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  /** Throws for an object of a shape that nobody can read. */
  readonly onChange: (told: Told) => void
  /** Everything up to here hangs together: the list is complete, or a piece of the watch was read to its end. */
  readonly onSettled: (resourceVersion: string) => void
  readonly bounds?: ReflectorBounds
}

export interface Reflector {
  /** Runs until the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void>
}

export function createReflector(deps: ReflectorDeps): Reflector {
  const { client, followed, clock, log, bounds = reflectorBounds } = deps
  const waits = createWaits(deps.random)
  const held = createHoldings(deps)
  let at: string | undefined

  const list = async (signal: AbortSignal): Promise<void> => {
    const seen = new Set<string | undefined>()
    let next = ''
    let first: string | undefined
    do {
      const query = { ...followed.selectors, limit: String(bounds.pageSize), ...(next !== '' && { continue: next }) }
      const page = pageOf(await client.ask({ method: 'GET', path: pathOf(followed, query) }, signal))
      for (const item of page.items) seen.add(held.set(item))
      first ??= page.resourceVersion
      next = page.next
    } while (next !== '')
    held.keepOnly(seen, first)
    at = first
    deps.onSettled(first)
    log.debug('listed', { objects: seen.size, resourceVersion: at })
  }

  const watch = async (from: string, signal: AbortSignal): Promise<void> => {
    const seconds = Math.ceil((bounds.watchMs * (1 + deps.random())) / 1_000)
    const query = { ...followed.selectors, watch: 'true', allowWatchBookmarks: 'true', resourceVersion: from, timeoutSeconds: String(seconds) }
    const lines = createLines(bounds.lineBytes)
    const onChunk = (chunk: Buffer): void => {
      const complete = lines.push(chunk)
      if (complete.length === 0) return
      try {
        for (const line of complete) takeEvent(line)
        waits.reset()
      } finally {
        // What came before a bad line came.
        if (at !== undefined) deps.onSettled(at)
      }
    }
    let opened = Number.POSITIVE_INFINITY
    try {
      await client.follow({ method: 'GET', path: pathOf(followed, query) }, { silentMs: bounds.silentMs, onChunk, onOpen: () => (opened = clock.now()) }, signal)
    } finally {
      waits.stood(clock.now() - opened)
    }
  }

  const takeEvent = (line: string): void => {
    const { type, object } = eventOf(line)
    if (type === 'ERROR') throw errorOf(object)
    const { metadata } = object as { metadata?: { resourceVersion?: unknown } }
    if (typeof metadata?.resourceVersion !== 'string') throw unreadable('an event without a resourceVersion')
    if (type === 'ADDED' || type === 'MODIFIED') held.set(object)
    else if (type === 'DELETED') held.remove(object, metadata.resourceVersion)
    else if (type !== 'BOOKMARK') throw unreadable(`an event of the type ${type}`)
    at = metadata.resourceVersion
  }

  const rest = async (e: unknown, signal: AbortSignal): Promise<void> => {
    const expired = isWherryError(e, 'API_EXPIRED')
    // A missed or garbled event is lost to a watch, so what we have is no base any more.
    if (expired || isWherryError(e, 'API_UNREADABLE')) at = undefined
    const waitMs = waits.after(e)
    const keys = { ...errorKeys(e), waitMs }
    if (expired) log.info('the API server has forgotten our revision; listing again', keys)
    else log.warn('the API server does not serve; trying again', keys)
    await sleep(clock, waitMs, signal).catch(() => {})
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        try {
          if (at === undefined) await list(signal)
          else {
            const begun = clock.now()
            const from = at
            await watch(from, signal)
            // A server that ends each watch at once must not be asked in a circle.
            if (at === from && clock.now() - begun < 1_000) await sleep(clock, waits.after(undefined), signal).catch(() => {})
          }
        } catch (e) {
          if (signal.aborted) return
          await rest(e, signal)
        }
      }
    },
  }
}

/** A watch that stood so long shows that the server serves, also when it has nothing to say. */
const goodWatchMs = 10_000

/** How long to wait before the server is asked again. */
function createWaits(random: () => number) {
  const lost = createPace(random)
  /** A server that has forgotten a revision serves: whoever waited long for it need not wait again. */
  const forgotten = createPace(random)
  return {
    /** @returns ms, whole */
    after: (failure: unknown): number => {
      const pace = isWherryError(failure, 'API_EXPIRED') ? forgotten : lost
      return Math.round(pace.next(failure instanceof ApiFailure ? failure.retryAfterMs : 0))
    },
    stood(ms: number): void {
      if (ms >= goodWatchMs) lost.reset()
    },
    reset(): void {
      lost.reset()
      forgotten.reset()
    },
  }
}

interface Holdings {
  /** @returns the object's key; undefined where it has none */
  set(object: unknown): string | undefined
  remove(object: unknown, resourceVersion: string): void
  keepOnly(keys: ReadonlySet<string | undefined>, resourceVersion: string): void
}

/** Every object that is held, with its revision, so that only what is new is told. */
function createHoldings({ followed: { resource }, onChange, log }: ReflectorDeps): Holdings {
  const held = new Map<string, string>()
  const drop = (key: string, resourceVersion: string): void => {
    if (held.delete(key)) onChange({ kind: 'delete', key, resourceVersion })
  }
  const leaveOut = (key: string | undefined, why: unknown): void =>
    log.warn('an object of the API server cannot be read; it is left out', { resource, ...(key !== undefined && { key }), ...errorKeys(why) })
  return {
    set(value) {
      const object = readObject(resource, value)
      if (!object) {
        leaveOut(undefined, 'it has no name or no resourceVersion')
        return undefined
      }
      const key = keyOf(object)
      const { resourceVersion } = object.metadata
      if (held.get(key) === resourceVersion) return key
      try {
        onChange({ kind: 'set', object })
        held.set(key, resourceVersion)
      } catch (e) {
        leaveOut(key, e)
        drop(key, resourceVersion)
      }
      return key
    },
    remove(value, resourceVersion) {
      const object = readObject(resource, value)
      if (object) drop(keyOf(object), resourceVersion)
      else leaveOut(undefined, 'it has no name or no resourceVersion')
    },
    keepOnly(keys, resourceVersion) {
      for (const key of held.keys()) if (!keys.has(key)) drop(key, resourceVersion)
    },
  }
}

function pathOf({ path }: Followed, query: Readonly<Record<string, string>>): string {
  return `${path}?${new URLSearchParams(query).toString()}`
}

const unreadable = (what: string, cause?: unknown): ProxyError => new ProxyError('API_UNREADABLE', `the API server sent ${what}`, { cause })

interface Page {
  readonly items: readonly unknown[]
  readonly resourceVersion: string
  readonly next: string
}

function pageOf(answer: unknown): Page {
  const { metadata, items } = (answer ?? {}) as { metadata?: { resourceVersion?: unknown; continue?: unknown }; items?: unknown }
  if (typeof metadata?.resourceVersion !== 'string') throw unreadable('a list without a resourceVersion')
  // Go writes an empty list as null.
  const all = items === null || items === undefined ? [] : items
  if (!Array.isArray(all)) throw unreadable('a list without items')
  return { items: all, resourceVersion: metadata.resourceVersion, next: typeof metadata.continue === 'string' ? metadata.continue : '' }
}

function eventOf(line: string): { readonly type: string; readonly object: unknown } {
  let event: { type?: unknown; object?: unknown } | null
  try {
    event = JSON.parse(line) as typeof event
  } catch (cause) {
    throw unreadable('a line of a watch that is no JSON', cause)
  }
  if (typeof event?.type !== 'string' || typeof event.object !== 'object' || event.object === null) throw unreadable('a line of a watch that is no event')
  return { type: event.type, object: event.object }
}

/** Whatever the server complains of in a watch: only a new list is sure to put it right. */
function errorOf(object: unknown): ApiFailure {
  const status = readStatus(object)
  const failure = failureOf({ status: status?.code ?? 0, reasons: status?.reasons ?? [] }, `the watch ended: ${status?.message ?? 'without a word'}`)
  return failure.code === 'API_EXPIRED' ? failure : new ApiFailure('API_UNREADABLE', failure.message, { status: failure.status, reasons: failure.reasons })
}
