/**
 * Messages of netlink to parts of netfilter (linux/netlink.h, linux/netfilter/nfnetlink.h): a header of 20 bytes (struct nlmsghdr,
 * struct nfgenmsg), then attributes, which may hold attributes. Little-endian machines only.
 */
import type { Family } from '../../rules/model.ts'

/** Where things are in a message. */
export const offsets = { length: 0, type: 4, flags: 6, sender: 12, family: 16, attributes: 20 } as const

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

/** Of the message that ends an answer: struct nlmsgerr begins with a negative errno, 0 for yes; so does the end of a listing. */
export function errnoIn(datagram: Buffer, { from, to }: Stretch): number {
  return to - from < 20 ? 0 : -datagram.readInt32LE(from + 16)
}

export const aligned = (length: number): number => (length + 3) & ~3
