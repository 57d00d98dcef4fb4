/**
 * Keeps one `ctr events` process going while somebody listens, and starts it anew when it ends (containerd was restarted). It does
 * not say since when it hears; so events of our own are published until it hears one.
 */
import { sleep, type Clock } from '../../../api/clock.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { ctrCommand, type CtrTarget } from './ctr-command.ts'
import { parseEvent, type TaskEvent } from './ctr-output.ts'
import type { Grpc } from './grpc.ts'
import { written } from './messages.ts'

export interface CtrEventsOptions extends CtrTarget {
  readonly grpc: Grpc
  readonly clock: Clock
  readonly log: Log
  /** How long to wait before a new start. Milliseconds. */
  readonly retryMs?: number
  readonly onEvent: (event: TaskEvent) => void
  /** Events may have been missed: until now, when the process hears, or from now on, since it has ended. */
  readonly onGap: () => void
}

/**
 * What is heard as a task's event is, and changes nothing (containerd.services.events.v1). The event must be one that `ctr` can print;
 * and there must be one: containerd 1.6 breaks down over a topic without.
 */
const publish = {
  path: '/containerd.services.events.v1.Events/Publish',
  body: written({ 1: '/wherry/listens', 2: written({ 1: 'containerd.events.NamespaceUpdate', 2: written({ 1: 'wherry' }) }) }),
  firstMs: 50,
  longestMs: 10_000,
} as const

/** @returns the way to stop */
export function followCtrEvents(options: CtrEventsOptions): () => void {
  const { grpc, clock, log, onEvent, onGap, retryMs = 1_000 } = options
  const stop = new AbortController()

  const onLine = (line: string): void => {
    try {
      const event = parseEvent(line, options.namespace)
      if (event) onEvent(event)
    } catch (e) {
      log.warn('a line of ctr events was not understood', { line, ...errorKeys(e) })
    }
  }

  const listen = async (): Promise<void> => {
    const heard = new AbortController()
    const until = AbortSignal.any([heard.signal, stop.signal])
    const hear = (line: string): void => {
      if (!heard.signal.aborted) onGap()
      heard.abort()
      onLine(line)
    }
    const ended = options.exec.stream(ctrCommand(options, ['events']), hear, stop.signal)
    void callOut(until)
    await ended.finally(() => heard.abort())
  }
  /** A containerd that does not answer ends the process, too. */
  const callOut = async (until: AbortSignal): Promise<void> => {
    for (let waitMs: number = publish.firstMs; !until.aborted; waitMs = Math.min(publish.longestMs, 2 * waitMs)) {
      await grpc.ask(publish.path, publish.body, until).catch(() => {})
      await sleep(clock, waitMs, until).catch(() => {})
    }
  }
  const follow = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await listen()
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
