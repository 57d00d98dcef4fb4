/** Who waits for a revision to arrive in memory. */
import type { Clock } from '../../../api/clock.ts'
import { StoreError } from '../error.ts'

export interface Arrivals {
  /** Resolves when `arrived` is told of this revision. @throws StoreError STORE_LOST when nothing comes any more; the signal's reason */
  wait(revision: number, signal?: AbortSignal): Promise<void>
  arrived(revision: number): void
  /** Who waits now and later is refused with this. */
  fail(why: StoreError): void
}

/** How long nothing at all may come, while there is more in etcd. A hub that starts may have a long history to read. */
const patienceMs = 10_000

interface Waiting {
  readonly revision: number
  readonly resolve: () => void
  readonly reject: (e: Error) => void
}

/** @param first the revision that is there already */
export function createArrivals(clock: Clock, first: number): Arrivals {
  const waiting = new Set<Waiting>()
  let last = first
  let failure: StoreError | undefined
  return {
    wait(wanted, signal) {
      if (failure) return Promise.reject(failure)
      if (wanted <= last) return Promise.resolve()
      return new Promise((resolve, reject) => {
        const end = (finish: () => void): void => {
          waiting.delete(entry)
          cancel()
          signal?.removeEventListener('abort', abort)
          finish()
        }
        const abort = (): void => end(() => reject(signal!.reason as Error))
        const entry: Waiting = { revision: wanted, resolve: () => end(resolve), reject: (e) => end(() => reject(e)) }
        let seen = last
        const look = (): void => {
          if (last === seen) return entry.reject(new StoreError('STORE_LOST', `etcd is at revision ${wanted}, and its events come to ${last} only`))
          seen = last
          cancel = clock.after(patienceMs, look)
        }
        let cancel = clock.after(patienceMs, look)
        waiting.add(entry)
        signal?.addEventListener('abort', abort, { once: true })
        if (signal?.aborted) abort()
      })
    },
    arrived(revision) {
      last = revision
      for (const w of waiting) if (w.revision <= revision) w.resolve()
    },
    fail(why) {
      failure = why
      for (const w of waiting) w.reject(why)
    },
  }
}
