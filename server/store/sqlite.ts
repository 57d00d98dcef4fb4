/** The embedded store: everything in memory for readers, every change in an SQLite file before anybody hears of it. */
import type { Clock } from '../../api/clock.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import type { KubeObject } from '../../api/objects.ts'
import type { Seal } from '../seal/seal.ts'
import { StoreError } from './error.ts'
import { openJournal, stamped, type Entry, type Journal } from './journal.ts'
import { settle } from './settle.ts'
import type { Change, Decision, Ref, Store } from './store.ts'
import { createTables, type Tables } from './tables.ts'
import { createWatchers } from './watchers.ts'

/** Bounds of the embedded store. */
export const storeLimits = {
  /** Writes that share one transaction and one flush. */
  batch: 512,
  /** Changes kept in memory for watches that start a little in the past. */
  tail: 10_000,
  /** Changes read from disk at a time for watches that start further back. */
  page: 1_000,
  /** History rows taken away in one transaction. */
  forget: 5_000,
  /** Values sealed anew in one transaction. */
  reseal: 500,
} as const

export interface HistoryBounds {
  readonly maxAgeMs: number
  readonly maxChanges: number
}

/** As long as Kubernetes' own apiserver keeps it. */
export const defaultHistory: HistoryBounds = { maxAgeMs: 5 * 60_000, maxChanges: 100_000 }

export interface SqliteStoreOptions {
  /** A file, or `:memory:`. */
  readonly path: string
  readonly log: Log
  readonly clock: Clock
  readonly history?: HistoryBounds
  /** Seals values on their way to the file; without it they lie there open. */
  readonly seal?: Seal
}

export interface SqliteStore extends Store {
  /** Forgets the history that is beyond either bound; to be called from time to time. */
  compactOld(): Promise<void>
  /** Seals everything anew that the first key did not seal, history too. @returns how many values those were */
  reseal(): Promise<number>
}

/**
 * Opens the store and loads what it holds. The file and its folder are made if absent.
 * @throws StoreError STORE_BROKEN: not a database, damaged, held by another process, or of a newer layout
 */
export function openSqliteStore(options: SqliteStoreOptions): SqliteStore {
  return createStore(openJournal(options.path, options.seal), options)
}

/** A write that waits for its batch. */
interface Waiting {
  readonly ref: Ref
  readonly decide: (current: KubeObject | undefined) => Decision
  readonly resolve: (object: KubeObject | undefined) => void
  readonly reject: (e: unknown) => void
}

/** The store over an opened journal. */
export function createStore(journal: Journal, options: Omit<SqliteStoreOptions, 'path'>): SqliteStore {
  const { log, clock, history = defaultHistory } = options
  const tables = createTables()
  for (const [ref, object] of journal.objects()) tables.set(ref, object)
  const older = (revision: number): readonly Change[] => journal.history(revision, storeLimits.page)
  const watchers = createWatchers({ log, tail: storeLimits.tail, older })
  const queue: Waiting[] = []
  let pass: NodeJS.Immediate | undefined
  let closed = false
  // What readers see; journal.revision runs ahead of it for the moment between the flush and the memory.
  let revision = journal.revision

  const flush = (): void => {
    const batch = queue.splice(0, storeLimits.batch)
    const { entries, answers } = decideAll(batch, tables, revision)
    try {
      if (entries.length > 0) journal.append(entries, clock.now())
    } catch (e) {
      log.error('The store could not write', { writes: batch.length, ...errorKeys(e) })
      for (const write of batch) write.reject(e)
      return
    }
    for (const { ref, change } of entries) tables.set(ref, change.type === 'DELETED' ? undefined : change.object)
    revision += entries.length
    for (const answer of answers) answer()
    watchers.publish(entries.map((entry) => entry.change))
  }

  /** Gives everybody who can write now the time to join the batch. */
  const wake = (): void => {
    pass ??= setImmediate(() => {
      pass = undefined
      flush()
      if (queue.length > 0) wake()
    })
  }

  const compact = async (upTo: number): Promise<void> => {
    const target = Math.min(upTo, revision)
    if (closed) throw closedError()
    if (target > journal.compacted) journal.compact(target)
    // In portions, so that writers and readers get their turn.
    while (!closed && journal.forget(storeLimits.forget)) await new Promise((resolve) => setImmediate(resolve))
  }

  return {
    get revision() {
      return revision
    },
    get compacted() {
      return journal.compacted
    },
    fresh: () => Promise.resolve(),
    get: (ref) => tables.get(ref),
    list: (resource, namespace) => tables.list(resource, namespace),
    write(ref, decide) {
      return new Promise((resolve, reject) => {
        if (closed) return reject(closedError())
        queue.push({ ref, decide, resolve, reject })
        wake()
      })
    },
    watch(from, onChange) {
      if (closed) throw closedError()
      if (from < journal.compacted) {
        const message = `changes after revision ${from} are forgotten; those after ${journal.compacted} are kept`
        throw new StoreError('STORE_COMPACTED', message)
      }
      return watchers.add(from, onChange)
    },
    compact,
    compactOld: () => compact(compactionTarget(journal, history, clock.now())),
    reseal: () => resealAll(journal, () => closed),
    close() {
      if (!closed) {
        closed = true
        clearImmediate(pass)
        while (queue.length > 0) flush()
        watchers.clear()
        journal.close()
      }
      return Promise.resolve()
    },
  }
}

