/** Messages to clients: records to bytes, and bytes to what the client can take. Pure. */
import { encode, type Answer } from 'dns-packet'
import { cut, flag, headerBytes, layoutOf } from './message.ts'
import { lowerCase } from './names.ts'
import { rcode, type Query, type Rcode } from './query.ts'

/** A record as dns-packet takes it, with a TTL in seconds. */
export type DnsRecord = Exclude<Answer, { readonly type: 'OPT' }>

export interface Reply {
  readonly rcode: Rcode
  /** Whether it is the cluster's own word. */
  readonly authoritative: boolean
  readonly answers: readonly DnsRecord[]
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
}

export function refusal(code: Rcode): Reply {
  return { rcode: code, authoritative: false, answers: [], authorities: [], additionals: [] }
}

/** What we take over UDP, and tell: below every MTU in use, so that nothing comes in pieces (dnsflagday.net, 2020). */
export const ownUdpBytes = 1_232
/** What we send at most over UDP, whatever a client asks for. */
const mostUdpBytes = 4_096
const leastUdpBytes = 512
const mostBytes = 65_535

/** The whole reply, however long, without EDNS: `fit` comes after it. */
export function encodeReply(query: Query, reply: Reply): Buffer {
  const parts: Buffer[] = [Buffer.alloc(headerBytes), query.question]
  const compress = createCompression(query)
  let at = headerBytes + query.question.length
  const all = [reply.answers, reply.authorities, reply.additionals]
  for (const record of all.flat()) {
    const owner = compress(record.name, at)
    // With the root for its name, a record is one byte of name and then the rest.
    const rest = encode({ answers: [{ ...record, name: '.' } as Answer] }).subarray(headerBytes + 1)
    parts.push(owner, rest)
    at += owner.length + rest.length
  }
  const message = Buffer.concat(parts)
  message.writeUInt16BE(query.id, 0)
  message.writeUInt16BE(flagsFor(query, rcode[reply.rcode], reply.authoritative), 2)
  for (const [i, count] of [1, ...all.map((records) => records.length)].entries()) message.writeUInt16BE(count, 4 + 2 * i)
  return message
}

/** A client's own question, letter by letter, over the answer that an upstream gave to the same question. */
export function adoptReply(query: Query, upstream: Buffer): Buffer {
  const message = Buffer.from(upstream)
  message.writeUInt16BE(query.id, 0)
  message.writeUInt16BE(flagsFor(query, message[3]! & 15, false), 2)
  query.question.copy(message, headerBytes)
  return message
}

/** To what makes no question (RFC 1035 4.1.1): the header alone. */
export function encodeRefusal(message: Buffer, code: Rcode): Buffer {
  const header = Buffer.alloc(headerBytes)
  message.copy(header, 0, 0, 4)
  // Operation and "recursion desired" come back as they were.
  header.writeUInt16BE((message.readUInt16BE(2) & 0x7900) | flag.response | rcode[code], 2)
  return header
}

export interface FitOptions {
  readonly via: 'udp' | 'tcp'
  /** The upper eight bits of a response code that has more than four. */
  readonly extendedRcode?: number
}

export interface Fitted {
  readonly message: Buffer
  readonly truncated: boolean
}

/**
 * As much as the client takes, whole records from the front; additional ones go first and silently, what lacks otherwise is
 * told by the TC bit (RFC 2181 9). A client that says something of itself gets the same from us (RFC 6891).
 */
export function fit(query: Query, message: Buffer, { via, extendedRcode = 0 }: FitOptions): Fitted {
  const option = query.edns ? optionRecord(query.edns.dnssec, extendedRcode) : Buffer.alloc(0)
  const udp = query.edns ? Math.min(Math.max(query.edns.size, leastUdpBytes), mostUdpBytes) : leastUdpBytes
  const room = (via === 'tcp' ? mostBytes : udp) - option.length
  let whole = message
  let truncated = false
  if (message.length > room) {
    const layout = layoutOf(message) ?? { questionEnd: headerBytes, records: [] }
    const { records } = layout
    const over = records.findIndex(({ end }) => end > room)
    whole = cut(message, layout, over)
    truncated = records[over]?.section !== 'additional'
    if (truncated) whole[2]! |= flag.truncated >> 8
  }
  if (option.length === 0) return { message: whole, truncated }
  const result = Buffer.concat([whole, option])
  result.writeUInt16BE(result.readUInt16BE(10) + 1, 10)
  return { message: result, truncated }
}

function flagsFor(query: Query, code: number, authoritative: boolean): number {
  return (
    flag.response |
    flag.recursionAvailable |
    (authoritative ? flag.authoritative : 0) |
    (query.recursionDesired ? flag.recursionDesired : 0) |
    (query.checkingDisabled ? flag.checkingDisabled : 0) |
    (code & 15)
  )
}

/** The OPT record, by which each side tells how much it takes. @param extendedRcode the upper eight bits */
export function optionRecord(dnssec: boolean, extendedRcode = 0): Buffer {
  const flags = dnssec ? 0x8000 : 0
  const says = { udpPayloadSize: ownUdpBytes, extendedRcode, ednsVersion: 0, flags, flag_do: dnssec, options: [] }
  return encode({ additionals: [{ type: 'OPT', name: '.', ...says }] }).subarray(headerBytes)
}

/** Owner names as pointers to where the same ending stands already (RFC 1035 4.1.4); the question's name is the first. */
function createCompression(query: Query): (name: string, at: number) => Buffer {
  const places = new Map<string, number>()
  /** @param count how many labels are written out, and not by a pointer */
  const remember = (labels: readonly string[], count: number, start: number): void => {
    let at = start
    for (const [i, label] of labels.slice(0, count).entries()) {
      const ending = labels.slice(i).join('.')
      if (at < 0x4000 && !places.has(ending)) places.set(ending, at)
      at += Buffer.byteLength(label) + 1
    }
  }
  const asked = query.name.split('.')
  if (query.isPlain && query.name !== '') remember(asked, asked.length, headerBytes)
  return (name, at) => {
    const labels = name === '' ? [] : lowerCase(name).split('.')
    const known = labels.findIndex((_, i) => places.has(labels.slice(i).join('.')))
    const own = known < 0 ? labels : labels.slice(0, known)
    const parts = own.map((label) => Buffer.concat([Buffer.from([Buffer.byteLength(label)]), Buffer.from(label)]))
    const place = known < 0 ? 0 : places.get(labels.slice(known).join('.'))!
    remember(labels, own.length, at)
    return Buffer.concat([...parts, known < 0 ? Buffer.from([0]) : Buffer.from([0xc0 | (place >> 8), place & 255])])
  }
}
