/** For tests: a cluster out of objects, a client, and a name server of the world that says what a test wants. */
import { decode, encode, type Answer, type DecodedPacket, type Packet, type RecordClass, type RecordType } from 'dns-packet'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { AgentResource } from '../../api/frames.ts'
import type { KubeObject } from '../../api/objects.ts'
import { createTables, type Batch } from '../state/tables.ts'
import { listenTcp, listenUdp, type Listening, type Place } from './sockets.ts'

/** The type of dns-packet's answers lacks the code that it gives as well. */
export type Heard = DecodedPacket & { readonly rcode: string }

export const decoded = (bytes: Buffer): Heard => decode(bytes) as Heard

export interface History {
  put(...objects: readonly KubeObject[]): Batch
  drop(...objects: readonly KubeObject[]): Batch
}

/** Batches as the agent makes them; `put` replaces, `drop` takes away. */
export function createHistory(): History {
  const tables = createTables()
  let revision = 0
  tables.take({ kind: 'reset' })
  const resource = ({ kind }: KubeObject): AgentResource => (kind === 'Service' ? 'services' : 'endpointslices.discovery.k8s.io')
  const end = (): Batch => tables.take({ kind: 'sync', revision: ++revision })!
  return {
    put(...objects) {
      for (const object of objects) {
        revision++
        const metadata = { ...object.metadata, resourceVersion: String(revision) }
        tables.take({ kind: 'set', resource: resource(object), revision, object: { ...object, metadata } })
      }
      return end()
    },
    drop(...objects) {
      for (const object of objects) {
        const key = `${object.metadata.namespace}/${object.metadata.name}`
        tables.take({ kind: 'delete', resource: resource(object), revision: ++revision, key })
      }
      return end()
    },
  }
}

export interface Asking {
  readonly via?: 'udp' | 'tcp'
  /** Absent: without EDNS. */
  readonly size?: number
  readonly class?: RecordClass
  readonly flags?: number
}

export function questionBytes(name: string, type: string, { size, class: klass = 'IN', flags = 0x0100 }: Asking = {}): Buffer {
  const questions = [{ name, type: type as RecordType, class: klass }]
  const says = { udpPayloadSize: size ?? 0, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }
  const additionals: Answer[] = size === undefined ? [] : [{ type: 'OPT', name: '.', ...says }]
  return encode({ type: 'query', id: 4_711, flags, questions, additionals })
}

/** Asks and waits for one message. */
export async function ask(place: Place, name: string, type: string, asking: Asking = {}): Promise<Heard> {
  return decoded(await sendBytes(place, questionBytes(name, type, asking), asking.via))
}

export function sendBytes(place: Place, bytes: Buffer, via: 'udp' | 'tcp' = 'udp'): Promise<Buffer> {
  return via === 'udp' ? overUdp(place, bytes) : overTcp(place, bytes)
}

function overUdp({ address, port }: Place, bytes: Buffer): Promise<Buffer> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  return new Promise<Buffer>((resolve, reject) => {
    socket.once('message', resolve)
    socket.once('error', reject)
    socket.send(bytes, port, address)
  }).finally(() => socket.close())
}

function overTcp({ address, port }: Place, bytes: Buffer): Promise<Buffer> {
  const socket = connect({ host: address, port })
  let held = Buffer.alloc(0)
  return new Promise<Buffer>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', () => reject(new RangeError('the connection was closed without an answer')))
    socket.on('data', (data) => {
      held = Buffer.concat([held, data as Buffer])
      if (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) resolve(held.subarray(2, 2 + held.readUInt16BE(0)))
    })
    socket.end(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]))
  }).finally(() => socket.destroy())
}

export interface FakeUpstream extends Place {
  /** Questions so far, e.g. `udp example.com A`. */
  readonly heard: string[]
  close(): void
}

export interface Said {
  readonly query: DecodedPacket
  readonly via: 'udp' | 'tcp'
}

export type Says = (asked: Said) => Promise<Buffer | undefined> | Buffer | undefined

/** A name server on a loopback address, at the same port over UDP and TCP. */
export async function startUpstream(says: Says, address = '127.0.0.1'): Promise<FakeUpstream> {
  const heard: string[] = []
  const answer = (via: 'udp' | 'tcp') => async (bytes: Buffer) => {
    const query = decode(bytes)
    heard.push(`${via} ${query.questions![0]!.name} ${query.questions![0]!.type}`)
    return says({ query, via })
  }
  for (let tries = 0; ; tries++) {
    const udp = await listenUdp({ address, port: 0 }, answer('udp'))
    const tcp = await listenTcp({ address, port: udp.port }, answer('tcp')).catch((e: unknown): Listening => {
      udp.close()
      if (tries < 10) return { port: 0, ended: Promise.resolve(), close: () => {} }
      throw e
    })
    if (tcp.port !== 0) {
      const close = (): void => [udp, tcp].forEach((listening) => listening.close())
      return { address, port: udp.port, heard, close }
    }
  }
}

/** An answer of a name server to a query. @param more what differs from a plain good answer; `flags` has the code, too */
export function answerTo(query: DecodedPacket, answers: readonly Answer[], more: Partial<Packet> = {}): Buffer {
  const { questions = [], id = 0 } = query
  return encode({ type: 'response', id, flags: 0x0180, questions, answers: [...answers], ...more })
}
