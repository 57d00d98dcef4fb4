/** A rest that ends when something may have changed, when a time has come, or when all is closed. */
import type { Clock } from '../../api/clock.ts'

export interface Waker {
  /** Ends the rest, or keeps the next one from beginning. */
  wake(): void
  /** Forgets earlier wakings: what is looked at from here on is new. */
  clear(): void
  /** @param until ms since 1970; without it only a waking ends the rest */
  rest(until?: number): Promise<void>
  close(): void
}

export function createWaker(clock: Clock, closing: AbortSignal): Waker {
  const done = new AbortController()
  let woken = false
  let end = (): void => {}

  const wake = (): void => {
    woken = true
    end()
  }
  closing.addEventListener('abort', wake, { signal: done.signal })

  return {
    wake,
    clear: () => void (woken = false),
    async rest(until) {
      if (woken || closing.aborted) return
      await new Promise<void>((resolve) => {
        const cancel = until === undefined ? () => {} : clock.after(Math.max(0, until - clock.now()), resolve)
        end = () => {
          cancel()
          resolve()
        }
      })
    },
    close: () => done.abort(),
  }
}
