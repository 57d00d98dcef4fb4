/** How the kernels of tools take their time: one run after the other, and rests that a signal ends. */
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
