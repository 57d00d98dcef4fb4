/**
 * The server's end of a SPDY/3.1 connection, as kubectl uses it: the client opens streams, both sides send on them. The clients
 * know no flow control of their own, so a stream that is not read holds up the whole connection, and nothing piles up.
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '../../../api/clock.ts'
import { StatusError, badRequest } from '../../../api/status.ts'
import { frameHead, frameLength, readFrame, rstStatus, writeFrame, type SpdyFrame } from './frames.ts'
import { createHeaderBlocks, type SpdyHeaders } from './headers.ts'

export interface SpdyStream {
  readonly headers: SpdyHeaders
  /** What the client sends, in order, until it has ended its side. To be read once. */
  readonly data: AsyncIterable<Uint8Array>
  /** Resolves when the connection has taken it; after the end of either side nothing is sent. */
  write(bytes: Uint8Array): Promise<void>
  /** Our side has said everything. */
  end(): void
  /** Both sides are over. */
  reset(): void
  /** Aborts when it is over before its ends were told: reset, or the connection is gone. */
  readonly gone: AbortSignal
}

export interface SpdySession {
  /** Reads until the connection ends. Calls `onStream` for each stream. @throws StatusError BadRequest for what is no SPDY */
  run(onStream: (stream: SpdyStream) => void): Promise<void>
  /** Says that it is over, and ends the connection. */
  close(): void
}

/** What a client has to close its end. Milliseconds. */
const closingMs = 5_000
/** Streams that are open at the same time. */
const together = 512
/** What of a stream may wait to be read before the connection is not read any more. */
const waitingBytes = 256 * 1024

export function createSpdySession(wire: Duplex, clock: Clock): SpdySession {
  const blocks = createHeaderBlocks()
  const streams = new Map<number, Line>()
  let lastId = 0

  const send = (frame: Parameters<typeof writeFrame>[0]): Promise<void> =>
    new Promise((resolve) => (wire.writable ? wire.write(writeFrame(frame), () => resolve()) : resolve()))
  const forget = (id: number): void => {
    streams.get(id)?.fail()
    streams.delete(id)
  }

  const open = async ({ id, fin, headers }: Extract<SpdyFrame, { kind: 'synStream' }>, onStream: (stream: SpdyStream) => void): Promise<void> => {
    // Read in any case: the blocks of one connection depend on each other.
    const words = await blocks.read(headers)
    if (id % 2 === 0 || streams.has(id)) throw badRequest(`SPDY stream ${id} is not the client's to open`)
    lastId = Math.max(lastId, id)
    if (streams.size >= together) return send({ kind: 'rst', id, status: rstStatus.refused })
    const line = createLine(id, { send, drop: () => streams.delete(id) })
    streams.set(id, line)
    if (fin) line.finish()
    await send({ kind: 'synReply', id, headers: await blocks.write({}) })
    onStream({ headers: words, ...line.stream })
  }

  const take = async (frame: SpdyFrame, onStream: (stream: SpdyStream) => void): Promise<void> => {
    switch (frame.kind) {
      case 'synStream':
        return open(frame, onStream)
      case 'data': {
        const line = streams.get(frame.id)
        await line?.put(frame.bytes)
        if (frame.fin) line?.finish()
        return
      }
      case 'headers':
      case 'synReply':
        return void (await blocks.read(frame.headers))
      case 'rst':
        return forget(frame.id)
      case 'ping':
        return send(frame)
      case 'goAway':
      case 'other':
    }
  }

  return {
    async run(onStream) {
      try {
        for await (const frame of framesOf(wire)) await take(frame, onStream)
      } finally {
        for (const id of streams.keys()) forget(id)
        blocks.close()
        wire.destroy()
      }
    },
    close() {
      void send({ kind: 'goAway', lastId })
      wire.end()
      const cancel = clock.after(closingMs, () => void wire.destroy())
      wire.once('close', cancel)
    },
  }
}

async function* framesOf(wire: Duplex): AsyncGenerator<SpdyFrame> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const part of wire as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? part : Buffer.concat([rest, part])
    while (rest.length >= frameHead) {
      const length = frameLength(rest)
      const frame = length === undefined || rest.length < length ? undefined : readFrame(rest.subarray(0, length))
      if (length !== undefined && rest.length < length) break
      if (length === undefined || !frame) throw badRequest('the connection does not speak SPDY/3.1, or in frames of more than 1 MiB')
      rest = rest.subarray(length)
      yield frame
    }
  }
}

/** One stream. */
interface Line {
  readonly stream: Omit<SpdyStream, 'headers'>
  /** Resolves when there is room for more. */
  put(bytes: Uint8Array): Promise<void>
  /** The client has ended its side. */
  finish(): void
  /** The stream is over. */
  fail(): void
}

interface LineDeps {
  readonly send: (frame: Parameters<typeof writeFrame>[0]) => Promise<void>
  readonly drop: () => void
}

function createLine(id: number, { send, drop }: LineDeps): Line {
  const waiting: Uint8Array[] = []
  let bytes = 0
  let theirs: 'open' | 'ended' = 'open'
  let ours: 'open' | 'ended' = 'open'
  let wake = Promise.withResolvers<void>()
  const stir = (): void => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  const settle = (): void => {
    stir()
    if (theirs === 'ended' && ours === 'ended') drop()
  }
  async function* data(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = waiting.shift()
      if (next) {
        bytes -= next.length
        stir()
        yield next
      } else if (theirs === 'ended') return
      else await wake.promise
    }
  }
  const lost = new AbortController()
  const over = (): void => {
    if (theirs === 'open' || ours === 'open') lost.abort(new StatusError('Timeout', 'the client went away'))
    theirs = ours = 'ended'
    waiting.length = 0
    bytes = 0
    settle()
  }
  return {
    stream: {
      data: data(),
      gone: lost.signal,
      write: (part) => (ours === 'open' ? send({ kind: 'data', id, fin: false, bytes: Buffer.from(part) }) : Promise.resolve()),
      end() {
        if (ours === 'ended') return
        ours = 'ended'
        void send({ kind: 'data', id, fin: true, bytes: Buffer.alloc(0) })
        settle()
      },
      reset() {
        if (theirs === 'open' || ours === 'open') void send({ kind: 'rst', id, status: rstStatus.cancel })
        over()
      },
    },
    async put(part) {
      if (theirs === 'ended' || part.length === 0) return
      waiting.push(part)
      bytes += part.length
      stir()
      while (bytes > waitingBytes && theirs === 'open') await wake.promise
    },
    finish() {
      theirs = 'ended'
      settle()
    },
    fail: over,
  }
}

