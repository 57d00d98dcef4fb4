/** Where watch events go: a chunked HTTP answer, or a WebSocket. */
import type { ServerResponse } from 'node:http'
import type { WebSocket } from 'ws'

export interface Sink {
  send(text: string): void
  /** Bytes that were sent and that the connection has not taken yet. */
  readonly waiting: number
  /** Calls back once when nothing waits any more. */
  onDrained(call: () => void): void
  /** Ends the stream in good order. */
  end(): void
  /** Drops the connection and what waits in it. */
  cut(): void
}

interface Wire {
  write(text: string, done: () => void): void
  end(): void
  cut(): void
}

function createSink(wire: Wire): Sink {
  let waiting = 0
  let drained: (() => void) | undefined
  return {
    get waiting() {
      return waiting
    },
    send(text) {
      const size = Buffer.byteLength(text)
      waiting += size
      wire.write(text, () => {
        waiting -= size
        if (waiting > 0 || !drained) return
        const call = drained
        drained = undefined
        call()
      })
    },
    onDrained(call) {
      if (waiting === 0) call()
      else drained = call
    },
    end: () => wire.end(),
    cut: () => wire.cut(),
  }
}

/** One JSON document a line, as `Transfer-Encoding: chunked`. The head is sent at once. */
export function httpSink(res: ServerResponse): Sink {
  res.statusCode = 200
  res.setHeader('Content-Type', 'application/json')
  res.setHeader('Cache-Control', 'no-cache, private')
  res.flushHeaders()
  return createSink({
    write: (text, done) => void res.write(text, done),
    end: () => void res.end(),
    cut: () => void res.destroy(),
  })
}

/** One text frame for each event. */
export function socketSink(socket: WebSocket): Sink {
  return createSink({
    write: (text, done) => socket.send(text.trimEnd(), done),
    end: () => socket.close(1000),
    cut: () => socket.terminate(),
  })
}
