import type { Log } from '../api/log.ts'

export interface Stopping {
  /** Who, e.g. `the agent`. */
  readonly what: string
  readonly log: Log
  /** Aborted at the signal. */
  readonly stop: AbortController
  /** After which the process ends, whether all has stopped or not. */
  readonly withinMs: number
}

/** Stops in order at the first SIGTERM or SIGINT. */
export function stopOnSignal({ what, log, stop, withinMs }: Stopping): void {
  onStopSignal(() => {
    log.info(`${what} stops`)
    setTimeout(() => process.exit(0), withinMs).unref()
    stop.abort(new DOMException(`${what} stops`, 'AbortError'))
  })
}

/**
 * Calls once at the first SIGTERM or SIGINT. The listeners stay: while programs run, execa's own ends the process at a signal for
 * which nobody else listens any more.
 */
export function onStopSignal(end: () => void): void {
  let isTold = false
  const tell = (): void => {
    if (isTold) return
    isTold = true
    end()
  }
  process.on('SIGTERM', tell)
  process.on('SIGINT', tell)
}
