/** The client's end of an exec or attach, over whatever carries it, and what passes between it and the node. */
import type { CallInput } from '../../../api/call-flow.ts'
import { errorKeys } from '../../../api/log.ts'
import { StatusError } from '../../../api/status.ts'
import type { Exchange } from '../../hub/exchanges.ts'
import type { Call } from '../call.ts'

/** What a client says; `end` when its stdin has ended. */
export type ClientWord = CallInput | { readonly kind: 'end' }

/** How it went, as the client is told on its error channel: meta/v1 Status, in which an exit code is a cause. */
export interface Outcome {
  readonly metadata: Record<string, never>
  readonly status: 'Success' | 'Failure'
  readonly message?: string
  readonly reason?: string
  readonly details?: { readonly causes?: readonly { readonly reason: string; readonly message: string }[] }
  readonly code?: number
}

export interface StreamClient {
  /** Calls `take` with each word, the next only when it has been taken; the client is slowed down meanwhile. */
  listen(take: (word: ClientWord) => Promise<void>): void
  /** Resolves when the client has taken it, or is gone. */
  send(kind: 'out' | 'err', bytes: Uint8Array): Promise<void>
  /** Tells how it went and ends the connection. */
  finish(outcome: Outcome): void
}

export const succeeded: Outcome = { metadata: {}, status: 'Success' }

export function exited(code: number): Outcome {
  if (code === 0) return succeeded
  const message = `command terminated with non-zero exit code: ${code}`
  return { metadata: {}, status: 'Failure', message, reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: String(code) }] } }
}

/** What an error comes to, in the client's words. What is no Status is a fault of ours: it is logged. */
export function failed({ deps, req }: Call, e: unknown): Outcome {
  if (e instanceof StatusError) return e.status as Outcome
  deps.log.error('a connection failed', { url: req.url, ...errorKeys(e) })
  return new StatusError('InternalError', 'Internal error occurred: the hub has logged it').status as Outcome
}

export interface Wanted {
  readonly stdout: boolean
  readonly stderr: boolean
}

/** Carries everything both ways until the node has answered or the client is gone. */
export async function converse(call: Call, { client, exchange, wanted }: { client: StreamClient; exchange: Exchange; wanted: Wanted }): Promise<void> {
  client.listen(async (word) => {
    if (word.kind === 'bytes') await exchange.write(word.bytes)
    else if (word.kind === 'resize') exchange.resize(word.width, word.height)
    else exchange.endInput()
  })
  try {
    let outcome = succeeded
    for await (const part of exchange.parts) {
      if (part.kind === 'exit') outcome = exited(part.code)
      else if (part.kind === 'out' ? wanted.stdout : wanted.stderr) await client.send(part.kind, part.bytes)
    }
    client.finish(outcome)
  } catch (e) {
    if (!call.signal.aborted) client.finish(failed(call, e))
  }
}
