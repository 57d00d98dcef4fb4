/**
 * What is said to the kernel of connection tracking, and what it answers (linux/netlink.h, linux/netfilter/nfnetlink.h and
 * nfnetlink_conntrack.h). A datagram holds messages: a header of 20 bytes (struct nlmsghdr, struct nfgenmsg), then attributes,
 * which may hold attributes. Little-endian machines only; ports are big-endian.
 */
import { canonicalAddress } from '../../rules/address.ts'
import type { Family } from '../../rules/model.ts'
import type { Flow, Place } from './flow-table.ts'
import { offsets } from './nft-messages.ts'

/** An entry of the table. */
export interface Entry extends Flow {
  /** What names it to the kernel: its original tuple and its number, as they came. A view into the datagram. */
  readonly name: readonly Buffer[]
}

export interface Answer {
  readonly entries: readonly Entry[]
  /** The last datagram of this answer; with an errno if it failed. */
  readonly end?: { readonly errno: number }
}

/** NLMSG_ERROR and NLMSG_DONE. */
const [errorMessage, doneMessage] = [2, 3]
/** NFNL_SUBSYS_CTNETLINK in the high byte, of enum cntl_msg_types the low one. */
const [entryMessage, getMessage, deleteMessage] = [0x0100, 0x0101, 0x0102]
/** NLM_F_REQUEST with NLM_F_DUMP or NLM_F_ACK. */
const [listFlags, deleteFlags] = [0x301, 0x5]

/** AF_INET and AF_INET6. */
const familyNumbers: Readonly<Record<Family, number>> = { ip: 2, ip6: 10 }
const udp = 17

/** enum ctattr_type, enum ctattr_tuple, enum ctattr_ip, enum ctattr_l4proto, enum ctattr_filter */
const attribute = { original: 1, reply: 2, id: 12, zone: 18, filter: 25 } as const
const tuple = { ip: 1, protocol: 2, zone: 3 } as const
const address: Readonly<Record<Family, { readonly source: number; readonly destination: number }>> = {
  ip: { source: 1, destination: 2 },
  ip6: { source: 3, destination: 4 },
}
const protocol = { number: 1, sourcePort: 2, destinationPort: 3 } as const
const filter = { originalFlags: 1, byProtocolNumber: 1 << 3 } as const

const headBytes = offsets.attributes
const nested = 0x8000

/** Asks for all entries of a family; only for UDP where the kernel can choose (Linux 5.8), else for all. */
export function listQuestion(family: Family): Buffer {
  const flags = Buffer.alloc(4)
  flags.writeUInt32LE(filter.byProtocolNumber)
  return messageOf(family, getMessage, listFlags, [
    attributeOf(
      nested | attribute.original,
      attributeOf(nested | tuple.protocol, attributeOf(protocol.number, Buffer.from([udp]))),
    ),
    attributeOf(nested | attribute.filter, attributeOf(filter.originalFlags, flags)),
  ])
}

/** Asks to delete one entry, and no other that has its place by now. */
export function deleteQuestion(family: Family, { name }: Pick<Entry, 'name'>): Buffer {
  return messageOf(family, deleteMessage, deleteFlags, name)
}

/** The UDP entries of zone 0 in a datagram, and whether it ends the answer. */
export function readAnswer(family: Family, datagram: Buffer): Answer {
  const entries: Entry[] = []
  for (let at = 0; at + 16 <= datagram.length;) {
    const length = datagram.readUInt32LE(at + offsets.length)
    if (length < 16 || at + length > datagram.length) break
    const type = datagram.readUInt16LE(at + offsets.type)
    // struct nlmsgerr begins with a negative errno, 0 for yes; so does the end of a listing.
    if (type === errorMessage || type === doneMessage)
      return { entries, end: { errno: length < 20 ? 0 : -datagram.readInt32LE(at + 16) } }
    if (type === entryMessage) {
      const entry = entryOf(family, datagram, { from: at + headBytes, to: at + length })
      if (entry) entries.push(entry)
    }
    at += aligned(length)
  }
  return { entries }
}

/** A stretch of a datagram. */
interface Stretch {
  readonly from: number
  readonly to: number
}

function entryOf(family: Family, datagram: Buffer, message: Stretch): Entry | undefined {
  let original: Stretch | undefined
  let reply: Stretch | undefined
  let id: Stretch | undefined
  for (const [type, value] of attributesIn(datagram, message)) {
    if (type === attribute.original) original = value
    else if (type === attribute.reply) reply = value
    else if (type === attribute.id) id = value
    else if (type === attribute.zone) return undefined
  }
  if (!original || !reply || !id) return undefined
  const service = placeOf(datagram, original, { address: address[family].destination, port: protocol.destinationPort })
  const target = service && placeOf(datagram, reply, { address: address[family].source, port: protocol.sourcePort })
  return target && { service, target, name: [whole(datagram, original), whole(datagram, id)] }
}

/** Attributes that hold an address and a port. */
interface Numbers {
  readonly address: number
  readonly port: number
}

/** An address and port of a tuple; undefined if it is not UDP, or of another zone. */
function placeOf(datagram: Buffer, of: Stretch, which: Numbers): Place | undefined {
  let text: string | undefined
  let port: number | undefined
  for (const [type, value] of attributesIn(datagram, of)) {
    if (type === tuple.zone) return undefined
    for (const [inner, part] of attributesIn(datagram, value)) {
      if (type === tuple.ip && inner === which.address) text = addressText(datagram, part)
      else if (type !== tuple.protocol) continue
      else if (inner === protocol.number && datagram[part.from] !== udp) return undefined
      else if (inner === which.port) port = datagram.readUInt16BE(part.from)
    }
  }
  return text === undefined || port === undefined ? undefined : { address: text, port }
}

function addressText(datagram: Buffer, { from, to }: Stretch): string | undefined {
  if (to - from === 4) return `${datagram[from]}.${datagram[from + 1]}.${datagram[from + 2]}.${datagram[from + 3]}`
  const words: string[] = []
  for (let at = from; at < to; at += 2) words.push(datagram.readUInt16BE(at).toString(16))
  return canonicalAddress('ip6', words.join(':'))
}

function* attributesIn(datagram: Buffer, { from, to }: Stretch): Generator<readonly [type: number, value: Stretch]> {
  for (let at = from; at + 4 <= to;) {
    const length = datagram.readUInt16LE(at)
    if (length < 4 || at + length > to) return
    // The upper two bits are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
    yield [datagram.readUInt16LE(at + 2) & 0x3fff, { from: at + 4, to: at + length }]
    at += aligned(length)
  }
}

/** An attribute with its head, of which the value is known. */
function whole(datagram: Buffer, { from, to }: Stretch): Buffer {
  return datagram.subarray(from - 4, from - 4 + aligned(to - from + 4))
}

function attributeOf(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(aligned(4 + value.length))
  bytes.writeUInt16LE(4 + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  value.copy(bytes, 4)
  return bytes
}

function messageOf(family: Family, type: number, flags: number, attributes: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(headBytes)
  const message = Buffer.concat([head, ...attributes])
  message.writeUInt32LE(message.length, offsets.length)
  message.writeUInt16LE(type, offsets.type)
  message.writeUInt16LE(flags, offsets.flags)
  message.writeUInt8(familyNumbers[family], offsets.family)
  return message
}

const aligned = (length: number): number => (length + 3) & ~3
