/** A client of exec or attach that came by SPDY/3.1: a stream for each of its inputs and outputs, named by the header `streamtype`. */
import type { Clock } from '../../../api/clock.ts'
import { StatusError } from '../../../api/status.ts'
import type { SpdySession, SpdyStream } from '../spdy/session.ts'
import { readSize } from './channels.ts'
import type { StreamClient, Wanted } from './client.ts'

/** The client opens its streams one after the other; it has so long. Milliseconds. */
const openingMs = 30_000

export interface SpdyWish extends Wanted {
  readonly stdin: boolean
  readonly tty: boolean
}

/**
 * Resolves when all streams are open that a client of protocol v4 opens for what it wants.
 * @throws StatusError Timeout where they do not come; what `SpdySession.run` throws
 */
export async function openSpdyClient(session: SpdySession, wish: SpdyWish, clock: Clock): Promise<StreamClient> {
  const { stdin, stdout, stderr, tty } = wish
  const wanted = { error: true, stdin, stdout, stderr, resize: tty }
  const missing = new Set(Object.entries(wanted).flatMap(([name, is]) => (is ? [name] : [])))
  const streams = new Map<string, SpdyStream>()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = clock.after(openingMs, () => reject(new StatusError('Timeout', `the client did not open: ${[...missing].join(', ')}`)))
  session
    .run((stream) => {
      const name = stream.headers['streamtype'] ?? ''
      if (!missing.delete(name)) return stream.reset()
      streams.set(name, stream)
      if (missing.size === 0) resolve()
    })
    .then(() => reject(new StatusError('Timeout', 'the client went away')), reject)
  try {
    await promise
  } catch (e) {
    session.close()
    throw e
  } finally {
    cancel()
  }
  return clientOf(session, streams)
}

function clientOf(session: SpdySession, streams: ReadonlyMap<string, SpdyStream>): StreamClient {
  return {
    listen(take) {
      const [stdin, resize] = [streams.get('stdin'), streams.get('resize')]
      const read = async (stream: SpdyStream, each: (bytes: Uint8Array) => Promise<void>): Promise<void> => {
        for await (const bytes of stream.data) await each(bytes)
      }
      if (stdin) void read(stdin, (bytes) => take({ kind: 'bytes', bytes })).then(() => take({ kind: 'end' }))
      if (resize) {
        void read(resize, async (bytes) => {
          const size = readSize(bytes)
          if (size) await take(size)
        })
      }
    },
    send: async (kind, bytes) => streams.get(kind === 'out' ? 'stdout' : 'stderr')?.write(bytes),
    finish(outcome) {
      void streams.get('error')?.write(Buffer.from(JSON.stringify(outcome)))
      for (const stream of streams.values()) stream.end()
      session.close()
    },
  }
}
