/** One watch on the store for all sessions: each change goes at once to those that care, and once a batch a `sync` follows. */
import type { Store } from '../store/store.ts'
import type { Encoder } from './encoder.ts'
import { isAgentChange, type AgentChange } from './interest.ts'

export interface Fanout {
  /** The last revision of which every listener has heard. */
  readonly revision: number
  /** Returns the way to stop. */
  add(listener: Listener): () => void
  close(): void
}

export interface Listener {
  /** @returns whether the agent was sent something */
  offer(change: AgentChange): boolean
  /** After a batch of which something was sent: everything up to this revision has been offered. */
  mark(revision: number, sync: Uint8Array): void
}

export function createFanout(store: Store, encoder: Encoder): Fanout {
  const listeners = new Set<Listener>()
  const touched = new Set<Listener>()
  let revision = store.revision

  const mark = (): void => {
    const sync = encoder.sync(revision)
    for (const listener of touched) listener.mark(revision, sync)
    touched.clear()
  }

  const stop = store.watch(revision, (change) => {
    revision = change.revision
    if (!isAgentChange(change)) return
    const first = touched.size === 0
    for (const listener of listeners) if (listener.offer(change)) touched.add(listener)
    // A batch is told in one go: this runs right behind it, in the same turn of the event loop.
    if (first && touched.size > 0) queueMicrotask(mark)
  })

  return {
    get revision() {
      return revision
    },
    add(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
        touched.delete(listener)
      }
    },
    close() {
      stop()
      listeners.clear()
      touched.clear()
    },
  }
}
