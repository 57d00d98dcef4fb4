/** How this room takes its time: one run after the other, rests that a signal ends, and turns for others. */
import { sleep, type Clock } from '../../api/clock.ts'

/** Work is done in the order in which it was given, each when all before it has ended, well or not. */
export function createTurns(): { take<T>(work: () => Promise<T>): Promise<T> } {
  let last: Promise<unknown> = Promise.resolve()
  return {
    take(work) {
      const mine = last.then(work, work)
      last = mine.catch(() => {})
      return mine
    },
  }
}

/** False if the signal ended the rest. */
export async function rested(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(clock, ms, signal)
    return true
  } catch {
    return false
  }
}

/** Lets everything else that waits in this process have its turn. Rejects if the signal has aborted. */
export async function othersTurn(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  signal.throwIfAborted()
}
