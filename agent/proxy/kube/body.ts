/** Reading answers as they come, with an end to patience and to size. */
import { Buffer } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../../api/clock.ts'
import { ProxyError } from '../error.ts'
import { ApiFailure, lost, notReached } from './failure.ts'

export interface Pieces {
  /** How long nothing may come. */
  readonly silentMs: number
  /** Throwing ends it with that error. */
  readonly onChunk: (chunk: Buffer) => void
}

export interface BodyReader {
  /** Resolves at the end of the body. @throws ApiFailure API_LOST; what `onChunk` throws; the signal's reason */
  pieces(response: IncomingMessage, options: Pieces, signal: AbortSignal): Promise<void>
  /** The same as one text. @throws ApiFailure API_UNREADABLE beyond `most` bytes */
  whole(response: IncomingMessage, options: { readonly stallMs: number; readonly most: number }, signal: AbortSignal): Promise<string>
}

/** @param server for what errors say */
export function createBodyReader(clock: Clock, server: URL): BodyReader {
  const pieces: BodyReader['pieces'] = (response, { silentMs, onChunk }, signal) =>
    new Promise((resolve, reject) => {
      let cancel = (): void => {}
      const arm = (): void => {
        cancel()
        cancel = clock.after(silentMs, () => response.destroy(lost(`nothing came from the API server for ${silentMs} ms`)))
      }
      const fail = (e: unknown): void => {
        cancel()
        reject(signal.aborted ? (signal.reason as Error) : e instanceof ProxyError ? e : notReached(server, e as Error))
      }
      arm()
      response.on('data', (chunk: Buffer) => {
        arm()
        try {
          onChunk(chunk)
        } catch (e) {
          fail(e)
          response.destroy()
        }
      })
      response.on('end', () => {
        cancel()
        resolve()
      })
      response.on('error', fail)
      // However it went: after `end` or `error` this changes nothing any more.
      response.on('close', () => fail(lost('an answer of the API server was cut off')))
    })

  return {
    pieces,
    async whole(response, { stallMs, most }, signal) {
      const chunks: Buffer[] = []
      let size = 0
      const onChunk = (chunk: Buffer): void => {
        size += chunk.length
        if (size > most) throw new ApiFailure('API_UNREADABLE', `an answer of the API server is larger than ${most} bytes`)
        chunks.push(chunk)
      }
      await pieces(response, { silentMs: stallMs, onChunk }, signal)
      return Buffer.concat(chunks).toString()
    },
  }
}
