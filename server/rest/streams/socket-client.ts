/** A client of exec or attach that came by WebSocket. */
import type { WebSocket } from 'ws'
import type { Clock } from '../../../api/clock.ts'
import { messageOf, readMessage, type ChannelProtocol } from './channels.ts'
import type { StreamClient } from './client.ts'

/** A client whose words wait is not heard, so its pings are not either: it is told that we live, more often than it gives up. */
const aliveMs = 10_000
/** What a closing socket may take. */
const closingMs = 5_000

export function createSocketClient(ws: WebSocket, protocol: ChannelProtocol, clock: Clock): StreamClient {
  const send = (bytes: Uint8Array): Promise<void> => new Promise((resolve) => ws.send(bytes, () => resolve()))
  return {
    listen(take) {
      const listener = createListener(ws, clock)
      ws.on('message', (data: Buffer) => {
        const word = readMessage(protocol, data)
        if (word) listener(() => take(word))
      })
    },
    send: (kind, bytes) => send(messageOf(kind, bytes)),
    finish(outcome) {
      void send(messageOf('error', Buffer.from(JSON.stringify(outcome))))
      closeSocket(ws, clock)
    },
  }
}

/** Closes in order, and without it if the client does not answer. */
export function closeSocket(ws: WebSocket, clock: Clock): void {
  ws.close(1000)
  // One that waits for its words to be taken would not hear the answer.
  ws.resume()
  const cancel = clock.after(closingMs, () => ws.terminate())
  ws.once('close', cancel)
}

/** One after the other; while one is under way, the socket is not read. */
export function createListener(ws: WebSocket, clock: Clock): (work: () => Promise<void>) => void {
  let last: Promise<void> = Promise.resolve()
  let waiting = 0
  let cancel = (): void => {}
  const alive = (): void => {
    cancel = clock.after(aliveMs, () => {
      if (ws.readyState !== ws.OPEN) return
      ws.pong()
      alive()
    })
  }
  return (work) => {
    if (waiting++ === 0) {
      ws.pause()
      alive()
    }
    last = last.then(work).finally(() => {
      if (--waiting > 0) return
      cancel()
      ws.resume()
    })
    // Work tells its own failures.
    last.catch(() => {})
  }
}

