/** Answers what the hub asks of this node. The answers themselves come from handlers that are handed in. */
import { costOf, createInbox, createRoom, type CallInput, type CallPart, type Inbox, type Room } from '../../api/call-flow.ts'
import type { AgentFrame, CallFrame, HubFrame, NodeCall } from '../../api/frames.ts'
import { errorKeys, type Log } from '../../api/log.ts'

type CallOf<M extends NodeCall['method']> = Extract<NodeCall, { readonly method: M }>

/** One for each method; bytes alone are `out`. What they throw becomes the `end.error` of the answer, by its code. */
export type CallHandlers = {
  readonly [M in NodeCall['method']]: (call: CallOf<M>, signal: AbortSignal, input: AsyncIterable<CallInput>) => AsyncIterable<CallPart | Uint8Array>
}

type OwnFrame = Extract<AgentFrame, { kind: 'data' | 'end' | 'room' }>

export interface CallsDeps {
  readonly handlers: CallHandlers
  /** Resolves when the connection has taken the frame; rejects when it is gone. */
  readonly send: (frame: OwnFrame) => Promise<void>
  readonly log: Log
}

/** The hub's part of a call. */
export type CallsFrame = Extract<HubFrame, { kind: 'call' | 'cancel' | 'input' | 'inputEnd' | 'resize' | 'room' }>

export interface Calls {
  take(frame: CallsFrame): void
  /** The connection is gone: nobody waits for an answer any more. */
  close(): void
}

/** Calls that are answered at the same time. */
const together = 128

interface Open {
  readonly cancel: AbortController
  readonly input: Inbox<CallInput>
  readonly room: Room
}

export function createCalls({ handlers, send, log }: CallsDeps): Calls {
  const open = new Map<number, Open>()
  // The connection is gone when `send` rejects; there is nobody to tell.
  const post = (frame: OwnFrame): void => void send(frame).catch((e: unknown) => log.debug('an answer was not sent', errorKeys(e)))

  /** @returns the exit code, if there is one */
  const answer = async ({ id, call }: CallFrame, { cancel: { signal }, input, room }: Open): Promise<number | undefined> => {
    for await (const part of handle(handlers, call, { signal, input })) {
      if (signal.aborted) return undefined
      if ('kind' in part && part.kind === 'exit') return part.code
      const bytes = 'kind' in part ? part.bytes : part
      const err = 'kind' in part && part.kind === 'err'
      for (let at = 0; at < bytes.byteLength; ) {
        const some = await room.take(bytes.byteLength - at, signal)
        await send({ kind: 'data', id, bytes: bytes.subarray(at, at + some), ...(err && { err }) })
        at += some
      }
    }
    return undefined
  }

  const start = async (frame: CallFrame): Promise<void> => {
    const { id } = frame
    const input = createInbox<CallInput>({ give: (room) => open.has(id) && post({ kind: 'room', id, room }) })
    const call: Open = { cancel: new AbortController(), input, room: createRoom() }
    open.set(id, call)
    try {
      const exitCode = await answer(frame, call)
      if (!call.cancel.signal.aborted) await send({ kind: 'end', id, ...(exitCode !== undefined && { exitCode }) })
    } catch (e) {
      if (call.cancel.signal.aborted) return
      log.debug('a call of the hub failed', { method: frame.call.method, ...errorKeys(e) })
      await send({ kind: 'end', id, error: wordsOf(e) })
    } finally {
      open.delete(id)
      input.end()
    }
  }

  const run = (frame: CallFrame): void => {
    if (open.size < together) return void start(frame).catch((e: unknown) => log.debug('an answer was not sent', errorKeys(e)))
    const message = `the node answers ${together} calls already; try again when one has ended`
    post({ kind: 'end', id: frame.id, error: { code: 'LINK_REFUSED', message } })
  }

  const give = (id: number, input: CallInput, bytes: number): void => {
    const call = open.get(id)
    if (!call || call.input.put(input, costOf(bytes))) return
    call.cancel.abort()
    post({ kind: 'end', id, error: { code: 'LINK_REFUSED', message: 'the hub sent more than there was room for' } })
  }

  return {
    take(frame) {
      switch (frame.kind) {
        case 'call':
          return run(frame)
        case 'cancel':
          return open.get(frame.id)?.cancel.abort()
        case 'input':
          return give(frame.id, { kind: 'bytes', bytes: frame.bytes }, frame.bytes.byteLength)
        case 'resize':
          return give(frame.id, { kind: 'resize', width: frame.width, height: frame.height }, 0)
        case 'inputEnd':
          return open.get(frame.id)?.input.end()
        case 'room':
          return open.get(frame.id)?.room.add(frame.room)
      }
    },
    close() {
      for (const { cancel } of open.values()) cancel.abort()
    },
  }
}

interface Talk {
  readonly signal: AbortSignal
  readonly input: AsyncIterable<CallInput>
}

function handle<M extends NodeCall['method']>(handlers: CallHandlers, call: CallOf<M>, { signal, input }: Talk): AsyncIterable<CallPart | Uint8Array> {
  // The compiler does not see that method and handler go together.
  const handler = handlers[call.method] as (call: NodeCall, signal: AbortSignal, input: AsyncIterable<CallInput>) => AsyncIterable<CallPart | Uint8Array>
  return handler(call, signal, input)
}

/** The code of one of our errors, or of the system's, or else the name of the error's class. */
function wordsOf(e: unknown): { readonly code: string; readonly message: string } {
  if (!(e instanceof Error)) return { code: 'Error', message: String(e) }
  const { code } = e as { readonly code?: unknown }
  return { code: typeof code === 'string' ? code : e.name, message: e.message }
}