/** In portions, so that writers and readers get their turn. */
async function resealAll(journal: Journal, closed: () => boolean): Promise<number> {
  let count = 0
  for (;;) {
    if (closed()) throw closedError()
    const done = journal.reseal(storeLimits.reseal)
    count += done
    if (done === 0) break
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (count > 0) journal.scrub()
  return count
}

function closedError(): StoreError {
  return new StoreError('STORE_CLOSED', 'the store was closed')
}

/** The last revision that the bounds let go: too old, or more than so many changes ago. */
export function compactionTarget(journal: Journal, bounds: HistoryBounds, now: number): number {
  return Math.max(journal.compacted, journal.before(now - bounds.maxAgeMs), journal.revision - bounds.maxChanges)
}

/** What a batch comes to: the changes to write, and what to answer when they are written. */
interface Outcome {
  readonly entries: readonly Entry[]
  readonly answers: readonly (() => void)[]
}

/** Runs each decision on the state that the ones before it leave behind. Nothing is changed yet. */
function decideAll(batch: readonly Waiting[], tables: Tables, revision: number): Outcome {
  const staged = new Map<string, KubeObject | undefined>()
  const entries: Entry[] = []
  const answers: (() => void)[] = []
  for (const { ref, decide, resolve, reject } of batch) {
    const key = `${ref.resource}/${ref.namespace}/${ref.name}`
    try {
      const current = staged.has(key) ? staged.get(key) : tables.get(ref)
      const entry = entryOf(ref, current, decide(current), revision + entries.length + 1)
      if (entry) {
        entries.push(entry)
        staged.set(key, entry.change.type === 'DELETED' ? undefined : entry.change.object)
      }
      answers.push(() => resolve(entry ? entry.change.object : current))
    } catch (e) {
      answers.push(() => reject(e))
    }
  }
  return { entries, answers }
}

/** The change that a decision makes, if it makes one. */
function entryOf(ref: Ref, current: KubeObject | undefined, decision: Decision, revision: number): Entry | undefined {
  if ('keep' in decision) return undefined
  if ('remove' in decision) {
    if (!current) return undefined
    const object = stamped(current, revision)
    return { ref, change: Object.freeze({ revision, type: 'DELETED', resource: ref.resource, object, previous: current }) }
  }
  const { put } = decision
  const { name, namespace = '' } = put.metadata
  if (name !== ref.name || namespace !== ref.namespace) {
    throw new TypeError(`a write of ${ref.resource} ${ref.namespace}/${ref.name} put an object named ${namespace}/${name}`)
  }
  const metadata = { ...put.metadata, resourceVersion: current?.metadata.resourceVersion ?? '' }
  const settled = settle({ ...put, metadata }, current) as KubeObject
  if (settled === current) return undefined
  const object = stamped(settled, revision)
  const type = current ? 'MODIFIED' : 'ADDED'
  const change: Change = Object.freeze({ revision, type, resource: ref.resource, object, ...(current && { previous: current }) })
  return { ref, change, text: JSON.stringify(object) }
}
