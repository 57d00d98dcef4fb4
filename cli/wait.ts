/** Waits for something that the machine will do by itself, with a deadline. */
import { type Clock, sleep } from '../api/clock.ts'
import { CliError } from './error.ts'

export interface WaitOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly timeoutMs: number
  /** What to do if it never happens. */
  readonly advice: string
  /** How often to look; 100 ms unless given. */
  readonly everyMs?: number
}

/**
 * Looks again and again until `look` gives a value. `undefined`, a text that says what is missing, or an error mean: not yet.
 * @param what ends the sentence "waited N s for ..."
 * @throws CliError EXEC_TIMEOUT with the last thing that was missing
 */
export async function waitFor<T extends object>(
  what: string,
  look: () => Promise<T | string | undefined>,
  options: WaitOptions,
): Promise<T> {
  const { clock, signal, timeoutMs } = options
  const until = clock.now() + timeoutMs
  for (;;) {
    let missing = ''
    let cause: unknown
    try {
      const found = await look()
      if (typeof found === 'object') return found
      missing = found ?? ''
    } catch (error) {
      if (signal.aborted) throw signal.reason
      cause = error
      missing = (error as Error).message
    }
    if (clock.now() >= until) {
      const message = `waited ${timeoutMs / 1000} s for ${what}${missing && `: ${missing}`}`
      throw new CliError('EXEC_TIMEOUT', message, options.advice, { cause })
    }
    await sleep(clock, options.everyMs ?? 100, signal)
  }
}
