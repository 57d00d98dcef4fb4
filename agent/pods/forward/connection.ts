/** What passes between a call of the hub and a connection. */
import type { Socket } from 'node:net'
import type { CallInput, CallPart } from '../../../api/call-flow.ts'

/** What comes on the connection, until its other end has ended; input goes out as fast as it is taken. Closes the connection. */
export async function* carry(socket: Socket, input: AsyncIterable<CallInput>, signal: AbortSignal): AsyncGenerator<CallPart> {
  const abort = (): void => void socket.destroy()
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  const sending = send(socket, input)
  // What breaks the connection is met where it is read.
  sending.catch(() => {})
  try {
    for await (const bytes of socket as AsyncIterable<Buffer>) yield { kind: 'out', bytes }
  } finally {
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}

async function send(socket: Socket, input: AsyncIterable<CallInput>): Promise<void> {
  for await (const part of input) {
    if (socket.destroyed) return
    if (part.kind === 'bytes') await new Promise<void>((resolve) => socket.write(part.bytes, () => resolve()))
  }
  socket.end()
}
