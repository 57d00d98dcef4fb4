/** A clock that moves only when a test says so. */
import type { Clock } from '../../api/clock.ts'

export interface FakeClock extends Clock {
  /** Moves time on, calling what falls due in order, and lets promises settle after each call. */
  advance(ms: number): Promise<void>
  /** How many calls wait. */
  readonly waiting: number
}

/** @param start ms since 1970; by default 2026-01-01T00:00:00Z */
export function createFakeClock(start = Date.UTC(2026, 0, 1)): FakeClock {
  let now = start
  const due = new Map<object, { at: number; call: () => void }>()
  return {
    now: () => now,
    after(ms, call) {
      const id = {}
      due.set(id, { at: now + ms, call })
      return () => void due.delete(id)
    },
    get waiting() {
      return due.size
    },
    async advance(ms) {
      const end = now + ms
      await settled()
      for (;;) {
        const next = [...due].filter(([, d]) => d.at <= end).toSorted(([, a], [, b]) => a.at - b.at)[0]
        if (!next) break
        due.delete(next[0])
        now = Math.max(now, next[1].at)
        next[1].call()
        await settled()
      }
      now = end
    },
  }
}

/** Lets everything that can go on without time do so: promises, and the store's batches. */
export async function settled(turns = 5): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}
