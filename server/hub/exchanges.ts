/**
 * Questions to a node over its socket, any number at a time: `call` goes out, `data` and one `end` come back, and where a
 * call takes input, `input` goes out as well. What waits on either side is bounded by `api/call-flow.ts`.
 */
import { costOf, createInbox, createRoom, type CallPart, type Inbox, type Room } from '../../api/call-flow.ts'
import type { AgentFrame, HubFrame, NodeCall } from '../../api/frames.ts'
import { StatusError } from '../../api/status.ts'

/** One question with all that goes to and fro. */
export interface Exchange {
  /**
   * The answer, to be read once; the node is not asked for more than is read. Leaving the loop cancels.
   * @throws StatusError as the node says, or ServiceUnavailable; the signal's reason
   */
  readonly parts: AsyncIterable<CallPart>
  /** Resolves when it is on its way, which waits for the node to read. After the end nothing is sent, and it resolves. */
  write(bytes: Uint8Array): Promise<void>
  endInput(): void
  /** In characters. */
  resize(width: number, height: number): void
  /** Ends it on both sides. */
  cancel(): void
}

export interface Exchanges {
  /** Asks at once. @throws StatusError ServiceUnavailable */
  open(call: NodeCall, signal: AbortSignal): Exchange
  take(frame: Extract<AgentFrame, { kind: 'data' | 'end' | 'room' }>): void
  /** The connection is gone: whoever waits is told. */
  close(): void
  /** Whether no question is open. */
  isIdle(): boolean
}

interface Question {
  readonly inbox: Inbox<CallPart>
  readonly room: Room
  /** Aborts when the exchange is over, for whatever reason. */
  readonly over: AbortController
  finish(error?: Error): void
}

/** The answer to a call for which there is no connection. */
export function unreachable(node: string): StatusError {
  return new StatusError('ServiceUnavailable', `node ${node} has no connection to the hub; try again when its agent is back`)
}

/** @param onIdle called when the last of the open questions is over */
export function createExchanges(node: string, send: (frame: HubFrame) => void, onIdle: () => void = () => {}): Exchanges {
  const open = new Map<number, Question>()
  let last = 0
  let closed = false

  const begin = (id: number): Question => {
    const over = new AbortController()
    const inbox = createInbox<CallPart>({ give: (room) => open.has(id) && send({ kind: 'room', id, room }) })
    return {
      inbox,
      room: createRoom(),
      over,
      finish(error) {
        open.delete(id)
        inbox.end(error)
        over.abort()
        if (open.size === 0) onIdle()
      },
    }
  }

  return {
    open(call, signal) {
      signal.throwIfAborted()
      if (closed) throw unreachable(node)
      const id = ++last
      const question = begin(id)
      open.set(id, question)
      /** A node that has ended it already is not told. */
      const cancel = (error?: Error): void => {
        if (!open.has(id)) return
        question.finish(error)
        send({ kind: 'cancel', id })
      }
      const abort = (): void => cancel(signal.reason as Error)
      signal.addEventListener('abort', abort, { once: true })
      question.over.signal.addEventListener('abort', () => signal.removeEventListener('abort', abort))
      send({ kind: 'call', id, call })
      return exchange({ id, question, send, cancel })
    },
    take(frame) {
      const question = open.get(frame.id)
      // It was cancelled; what was on its way is not wanted any more.
      if (!question) return
      if (frame.kind === 'room') return question.room.add(frame.room)
      if (frame.kind === 'end') return end(question, frame)
      const fits = question.inbox.put({ kind: frame.err ? 'err' : 'out', bytes: frame.bytes }, costOf(frame.bytes.byteLength))
      if (fits) return
      question.finish(new StatusError('InternalError', `node ${node} sent more than there was room for`))
      send({ kind: 'cancel', id: frame.id })
    },
    close() {
      closed = true
      for (const question of open.values()) question.finish(unreachable(node))
    },
    isIdle: () => open.size === 0,
  }

  function end(question: Question, { error, exitCode }: Extract<AgentFrame, { kind: 'end' }>): void {
    if (exitCode !== undefined) question.inbox.put({ kind: 'exit', code: exitCode }, 0)
    question.finish(error && failure(node, error))
  }
}

interface ExchangeParts {
  readonly id: number
  readonly question: Question
  readonly send: (frame: HubFrame) => void
  readonly cancel: () => void
}

function exchange({ id, question, send, cancel }: ExchangeParts): Exchange {
  const { over, room, inbox } = question
  async function* parts(): AsyncGenerator<CallPart> {
    try {
      yield* inbox
    } finally {
      cancel()
    }
  }
  const tell = (frame: HubFrame): void => void (over.signal.aborted || send(frame))
  return {
    parts: parts(),
    async write(bytes) {
      try {
        for (let at = 0; at < bytes.byteLength; ) {
          const some = await room.take(bytes.byteLength - at, over.signal)
          tell({ kind: 'input', id, bytes: bytes.subarray(at, at + some) })
          at += some
        }
      } catch (e) {
        if (!over.signal.aborted) throw e
      }
    },
    endInput: () => tell({ kind: 'inputEnd', id }),
    resize: (width, height) => tell({ kind: 'resize', id, width, height }),
    cancel: () => cancel(),
  }
}

function failure(node: string, { code, message }: { readonly code: string; readonly message: string }): StatusError {
  switch (code) {
    case 'CONTAINER_UNKNOWN':
      return new StatusError('NotFound', message)
    case 'CONTAINER_CONFIG':
    case 'USAGE':
      return new StatusError('BadRequest', message)
    case 'CONNECT_FAILED':
      return new StatusError('ServiceUnavailable', message)
    case 'LINK_REFUSED':
      return new StatusError('ServiceUnavailable', `node ${node}: ${message}`)
    default:
      return new StatusError('InternalError', `node ${node}: ${message}`)
  }
}
