/** Frames of SPDY/3.1 as bytes (SPDY Protocol, draft 3.1, 2.2): of its control frames those that kubectl needs. Pure. */

export type SpdyFrame =
  | { readonly kind: 'synStream'; readonly id: number; readonly fin: boolean; readonly headers: Buffer }
  | { readonly kind: 'synReply'; readonly id: number; readonly headers: Buffer }
  | { readonly kind: 'headers'; readonly id: number; readonly fin: boolean; readonly headers: Buffer }
  | { readonly kind: 'rst'; readonly id: number; readonly status: number }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'goAway'; readonly lastId: number }
  | { readonly kind: 'data'; readonly id: number; readonly fin: boolean; readonly bytes: Buffer }
  /** Settings and window updates, which say nothing that is needed here. */
  | { readonly kind: 'other' }

/** Reasons for RST_STREAM. */
export const rstStatus = { protocolError: 1, refused: 3, cancel: 5 } as const

const types = { synStream: 1, synReply: 2, rst: 3, ping: 6, goAway: 7, headers: 8 } as const
const version = 3
const controlBit = 0x8000
const finFlag = 1
export const frameHead = 8
/** A client's data frames hold what it read at once; 16 MiB is what the format would allow. */
export const maxFrame = 1024 * 1024

/** How long the frame is that begins so, its head of 8 bytes included; undefined for one of another version or too long. */
export function frameLength(head: Buffer): number | undefined {
  const isControl = (head.readUInt16BE(0) & controlBit) !== 0
  if (isControl && (head.readUInt16BE(0) & ~controlBit) !== version) return undefined
  const length = head.readUIntBE(5, 3)
  return length > maxFrame ? undefined : frameHead + length
}

/** One whole frame; undefined where it is too short for what it says it is. */
export function readFrame(frame: Buffer): SpdyFrame | undefined {
  const first = frame.readUInt32BE(0)
  const fin = (frame[4]! & finFlag) !== 0
  const body = frame.subarray(frameHead)
  if (first < 0x8000_0000) return { kind: 'data', id: first, fin, bytes: body }
  const id = body.length >= 4 ? body.readUInt32BE(0) & 0x7fff_ffff : -1
  switch (first & 0xffff) {
    case types.synStream:
      return body.length < 10 ? undefined : { kind: 'synStream', id, fin, headers: body.subarray(10) }
    case types.synReply:
      return body.length < 4 ? undefined : { kind: 'synReply', id, headers: body.subarray(4) }
    case types.headers:
      return body.length < 4 ? undefined : { kind: 'headers', id, fin, headers: body.subarray(4) }
    case types.rst:
      return body.length < 8 ? undefined : { kind: 'rst', id, status: body.readUInt32BE(4) }
    case types.ping:
      return body.length < 4 ? undefined : { kind: 'ping', id: body.readUInt32BE(0) }
    case types.goAway:
      return body.length < 4 ? undefined : { kind: 'goAway', lastId: id }
    default:
      return { kind: 'other' }
  }
}

type Sent = Exclude<SpdyFrame, { readonly kind: 'other' | 'headers' }>

export function writeFrame(frame: Sent): Buffer {
  switch (frame.kind) {
    case 'data':
      return Buffer.concat([head(frame.id, frame.fin, frame.bytes.length), frame.bytes])
    case 'synStream':
      return control('synStream', frame.fin, Buffer.concat([words(frame.id, 0), Buffer.alloc(2), frame.headers]))
    case 'synReply':
      return control('synReply', false, Buffer.concat([words(frame.id), frame.headers]))
    case 'rst':
      return control('rst', false, words(frame.id, frame.status))
    case 'ping':
      return control('ping', false, words(frame.id))
    case 'goAway':
      return control('goAway', false, words(frame.lastId, 0))
  }
}

function control(kind: keyof typeof types, fin: boolean, body: Buffer): Buffer {
  return Buffer.concat([head((0x8000_0000 | (version << 16) | types[kind]) >>> 0, fin, body.length), body])
}

function head(first: number, fin: boolean, length: number): Buffer {
  const bytes = words(first, length)
  bytes[4] = fin ? finFlag : 0
  return bytes
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => bytes.writeUInt32BE(value, i * 4))
  return bytes
}
