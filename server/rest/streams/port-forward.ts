/** kubectl port-forward: each connection that the client accepts becomes one in the pod, through the node's agent. */
import type { WebSocket } from 'ws'
import type { NodeCall } from '../../../api/frames.ts'
import { badRequest } from '../../../api/status.ts'
import type { Call } from '../call.ts'
import { createSpdySession, type SpdyStream } from '../spdy/session.ts'
import type { Duplex } from 'node:stream'
import { failed } from './client.ts'
import { closeSocket, createListener } from './socket-client.ts'

export interface ForwardPlace {
  readonly node: string
  readonly namespace: string
  readonly pod: string
}

/** SPDY through a WebSocket, as kubectl speaks from 1.31 on; and the channels that other clients know. */
export const forwardProtocols = { tunnel: 'SPDY/3.1+portforward.k8s.io', channels: 'v4.channel.k8s.io', spdy: 'portforward.k8s.io' } as const

/** A client opens both streams of a connection one after the other; it has so long. Milliseconds. */
const pairingMs = 30_000

type ForwardCall = Extract<NodeCall, { method: 'forward' }>

const callOf = ({ namespace, pod }: ForwardPlace, port: number): ForwardCall => ({ method: 'forward', namespace, pod, port, to: 'loopback' })

/** @throws StatusError BadRequest */
function portOf(text: string | undefined): number {
  const port = Number(text)
  if (text !== undefined && /^\d{1,5}$/.test(text) && port > 0 && port < 65_536) return port
  throw badRequest(`the port must be a number from 1 to 65535, not ${JSON.stringify(text ?? '')}`)
}

interface Pair {
  readonly error?: SpdyStream
  readonly data?: SpdyStream
  readonly cancel: () => void
}

/** Resolves when the client is gone. */
export async function forwardStreams(call: Call, place: ForwardPlace, wire: Duplex): Promise<void> {
  const session = createSpdySession(wire, call.deps.clock)
  const pairs = new Map<string, Pair>()
  await session.run((stream) => {
    const { streamtype, requestid = '' } = stream.headers
    if (streamtype !== 'error' && streamtype !== 'data') return stream.reset()
    const late = (): void => {
      const pair = pairs.get(requestid)
      pairs.delete(requestid)
      pair?.error?.reset()
      pair?.data?.reset()
    }
    const known = pairs.get(requestid)
    if (known?.[streamtype]) return stream.reset()
    const pair: Pair = { ...(known ?? { cancel: call.deps.clock.after(pairingMs, late) }), [streamtype]: stream }
    pairs.set(requestid, pair)
    const { error, data } = pair
    if (!error || !data) return
    pair.cancel()
    pairs.delete(requestid)
    void forwardStream(call, place, { error, data })
  })
  for (const { cancel } of pairs.values()) cancel()
}

async function forwardStream(call: Call, place: ForwardPlace, { error, data }: { error: SpdyStream; data: SpdyStream }): Promise<void> {
  const { port = data.headers['port'] } = error.headers
  try {
    const { sessions } = call.deps
    const exchange = sessions.open(place.node, callOf(place, portOf(port)), AbortSignal.any([call.signal, data.gone]))
    const send = async (): Promise<void> => {
      for await (const bytes of data.data) await exchange.write(bytes)
      exchange.endInput()
    }
    void send()
    for await (const part of exchange.parts) if (part.kind === 'out') await data.write(part.bytes)
  } catch (e) {
    if (!call.signal.aborted && !data.gone.aborted) await error.write(Buffer.from(wordsOf(call, place, { port, e })))
  } finally {
    data.end()
    error.end()
  }
}

function wordsOf(call: Call, { namespace, pod }: ForwardPlace, { port = '', e }: { port: string | undefined; e: unknown }): string {
  return `error forwarding port ${port} to pod ${namespace}/${pod}: ${failed(call, e).message ?? ''}`
}

/** core/v1 PodPortForwardOptions. @throws StatusError BadRequest */
export function portsOf(query: URLSearchParams): readonly number[] {
  const ports = query.getAll('ports').flatMap((text) => text.split(',')).map(portOf)
  if (ports.length === 0) throw badRequest('query parameter ports must name at least one port')
  if (ports.length > 100) throw badRequest('query parameter ports must not name more than 100 ports')
  return ports
}

/**
 * The channel protocol of port-forward: for the port at place i, channel 2i carries the data of its one connection, and 2i + 1
 * an error; the first message on each is the port, as two bytes.
 */
export async function forwardChannels(call: Call, place: ForwardPlace, { ws, ports }: { ws: WebSocket; ports: readonly number[] }): Promise<void> {
  const send = (channel: number, bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => ws.send(Buffer.concat([Buffer.of(channel), bytes]), () => resolve()))
  const lines = ports.map((port, i) => {
    const named = Buffer.from([port & 0xff, port >> 8])
    void send(2 * i, named)
    void send(2 * i + 1, named)
    return { i, port, exchange: call.deps.sessions.open(place.node, callOf(place, port), call.signal) }
  })
  const listener = createListener(ws, call.deps.clock)
  ws.on('message', (data: Buffer) => {
    const line = lines[(data[0] ?? 1) / 2]
    if (line && data.length > 1) listener(() => line.exchange.write(data.subarray(1)))
  })
  const receive = async ({ i, port, exchange }: (typeof lines)[number]): Promise<void> => {
    try {
      for await (const part of exchange.parts) if (part.kind === 'out') await send(2 * i, part.bytes)
    } catch (e) {
      if (!call.signal.aborted) await send(2 * i + 1, Buffer.from(wordsOf(call, place, { port: String(port), e })))
    }
  }
  await Promise.all(lines.map(receive))
  closeSocket(ws, call.deps.clock)
}

