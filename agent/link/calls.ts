/** Answers what the hub asks of this node. The answers themselves come from handlers that are handed in. */
import type { CallFrame, CancelFrame, DataFrame, EndFrame, NodeCall } from '../../api/frames.ts'
import { errorKeys, type Log } from '../../api/log.ts'

type CallOf<M extends NodeCall['method']> = Extract<NodeCall, { readonly method: M }>

/** One for each method. What they throw becomes the `end.error` of the answer, by its code. */
export type CallHandlers = {
  readonly [M in NodeCall['method']]: (call: CallOf<M>, signal: AbortSignal) => AsyncIterable<Uint8Array>
}

export interface CallsDeps {
  readonly handlers: CallHandlers
  /** Resolves when the connection has taken the frame; rejects when it is gone. */
  readonly send: (frame: DataFrame | EndFrame) => Promise<void>
  readonly log: Log
}

export interface Calls {
  take(frame: CallFrame | CancelFrame): void
  /** The connection is gone: nobody waits for an answer any more. */
  close(): void
}

/** A `data` frame is no longer, so that other frames get their turn in between. Bytes. */
const dataBytes = 128 * 1024
/** Calls that are answered at the same time. */
const together = 64

export function createCalls({ handlers, send, log }: CallsDeps): Calls {
  const open = new Map<number, AbortController>()

  const answer = async ({ id, call }: CallFrame, signal: AbortSignal): Promise<void> => {
    for await (const bytes of handle(handlers, call, signal)) {
      for (let at = 0; at < bytes.byteLength; at += dataBytes) {
        if (signal.aborted) return
        await send({ kind: 'data', id, bytes: bytes.subarray(at, at + dataBytes) })
      }
      if (signal.aborted) return
    }
    await send({ kind: 'end', id })
  }

  const start = async (frame: CallFrame): Promise<void> => {
    const cancel = new AbortController()
    open.set(frame.id, cancel)
    try {
      await answer(frame, cancel.signal)
    } catch (e) {
      if (cancel.signal.aborted) return
      log.debug('a call of the hub failed', { method: frame.call.method, ...errorKeys(e) })
      await send({ kind: 'end', id: frame.id, error: wordsOf(e) })
    } finally {
      open.delete(frame.id)
    }
  }

  const run = (frame: CallFrame): Promise<void> => {
    if (open.size < together) return start(frame)
    const message = `the node answers ${together} calls already; try again when one has ended`
    return send({ kind: 'end', id: frame.id, error: { code: 'LINK_REFUSED', message } })
  }

  return {
    take(frame) {
      if (frame.kind === 'cancel') open.get(frame.id)?.abort()
      // The connection is gone when `send` rejects; there is nobody to tell.
      else run(frame).catch((e: unknown) => log.debug('an answer was not sent', errorKeys(e)))
    },
    close() {
      for (const cancel of open.values()) cancel.abort()
    },
  }
}

function handle(handlers: CallHandlers, call: NodeCall, signal: AbortSignal): AsyncIterable<Uint8Array> {
  switch (call.method) {
    case 'logs':
      return handlers.logs(call, signal)
    case 'rules':
      return handlers.rules(call, signal)
  }
}

/** The code of one of our errors, or of the system's, or else the name of the error's class. */
function wordsOf(e: unknown): { readonly code: string; readonly message: string } {
  if (!(e instanceof Error)) return { code: 'Error', message: String(e) }
  const { code } = e as { readonly code?: unknown }
  return { code: typeof code === 'string' ? code : e.name, message: e.message }
}
