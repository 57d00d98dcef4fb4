/**
 * As much of SCTP (RFC 9260) as one question and one answer take: an association is opened in four messages, and the last of them
 * brings the answer along. The answering side remembers nothing: what it has to know comes back to it in the cookie.
 */
import { randomInt } from 'node:crypto'

export interface SctpPacket {
  readonly sourcePort: number
  readonly destinationPort: number
  /** The verification tag: the one that its receiver has chosen. */
  readonly tag: number
  readonly chunks: readonly Chunk[]
}

interface Chunk {
  readonly type: number
  readonly flags?: number
  readonly value?: Buffer
}

export interface Client {
  readonly opening: SctpPacket
  /** What becomes of a packet: the next one to send, how it ended, or nothing if it is not for this client. */
  take(packet: SctpPacket): { readonly say: SctpPacket } | { readonly outcome: string; readonly say?: SctpPacket } | undefined
}

const type = { data: 0, init: 1, initAck: 2, abort: 6, cookieEcho: 10, cookieAck: 11 } as const
/** The first and last part of a message at once. */
const wholeMessage = 0b11
/** An ABORT with the tag of its receiver's peer, for want of one of its own. */
const reflected = 1
const [headerBytes, chunkHeaderBytes, cookieParameter] = [12, 4, 7]
const randomTag = (): number => randomInt(1, 2 ** 32)

/** Bytes with their checksum. */
export function encode({ sourcePort, destinationPort, tag, chunks }: SctpPacket): Buffer {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt16BE(sourcePort, 0)
  header.writeUInt16BE(destinationPort, 2)
  header.writeUInt32BE(tag, 4)
  const packet = Buffer.concat([header, ...chunks.map(chunkBytes)])
  packet.writeUInt32LE(crc32c(packet), 8)
  return packet
}

/** Undefined if it is cut short or its checksum is not right, as whoever changes a packet on its way must see to. */
export function decode(bytes: Buffer): SctpPacket | undefined {
  if (bytes.length < headerBytes) return undefined
  const checked = Buffer.from(bytes)
  checked.writeUInt32LE(0, 8)
  if (crc32c(checked) !== bytes.readUInt32LE(8)) return undefined
  const chunks: Chunk[] = []
  for (let at = headerBytes; at + chunkHeaderBytes <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 2)
    if (length < chunkHeaderBytes || at + length > bytes.length) return undefined
    chunks.push({ type: bytes[at]!, flags: bytes[at + 1]!, value: Buffer.from(bytes.subarray(at + chunkHeaderBytes, at + length)) })
    at += length + padding(length)
  }
  return { sourcePort: bytes.readUInt16BE(0), destinationPort: bytes.readUInt16BE(2), tag: bytes.readUInt32BE(4), chunks }
}

/** Who asks. The outcome is the line that was answered, or `refused`. */
export function createClient(sourcePort: number, destinationPort: number): Client {
  const own = randomTag()
  const to = (tag: number, ...chunks: readonly Chunk[]): SctpPacket => ({ sourcePort, destinationPort, tag, chunks })
  let peer = 0
  return {
    opening: to(0, { type: type.init, value: association(own) }),
    take(packet) {
      if (packet.destinationPort !== sourcePort || packet.sourcePort !== destinationPort || packet.tag !== own) return undefined
      for (const chunk of packet.chunks) {
        if (chunk.type === type.abort) return { outcome: 'refused' }
        if (chunk.type === type.initAck) {
          const { tag, cookie } = associationOf(chunk)
          peer = tag
          return { say: to(peer, { type: type.cookieEcho, value: cookie }) }
        }
        // Nobody is to remember it afterwards, connection tracking included.
        if (chunk.type === type.data) return { outcome: String(chunk.value!.subarray(12)).trim(), say: to(peer, { type: type.abort }) }
      }
      return undefined
    },
  }
}

/**
 * Who answers, on these ports; on others it is refused.
 * @param line what is answered to whom asks that port
 */
export function reply(packet: SctpPacket, ports: readonly number[], line: (port: number) => string): SctpPacket | undefined {
  const [chunk] = packet.chunks
  const back = (tag: number, ...chunks: readonly Chunk[]): SctpPacket => ({ sourcePort: packet.destinationPort, destinationPort: packet.sourcePort, tag, chunks })
  if (chunk?.type === type.init) {
    const { tag } = associationOf(chunk)
    if (!ports.includes(packet.destinationPort)) return back(tag, { type: type.abort })
    const own = randomTag()
    return back(tag, { type: type.initAck, value: Buffer.concat([association(own), cookieOf(own, tag)]) })
  }
  if (chunk?.type === type.cookieEcho) {
    const [own, tag] = [chunk.value!.readUInt32BE(0), chunk.value!.readUInt32BE(4)]
    if (own !== packet.tag) return back(packet.tag, { type: type.abort, flags: reflected })
    const data = Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(line(packet.destinationPort))])
    return back(tag, { type: type.cookieAck }, { type: type.data, flags: wholeMessage, value: data })
  }
  return undefined
}

/** Of INIT and INIT ACK: tag, window, one stream each way, and the number of the first message. */
function association(tag: number): Buffer {
  const value = Buffer.alloc(16)
  value.writeUInt32BE(tag, 0)
  value.writeUInt32BE(65_536, 4)
  value.writeUInt16BE(1, 8)
  value.writeUInt16BE(1, 10)
  value.writeUInt32BE(1, 12)
  return value
}

/** The only parameter that is sent here is the cookie. */
const associationOf = ({ value }: Chunk): { readonly tag: number; readonly cookie: Buffer } => ({ tag: value!.readUInt32BE(0), cookie: value!.subarray(20) })

function cookieOf(own: number, peer: number): Buffer {
  const parameter = Buffer.alloc(12)
  parameter.writeUInt16BE(cookieParameter, 0)
  parameter.writeUInt16BE(parameter.length, 2)
  parameter.writeUInt32BE(own, 4)
  parameter.writeUInt32BE(peer, 8)
  return parameter
}

const padding = (length: number): number => (4 - (length % 4)) % 4

function chunkBytes({ type: kind, flags = 0, value = Buffer.alloc(0) }: Chunk): Buffer {
  const length = chunkHeaderBytes + value.length
  const bytes = Buffer.alloc(length + padding(length))
  bytes[0] = kind
  bytes[1] = flags
  bytes.writeUInt16BE(length, 2)
  value.copy(bytes, chunkHeaderBytes)
  return bytes
}

/** RFC 9260, appendix A: the polynomial of Castagnoli, bits reversed. */
export function crc32c(bytes: Uint8Array): number {
  let sum = 0xffff_ffff
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f6_3b78 : 0)
  }
  return (sum ^ 0xffff_ffff) >>> 0
}
