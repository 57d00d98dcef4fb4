/** Keeps one `ctr events` process going while somebody listens, and starts it anew when it ends (containerd was restarted). */
import { sleep, type Clock } from '../../../api/clock.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { ctrCommand, type CtrTarget } from './ctr-command.ts'
import { parseEvent, type TaskEvent } from './ctr-output.ts'

export interface CtrEventsOptions extends CtrTarget {
  readonly clock: Clock
  readonly log: Log
  /** How long to wait before a new start. Milliseconds. */
  readonly retryMs?: number
  readonly onEvent: (event: TaskEvent) => void
  /** Events may have been missed: the process has just been started, or has ended. */
  readonly onGap: () => void
}

/** @returns the way to stop */
export function followCtrEvents(options: CtrEventsOptions): () => void {
  const { clock, log, onEvent, onGap, retryMs = 1_000 } = options
  const stop = new AbortController()

  const onLine = (line: string): void => {
    try {
      const event = parseEvent(line, options.namespace)
      if (event) onEvent(event)
    } catch (e) {
      log.warn('a line of ctr events was not understood', { line, ...errorKeys(e) })
    }
  }

  const follow = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        const ended = options.exec.stream(ctrCommand(options, ['events']), onLine, stop.signal)
        onGap()
        await ended
      } catch (e) {
        if (!stop.signal.aborted) log.warn('ctr events ended', errorKeys(e))
      }
      if (stop.signal.aborted) return
      onGap()
      await sleep(clock, retryMs, stop.signal).catch(() => {})
    }
  }
  void follow()
  return () => stop.abort(new DOMException('nobody listens any more', 'AbortError'))
}
