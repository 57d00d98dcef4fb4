/**
 * What goes out to one agent: first a stretch (the whole state, or what it missed) at the pace of its connection, then live
 * frames. Live frames that come before the end of the stretch wait behind it. What waits is bounded.
 */
import type { WebSocket } from 'ws'

export interface Outflow {
  /** Sends the stretch as the connection keeps up, then what waited. To be called once. Rejects when the connection ends. */
  open(stretch: Iterable<Uint8Array>): Promise<void>
  /** Sends a frame at once, or after the stretch. */
  push(frame: Uint8Array): void
  /** Sends frames in one go, which `message` makes of them, or after the stretch. */
  pushAll(frames: readonly Uint8Array[], message: (frames: readonly Uint8Array[]) => Uint8Array): void
}

export interface OutflowBounds {
  /** What may wait, here and in the socket, before `overflow` is called. */
  readonly queueBytes: number
  /** The connection under the WebSocket, on which messages may be written that many agents get as they are. */
  readonly line?: Line | undefined
}

export interface Line {
  write(bytes: Uint8Array): unknown
}

export type OutflowSocket = Pick<WebSocket, 'bufferedAmount' | 'readyState' | 'OPEN'> & {
  send(frame: Uint8Array, sent?: (e?: Error | null) => void): void
}

/** Bytes sent before the connection is waited for, and others get their turn. */
const portion = 256 * 1024

/** @param overflow called once; nothing is sent any more */
export function createOutflow(socket: OutflowSocket, { queueBytes, line }: OutflowBounds, overflow: () => void): Outflow {
  let waiting: Uint8Array[] | undefined = []
  let waitingBytes = 0
  let over = false

  const isOpen = (): boolean => !over && socket.readyState === socket.OPEN
  const check = (): void => {
    if (over || socket.bufferedAmount + waitingBytes <= queueBytes) return
    over = true
    waiting = undefined
    overflow()
  }
  const send = (frame: Uint8Array): void => {
    if (!isOpen()) return
    socket.send(frame)
    check()
  }
  const drained = (frame: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => socket.send(frame, (e) => (e ? reject(e) : setImmediate(resolve))))

  const push = (frame: Uint8Array): void => {
    if (!waiting) return send(frame)
    waiting.push(frame)
    waitingBytes += frame.byteLength
    check()
  }

  return {
    async open(stretch) {
      let sent = 0
      for (const frame of stretch) {
        if (!isOpen()) return
        sent += frame.byteLength
        if (sent < portion) socket.send(frame)
        else {
          await drained(frame)
          sent = 0
        }
      }
      const behind = waiting ?? []
      waiting = undefined
      waitingBytes = 0
      for (const frame of behind) send(frame)
    },
    push,
    pushAll(frames, message) {
      if (waiting || !line) return frames.forEach(push)
      if (!isOpen()) return
      line.write(message(frames))
      check()
    },
  }
}
