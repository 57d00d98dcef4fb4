/** Who is told of changes, and the newest part of the history, kept in memory so that a watch seldom reads the disk. */
import { errorKeys, type Log } from '../../api/log.ts'
import type { Change } from './store.ts'

export interface Watchers {
  /** The last revision of which a change has left the tail; 0 while it has them all. */
  readonly floor: number
  /** Takes a committed batch into the tail, then tells everybody. Revisions do not go back. */
  publish(changes: readonly Change[]): void
  /** The kept history after `from`, then what is published. `from` must not be older than what `older` and the tail can give. */
  add(from: number, onChange: (change: Change) => void): () => void
  /** Those up to this revision are not needed any more. */
  forget(revision: number): void
  clear(): void
}

export interface WatchersDeps {
  readonly log: Log
  /** How many changes the tail holds at least, once so many were published. */
  readonly tail: number
  /** One page of changes from disk, those after `revision`, in order; empty at the end. None unless told. */
  readonly older?: (revision: number) => readonly Change[]
}

interface Watcher {
  readonly onChange: (change: Change) => void
  /** Changes up to this revision are not for it. */
  from: number
  /** The number of the next change in the tail to tell. */
  next: number
  active: boolean
}

export function createWatchers({ log, tail: bound, older = () => [] }: WatchersDeps): Watchers {
  const watchers = new Set<Watcher>()
  const tail: Change[] = []
  /** The number of the first change in the tail. They are numbered since several may have one revision, and some have none. */
  let first = 0
  let floor = 0

  const call = (watcher: Watcher, change: Change): void => {
    try {
      watcher.onChange(change)
    } catch (e) {
      log.error('A watcher of the store failed', { revision: change.revision, ...errorKeys(e) })
    }
  }
  /** Tells the change of this number, unless the watcher knows it. */
  const tell = (watcher: Watcher, number: number): void => {
    if (!watcher.active || number < watcher.next) return
    watcher.next = number + 1
    const change = tail[number - first]!
    if (change.revision > watcher.from) call(watcher, change)
  }

  const replay = (watcher: Watcher): void => {
    while (watcher.active && (tail.length === 0 || watcher.from + 1 < tail[0]!.revision)) {
      const page = older(watcher.from)
      if (page.length === 0) break
      for (const change of page) {
        watcher.from = change.revision
        call(watcher, change)
      }
    }
    const begin = first + firstAfter(tail, watcher.from)
    for (let number = begin; number < first + tail.length; number++) tell(watcher, number)
    watcher.next = first + tail.length
  }

  const cut = (count: number): void => {
    floor = Math.max(floor, tail[count - 1]?.revision ?? 0)
    tail.splice(0, count)
    first += count
  }

  return {
    get floor() {
      return floor
    },
    publish(changes) {
      // Twice the bound before a cut: moving the rest then costs nothing much for each change.
      if (tail.length > 2 * bound) cut(tail.length - bound)
      const begin = first + tail.length
      tail.push(...changes)
      for (let i = 0; i < changes.length; i++) for (const watcher of watchers) tell(watcher, begin + i)
    },
    add(from, onChange) {
      const watcher: Watcher = { onChange, from, next: 0, active: true }
      replay(watcher)
      watchers.add(watcher)
      return () => {
        watcher.active = false
        watchers.delete(watcher)
      }
    },
    forget: (revision) => cut(firstAfter(tail, revision)),
    clear() {
      for (const watcher of watchers) watcher.active = false
      watchers.clear()
    },
  }
}

/** The place of the first change after a revision. */
function firstAfter(changes: readonly Change[], revision: number): number {
  let low = 0
  let high = changes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (changes[middle]!.revision <= revision) low = middle + 1
    else high = middle
  }
  return low
}
