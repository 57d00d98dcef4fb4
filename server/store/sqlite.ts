/** The embedded store: everything in memory for readers, every change in an SQLite file before anybody hears of it. */
import type { Clock } from '../../api/clock.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import type { KubeObject } from '../../api/objects.ts'
import type { Seal } from '../seal/seal.ts'
import { outcomeOf, stamped } from './decide.ts'
import { forgotten, outsideFence, StoreError } from './error.ts'
import { openJournal, type Entry, type Journal } from './journal.ts'
import type { Change, Decision, Fence, Ref, Store, WordsOf } from './store.ts'
import { createTables, type Tables } from './tables.ts'
import { createWatchers } from './watchers.ts'
import { createWords, type WordMoves, type Words } from './words.ts'

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
  /** None unless told. */
  readonly words?: WordsOf
  /** Seals values on their way to the file; without it they lie there open. */
  readonly seal?: Seal
}

export interface SqliteStore extends Store {
  /** Forgets the history that is beyond either bound; to be called from time to time. */
  compactOld(): Promise<void>
  /** Writes a copy to a file that is not there yet, while everything goes on. @throws StoreError STORE_BROKEN, STORE_CLOSED */
  snapshot(file: string): Promise<void>
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
  readonly fence: Fence | undefined
  readonly resolve: (object: KubeObject | undefined) => void
  readonly reject: (e: unknown) => void
}

/** The store over an opened journal. */
export function createStore(journal: Journal, options: Omit<SqliteStoreOptions, 'path'>): SqliteStore {
  const { log, clock, history = defaultHistory } = options
  const { tables, words } = load(journal, options.words)
  const older = (revision: number): readonly Change[] => journal.history(revision, storeLimits.page)
  const watchers = createWatchers({ log, tail: storeLimits.tail, older })
  const queue: Waiting[] = []
  let pass: NodeJS.Immediate | undefined
  let closed = false
  // What readers see; journal.revision runs ahead of it for the moment between the flush and the memory.
  let revision = journal.revision

  const flush = (): void => {
    const batch = queue.splice(0, storeLimits.batch)
    const { entries, answers, moves } = decideAll(batch, { tables, words, revision })
    try {
      if (entries.length > 0) journal.append(entries, clock.now())
    } catch (e) {
      log.error('The store could not write', { writes: batch.length, ...errorKeys(e) })
      for (const write of batch) write.reject(e)
      return
    }
    for (const { ref, change } of entries) tables.set(ref, change.type === 'DELETED' ? undefined : change.object)
    moves.apply()
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
    history: journal.historyName,
    get revision() {
      return revision
    },
    get compacted() {
      return journal.compacted
    },
    fresh: () => Promise.resolve(),
    get: (ref) => tables.get(ref),
    list: (resource, namespace) => tables.list(resource, namespace),
    write(ref, decide, fence) {
      return new Promise((resolve, reject) => {
        if (closed) return reject(closedError())
        queue.push({ ref, decide, fence, resolve, reject })
        wake()
      })
    },
    watch(from, onChange) {
      if (closed) throw closedError()
      if (from < journal.compacted) throw forgotten(from, journal.compacted)
      return watchers.add(from, onChange)
    },
    compact,
    snapshot: (file) => (closed ? Promise.reject(closedError()) : journal.copy(file)),
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

/** What the journal holds, in memory. */
function load(journal: Journal, wordsOf: WordsOf = () => []): { readonly tables: Tables; readonly words: Words } {
  const tables = createTables()
  const words = createWords(wordsOf)
  for (const [ref, object] of journal.objects()) {
    tables.set(ref, object)
    words.load(ref, object)
  }
  return { tables, words }
}

/** The last revision that the bounds let go: too old, or more than so many changes ago. */
export function compactionTarget(journal: Journal, bounds: HistoryBounds, now: number): number {
  return Math.max(journal.compacted, journal.before(now - bounds.maxAgeMs), journal.revision - bounds.maxChanges)
}

/** What a batch comes to: the changes to write, and what to answer when they are written. */
interface Outcomes {
  readonly entries: readonly Entry[]
  readonly answers: readonly (() => void)[]
  readonly moves: { apply(): void }
}

interface State {
  readonly tables: Tables
  readonly words: Words
  readonly revision: number
}

/** Runs each decision on the state that the ones before it leave behind. Nothing is changed yet. */
function decideAll(batch: readonly Waiting[], { tables, words, revision }: State): Outcomes {
  const staged = new Map<string, KubeObject | undefined>()
  const moves = words.begin()
  const entries: Entry[] = []
  const answers: (() => void)[] = []
  const keyOf = (ref: Ref): string => `${ref.resource}/${ref.namespace}/${ref.name}`
  const get = (ref: Ref): KubeObject | undefined => (staged.has(keyOf(ref)) ? staged.get(keyOf(ref)) : tables.get(ref))
  for (const { ref, decide, fence, resolve, reject } of batch) {
    try {
      if (fence && !fence.holds(get(fence.ref))) throw outsideFence(fence)
      const current = get(ref)
      const entry = entryOf({ ref, current, revision: revision + entries.length + 1 }, decide(current), moves)
      if (entry) {
        entries.push(entry)
        staged.set(keyOf(ref), entry.change.type === 'DELETED' ? undefined : entry.change.object)
      }
      answers.push(() => resolve(entry ? entry.change.object : current))
    } catch (e) {
      answers.push(() => reject(e))
    }
  }
  return { entries, answers, moves }
}

interface Place {
  readonly ref: Ref
  readonly current: KubeObject | undefined
  /** Of the change, if there is one. */
  readonly revision: number
}

/** The change that a decision makes, if it makes one. */
function entryOf({ ref, current, revision }: Place, decision: Decision, moves: WordMoves): Entry | undefined {
  const outcome = outcomeOf(ref, current, decision)
  if (outcome.kind === 'keep') return undefined
  const object = stamped(outcome.object, revision)
  moves.move(ref, current, outcome.kind === 'put' ? object : undefined)
  const type = outcome.kind === 'remove' ? 'DELETED' : current ? 'MODIFIED' : 'ADDED'
  const change: Change = Object.freeze({ revision, type, resource: ref.resource, object, ...(current && { previous: current }) })
  return { ref, change, ...(type !== 'DELETED' && { text: JSON.stringify(object) }) }
}
