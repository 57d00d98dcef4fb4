/** The only door to the network of this room: questions come in and go out over UDP and TCP (RFC 1035 4.2, RFC 7766). */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { connect, createServer, isIPv6, type Socket } from 'node:net'
import { DnsError } from './error.ts'

export interface Place {
  readonly address: string
  readonly port: number
}

/** Whether a message is what was asked for. */
export type IsAnswer = (message: Buffer) => boolean

/** @returns the answer; undefined: none is sent */
export type Answerer = (message: Buffer) => Promise<Buffer | undefined>

export interface Listening {
  readonly port: number
  /** Rejects when the socket fails later on; resolves after `close`. */
  readonly ended: Promise<void>
  close(): void
}

const mostConnections = 128
/** Questions of one connection that are looked at together; the rest wait in the kernel. */
const mostTogether = 32
const idleMs = 10_000

/** @throws DnsError SETUP */
export function listenUdp(place: Place, answer: Answerer): Promise<Listening> {
  const socket = createSocket(isIPv6(place.address) ? 'udp6' : 'udp4')
  const ended = Promise.withResolvers<void>()
  // Nobody has to be waiting for it.
  ended.promise.catch(() => {})
  socket.on('message', (message, { address, port }) => {
    void answer(message).then((bytes) => {
      // A client that is gone is no failure of ours.
      if (bytes) send(socket, bytes, { address, port })
    })
  })
  socket.once('close', () => ended.resolve())
  return new Promise((resolve, reject) => {
    socket.on('error', (cause) => {
      reject(refused(place, 'UDP', cause))
      ended.reject(refused(place, 'UDP', cause))
      close(socket)
    })
    socket.bind({ address: place.address, port: place.port }, () => {
      resolve({ port: socket.address().port, ended: ended.promise, close: () => close(socket) })
    })
  })
}

function send(socket: UdpSocket, bytes: Buffer, { address, port }: Place): void {
  try {
    socket.send(bytes, port, address, () => {})
  } catch {
    // The socket was closed while the answer was looked for.
  }
}

function close(socket: UdpSocket): void {
  try {
    socket.close()
  } catch {
    // It was closed already.
  }
}

/** @throws DnsError SETUP */
export function listenTcp(place: Place, answer: Answerer): Promise<Listening> {
  const connections = new Set<Socket>()
  const ended = Promise.withResolvers<void>()
  ended.promise.catch(() => {})
  // A client may close its side once it has asked.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
    serveConnection(socket, answer)
  })
  server.maxConnections = mostConnections
  const end = (): void => {
    server.close(() => ended.resolve())
    for (const socket of connections) socket.destroy()
  }
  return new Promise((resolve, reject) => {
    server.on('error', (cause) => {
      reject(refused(place, 'TCP', cause))
      ended.reject(refused(place, 'TCP', cause))
      end()
    })
    server.listen({ host: place.address, port: place.port }, () => {
      const bound = server.address()
      resolve({ port: typeof bound === 'object' && bound ? bound.port : place.port, ended: ended.promise, close: end })
    })
  })
}

function serveConnection(socket: Socket, answer: Answerer): void {
  const frames = createFrames()
  let open = 0
  let asked = false
  socket.setTimeout(idleMs, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  const done = (): void => {
    open--
    pump()
  }
  const pump = (): void => {
    while (open < mostTogether) {
      const message = frames.next()
      if (!message) break
      open++
      void answer(message).then((bytes) => {
        // Who sends what is no question does not get to send more.
        if (!bytes) return socket.destroy()
        // What is not taken counts as open, so that a client that does not read is not read from.
        if (!socket.destroyed) socket.write(framed(bytes), done)
      })
    }
    if (asked && open === 0) socket.end()
    if (open < mostTogether) socket.resume()
    else socket.pause()
  }
  socket.on('data', (bytes) => {
    frames.add(bytes as Buffer)
    pump()
  })
  socket.on('end', () => {
    asked = true
    pump()
  })
}

/**
 * Asks one server from a fresh port that the kernel chose. What comes from elsewhere the kernel drops, and what is no answer
 * to the question is passed over. Rejects with the system's error, or with the signal's reason.
 */
export function askUdp(place: Place, message: Buffer, isAnswer: IsAnswer, signal: AbortSignal): Promise<Buffer> {
  const socket = createSocket(isIPv6(place.address.split('%')[0]!) ? 'udp6' : 'udp4')
  return new Promise<Buffer>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    socket.on('error', reject)
    socket.on('message', (bytes) => {
      if (isAnswer(bytes)) resolve(bytes)
    })
    // The types do not say so, but a connect that failed is told to the callback.
    socket.connect(place.port, place.address, (failed?: Error | null) => {
      if (failed) return reject(failed)
      if (!signal.aborted) socket.send(message, (e) => e && reject(e))
    })
  }).finally(() => close(socket))
}

/** The same over TCP, a connection for each question. @returns undefined where the server closed it without an answer */
export function askTcp(place: Place, message: Buffer, isAnswer: IsAnswer, signal: AbortSignal): Promise<Buffer | undefined> {
  const socket = connect({ host: place.address, port: place.port })
  const frames = createFrames()
  return new Promise<Buffer | undefined>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    socket.on('error', reject)
    socket.on('close', () => resolve(undefined))
    socket.on('data', (bytes) => {
      frames.add(bytes as Buffer)
      for (let found = frames.next(); found; found = frames.next()) if (isAnswer(found)) resolve(found)
    })
    socket.write(framed(message))
  }).finally(() => socket.destroy())
}

/** Two bytes of length in front of each message. */
function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

function createFrames() {
  let held = Buffer.alloc(0)
  return {
    add(bytes: Buffer): void {
      held = Buffer.concat([held, bytes])
    },
    next(): Buffer | undefined {
      if (held.length < 2) return undefined
      const end = 2 + held.readUInt16BE(0)
      if (held.length < end) return undefined
      const message = held.subarray(2, end)
      held = held.subarray(end)
      return message
    },
  }
}

function refused({ address, port }: Place, how: 'UDP' | 'TCP', cause: Error): DnsError {
  return new DnsError('SETUP', `port ${port} of ${address} cannot be listened on over ${how}: ${cause.message}`, { cause })
}
