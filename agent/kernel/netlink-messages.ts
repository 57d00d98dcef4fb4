/**
 * Messages of netlink to parts of netfilter (linux/netlink.h, linux/netfilter/nfnetlink.h): a header of 20 bytes (struct nlmsghdr,
 * struct nfgenmsg), then attributes, which may hold attributes. Little-endian machines only.
 */
import type { Family } from '../../rules/model.ts'

/** Where things are in a message. */
export const offsets = { length: 0, type: 4, flags: 6, sender: 12, family: 16, part: 18, attributes: 20 } as const

/** NLMSG_ERROR and NLMSG_DONE. */
export const [errorMessage, doneMessage] = [2, 3]

/** NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_CREATE. */
export const flags = { request: 1, acknowledge: 4, dump: 0x300, create: 0x400 } as const

export const errno = { notFound: 2, busy: 16 } as const

/** AF_INET and AF_INET6, NFPROTO_IPV4 and NFPROTO_IPV6. */
export const familyNumbers: Readonly<Record<Family, number>> = { ip: 2, ip6: 10 }

/** NLA_F_NESTED */
export const nested = 0x8000
/** Without the flags in its upper two bits (NLA_F_NESTED, NLA_F_NET_BYTEORDER). */
export const attributeType = 0x3fff

/** A stretch of a datagram. */
export interface Stretch {
  readonly from: number
  readonly to: number
}

export function* attributesIn(datagram: Buffer, { from, to }: Stretch): Generator<readonly [type: number, value: Stretch]> {
  for (let at = from; at + 4 <= to;) {
    const length = datagram.readUInt16LE(at)
    if (length < 4 || at + length > to) return
    yield [datagram.readUInt16LE(at + 2) & attributeType, { from: at + 4, to: at + length }]
    at += aligned(length)
  }
}

export function attributeOf(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(aligned(4 + value.length))
  bytes.writeUInt16LE(4 + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  value.copy(bytes, 4)
  return bytes
}

export interface Question {
  readonly family: Family
  readonly type: number
  readonly flags: number
}

export function messageOf({ family, type, flags: bits }: Question, attributes: readonly Buffer[]): Buffer {
  const message = Buffer.concat([Buffer.alloc(offsets.attributes), ...attributes])
  message.writeUInt32LE(message.length, offsets.length)
  message.writeUInt16LE(type, offsets.type)
  message.writeUInt16LE(bits, offsets.flags)
  message.writeUInt8(familyNumbers[family], offsets.family)
  return message
}

/** Messages one behind the other, in one buffer that grows. */
export interface Messages {
  /** @param head `part` of netfilter, in the marks of a batch (struct nfgenmsg res_id) */
  begin(head: { readonly type: number; readonly flags: number; readonly family: number; readonly part?: number }): void
  /** Adds flags to the message that began last, also when it has ended. */
  flag(bits: number): void
  end(): void
  /** An attribute of so many bytes, which are zeros when `fill` gets them: in no other buffer than at that moment. */
  attribute<T>(type: number, length: number, fill: (bytes: Buffer, at: number) => T): T
  /** An attribute of text with its end. */
  text(type: number, text: string): void
  /** Begins an attribute that holds attributes. @returns what `close` takes */
  open(type: number): number
  close(at: number): void
  /** So far. */
  readonly length: number
  bytes(): Buffer
}

const attributeHead = 4

export function createMessages(): Messages {
  let bytes = Buffer.alloc(1 << 10)
  let end = 0
  let message = 0
  /** @returns where the new room begins */
  const grow = (length: number): number => {
    const at = end
    end += aligned(length)
    if (end <= bytes.length) return at
    const more = Buffer.alloc(2 * end)
    bytes.copy(more, 0, 0, at)
    bytes = more
    return at
  }
  const attribute: Messages['attribute'] = (type, length, fill) => {
    const at = grow(attributeHead + length)
    bytes.writeUInt16LE(attributeHead + length, at)
    bytes.writeUInt16LE(type, at + 2)
    return fill(bytes, at + attributeHead)
  }
  return {
    begin({ type, flags: bits, family, part = 0 }) {
      message = grow(offsets.attributes)
      bytes.writeUInt16LE(type, message + offsets.type)
      bytes.writeUInt16LE(bits, message + offsets.flags)
      bytes.writeUInt8(family, message + offsets.family)
      bytes.writeUInt16BE(part, message + offsets.part)
    },
    flag: (bits) => void bytes.writeUInt16LE(bytes.readUInt16LE(message + offsets.flags) | bits, message + offsets.flags),
    end: () => void bytes.writeUInt32LE(end - message, message + offsets.length),
    attribute,
    text: (type, text) => attribute(type, text.length + 1, (into, at) => void into.write(text, at, 'latin1')),
    open: (type) => attribute(type | nested, 0, (_, at) => at - attributeHead),
    close: (at) => void bytes.writeUInt16LE(end - at, at),
    get length() {
      return end
    },
    bytes: () => bytes.subarray(0, end),
  }
}

/** Of the message that ends an answer: struct nlmsgerr begins with a negative errno, 0 for yes; so does the end of a listing. */
export function errnoIn(datagram: Buffer, { from, to }: Stretch): number {
  return to - from < 20 ? 0 : -datagram.readInt32LE(from + 16)
}

export const aligned = (length: number): number => (length + 3) & ~3
