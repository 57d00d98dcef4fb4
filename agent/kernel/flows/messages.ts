/** What is said to the kernel of connection tracking, and what it answers (nfnetlink_conntrack.h). Ports are big-endian. */
import { canonicalAddress } from '../../../rules/address.ts'
import type { Family } from '../../../rules/model.ts'
import type { Flow, Place } from './table.ts'
import {
  aligned,
  attributeOf,
  attributesIn,
  doneMessage,
  errnoIn,
  errorMessage,
  flags as flag,
  messageOf,
  nested,
  offsets,
  type Stretch,
} from '../netlink-messages.ts'

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

/** NFNL_SUBSYS_CTNETLINK in the high byte, of enum cntl_msg_types the low one. */
const [entryMessage, getMessage, deleteMessage] = [0x0100, 0x0101, 0x0102]
const [listFlags, deleteFlags] = [flag.request | flag.dump, flag.request | flag.acknowledge]

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

/** Asks for all entries of a family; only for UDP where the kernel can choose (Linux 5.8), else for all. */
export function listQuestion(family: Family): Buffer {
  const flags = Buffer.alloc(4)
  flags.writeUInt32LE(filter.byProtocolNumber)
  return messageOf({ family, type: getMessage, flags: listFlags }, [
    attributeOf(
      nested | attribute.original,
      attributeOf(nested | tuple.protocol, attributeOf(protocol.number, Buffer.from([udp]))),
    ),
    attributeOf(nested | attribute.filter, attributeOf(filter.originalFlags, flags)),
  ])
}

/** Asks to delete one entry, and no other that has its place by now. */
export function deleteQuestion(family: Family, { name }: Pick<Entry, 'name'>): Buffer {
  return messageOf({ family, type: deleteMessage, flags: deleteFlags }, name)
}

/** The UDP entries of zone 0 in a datagram, and whether it ends the answer. */
export function readAnswer(family: Family, datagram: Buffer): Answer {
  const entries: Entry[] = []
  for (let at = 0; at + 16 <= datagram.length;) {
    const length = datagram.readUInt32LE(at + offsets.length)
    if (length < 16 || at + length > datagram.length) break
    const type = datagram.readUInt16LE(at + offsets.type)
    if (type === errorMessage || type === doneMessage)
      return { entries, end: { errno: errnoIn(datagram, { from: at, to: at + length }) } }
    if (type === entryMessage) {
      const entry = entryOf(family, datagram, { from: at + offsets.attributes, to: at + length })
      if (entry) entries.push(entry)
    }
    at += aligned(length)
  }
  return { entries }
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

/** An attribute with its head, of which the value is known. */
function whole(datagram: Buffer, { from, to }: Stretch): Buffer {
  return datagram.subarray(from - 4, from - 4 + aligned(to - from + 4))
}
