/** Who is told of changes, and the newest part of the history, kept in memory so that a watch seldom reads the disk. */
import { errorKeys, type Log } from '../../api/log.ts'
import type { Change } from './store.ts'

export interface Watchers {
  /** Takes a committed batch into the tail, then tells everybody. Revisions follow each other without a hole. */
  publish(changes: readonly Change[]): void
  /** The kept history after `from`, then what is published. `from` must not be older than what `older` can give. */
  add(from: number, onChange: (change: Change) => void): () => void
  clear(): void
}

export interface WatchersDeps {
  readonly log: Log
  /** How many changes the tail holds at least, once so many were published. */
  readonly tail: number
  /** One page of changes from disk, those after `revision`, in order; empty at the end. */
  readonly older: (revision: number) => readonly Change[]
}

interface Watcher {
  readonly onChange: (change: Change) => void
  /** The last revision told. What is not above it is never told again. */
  told: number
  active: boolean
}

export function createWatchers({ log, tail: bound, older }: WatchersDeps): Watchers {
  const watchers = new Set<Watcher>()
  const tail: Change[] = []

  const tell = (watcher: Watcher, change: Change): void => {
    if (!watcher.active || change.revision <= watcher.told) return
    watcher.told = change.revision
    try {
      watcher.onChange(change)
    } catch (e) {
      log.error('A watcher of the store failed', { revision: change.revision, ...errorKeys(e) })
    }
  }

  const replay = (watcher: Watcher): void => {
    while (tail.length === 0 || watcher.told + 1 < tail[0]!.revision) {
      const page = older(watcher.told)
      if (page.length === 0) break
      for (const change of page) tell(watcher, change)
    }
    const first = tail[0]?.revision ?? 0
    for (let i = Math.max(0, watcher.told + 1 - first); i < tail.length; i++) tell(watcher, tail[i]!)
  }

  return {
    publish(changes) {
      tail.push(...changes)
      // Twice the bound before a cut: moving the rest then costs nothing much for each change.
      if (tail.length > 2 * bound) tail.splice(0, tail.length - bound)
      for (const change of changes) for (const watcher of watchers) tell(watcher, change)
    },
    add(from, onChange) {
      const watcher: Watcher = { onChange, told: from, active: true }
      replay(watcher)
      watchers.add(watcher)
      return () => {
        watcher.active = false
        watchers.delete(watcher)
      }
    },
    clear() {
      for (const watcher of watchers) watcher.active = false
      watchers.clear()
    },
  }
}
