/** Questions to a node that wait for their answer: `call` goes out, `data` frames and one `end` come back. */
import type { AgentFrame, HubFrame, NodeCall } from '../../api/frames.ts'
import { StatusError } from '../../api/status.ts'

export interface Answers {
  /** Asks when it is first read. @throws StatusError as the node says, or ServiceUnavailable */
  ask(call: NodeCall, signal: AbortSignal): AsyncIterable<Uint8Array>
  take(frame: Extract<AgentFrame, { kind: 'data' | 'end' }>): void
  /** The connection is gone: whoever waits is told. */
  close(): void
}

/**
 * An answer of which so much waits to be read is ended, so that a slow reader fills neither the hub's memory nor the
 * connection. A container's whole log, with the file before it, is smaller.
 */
const unreadBytes = 32 * 1024 * 1024

interface Question {
  readonly parts: Uint8Array[]
  bytes: number
  /** Undefined while more may come. */
  end?: { readonly error?: StatusError }
  wake: () => void
}

/** The answer to a call for which there is no connection. */
export function unreachable(node: string): StatusError {
  return new StatusError('ServiceUnavailable', `node ${node} has no connection to the hub; try again when its agent is back`)
}

export function createAnswers(node: string, send: (frame: HubFrame) => void, bound: number = unreadBytes): Answers {
  const open = new Map<number, Question>()
  let last = 0
  let closed = false

  const finish = (question: Question, error?: StatusError): void => {
    question.end ??= error ? { error } : {}
    question.wake()
  }

  return {
    async *ask(call, signal) {
      signal.throwIfAborted()
      if (closed) throw unreachable(node)
      const id = ++last
      const question: Question = { parts: [], bytes: 0, wake: () => {} }
      const abort = (): void => question.wake()
      open.set(id, question)
      signal.addEventListener('abort', abort, { once: true })
      try {
        send({ kind: 'call', id, call })
        yield* parts(question, signal)
      } finally {
        signal.removeEventListener('abort', abort)
        open.delete(id)
        if (!question.end) send({ kind: 'cancel', id })
      }
    },
    take(frame) {
      const question = open.get(frame.id)
      // It was cancelled, or cut off below; what was on its way is not wanted any more.
      if (!question || question.end) return
      if (frame.kind === 'end') return finish(question, frame.error && failure(node, frame.error))
      question.parts.push(frame.bytes)
      question.bytes += frame.bytes.byteLength
      if (question.bytes <= bound) return question.wake()
      send({ kind: 'cancel', id: frame.id })
      finish(question, new StatusError('ServiceUnavailable', `the answer of node ${node} was not read in time`))
    },
    close() {
      closed = true
      for (const question of open.values()) finish(question, unreachable(node))
    },
  }
}

async function* parts(question: Question, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (;;) {
    signal.throwIfAborted()
    const part = question.parts.shift()
    if (part) {
      question.bytes -= part.byteLength
      yield part
    } else if (question.end) {
      if (question.end.error) throw question.end.error
      return
    } else await new Promise<void>((resolve) => (question.wake = resolve))
  }
}

function failure(node: string, { code, message }: { readonly code: string; readonly message: string }): StatusError {
  switch (code) {
    case 'CONTAINER_UNKNOWN':
      return new StatusError('NotFound', message)
    case 'CONTAINER_CONFIG':
    case 'USAGE':
      return new StatusError('BadRequest', message)
    case 'LINK_REFUSED':
      return new StatusError('ServiceUnavailable', `node ${node}: ${message}`)
    default:
      return new StatusError('InternalError', `node ${node}: ${message}`)
  }
}
