/**
 * Keys and values of elements, from the bytes that the kernel holds to the text in which `parse` gives them, and back. What packets
 * carry is big-endian; what the kernel counts by itself is in the order of the machine, which is taken to be little-endian.
 */
import ipaddr from 'ipaddr.js'
import type { SetDeclaration } from './model.ts'

/** A key, or what it leads to: so many bytes, and how they read. */
export interface Datum {
  readonly length: number
  text(bytes: Uint8Array, at: number): string
  /** Writes what `text` would read, over zeros. @returns false for another text; some of it is written then */
  write(text: string, into: Uint8Array, at: number): boolean
}

export interface ElementForm {
  readonly key: Datum
  /** Of a map. */
  readonly value?: Datum
}

/**
 * How elements of a set look in the kernel; undefined for a set of ranges, with timeouts, or of anything else that the layout
 * does not fill with services. Such a set is for nft to list.
 */
export function elementForm({ kind, type }: SetDeclaration): ElementForm | undefined {
  const [, key, value] = /^type(?:of)? ([^:;]+?)(?: : ([^:;]+))?;(?: counter;)?$/.exec(type) ?? []
  const keyDatum = key === undefined ? undefined : datumOf(key)
  if (!keyDatum || (kind === 'map') !== (value !== undefined)) return undefined
  if (value === undefined) return { key: keyDatum }
  const valueDatum = datumOf(value)
  return valueDatum && { key: keyDatum, value: valueDatum }
}

/** Whether packets write to the set; what they write is nobody's business but theirs. */
export function isDynamic({ type }: SetDeclaration): boolean {
  return /(?:^|; )flags [^;]*\bdynamic\b/.test(type)
}

/** Fields of a concatenation begin at multiples of this. */
const registerBytes = 4

/** A part of a key or value. Texts are ASCII, and are put together as bytes: strings would leave five times as much behind. */
interface Field {
  readonly length: number
  readonly mostCharacters: number
  /** Writes the text of what stands at `at`. @returns where the text ends */
  put(bytes: Uint8Array, at: number, text: Uint8Array, to: number): number
  /** Writes the bytes of a text. @returns where the text of the field ends; -1 if it is none */
  take(text: string, from: number, into: Uint8Array, at: number): number
}

function datumOf(words: string): Datum | undefined {
  const parts = words.split(' . ').map((word) => (/^numgen random mod \d+$/.test(word) ? ownNumber : fields[word]))
  if (!parts.every((field) => field !== undefined)) return undefined
  let length = 0
  const places = parts.map((field) => {
    const at = length
    length += parts.length === 1 ? field.length : Math.ceil(field.length / registerBytes) * registerBytes
    return { at, field }
  })
  const room = Buffer.alloc(parts.reduce((sum, { mostCharacters }) => sum + mostCharacters + between.length, 0))
  return {
    length,
    text(bytes, start) {
      let end = 0
      for (const { at, field } of places) {
        if (end > 0) end = putText(between, room, end)
        end = field.put(bytes, start + at, room, end)
      }
      return room.toString('latin1', 0, end)
    },
    write(text, into, start) {
      let end = 0
      for (const { at, field } of places) {
        if (end > 0) {
          if (!text.startsWith(between, end)) return false
          end += between.length
        }
        end = field.take(text, end, into, start + at)
        if (end < 0) return false
      }
      return end === text.length
    },
  }
}

const between = ' . '
/** Where a word ends. */
function wordEnd(text: string, from: number): number {
  const end = text.indexOf(' ', from)
  return end < 0 ? text.length : end
}

function putText(text: string, into: Uint8Array, to: number): number {
  for (let i = 0; i < text.length; i++) into[to++] = text.charCodeAt(i)
  return to
}

function putNumber(value: number, into: Uint8Array, to: number): number {
  let end = to
  for (let limit = 10; value >= limit; limit *= 10) end++
  for (let rest = value, at = end; at >= to; at--) {
    into[at] = 48 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return end + 1
}

function put4(bytes: Uint8Array, at: number, into: Uint8Array, to: number): number {
  for (let i = 0; i < 4; i++) {
    if (i > 0) into[to++] = dot
    to = putNumber(bytes[at + i]!, into, to)
  }
  return to
}

const dot = 46

/** What `takeDecimal` read: a number in decimal without zeros in front, and where it ends. One for all calls, as there may be a million. */
const decimal = { value: 0, end: 0 }

function takeDecimal(text: string, from: number, most: number): boolean {
  let value = 0
  let at = from
  for (; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit < 0 || digit > 9) break
    if (at > from && value === 0) return false
    value = value * 10 + digit
    if (value > most) return false
  }
  decimal.value = value
  decimal.end = at
  return at > from
}

function take4(text: string, from: number, into: Uint8Array, to: number): number {
  let at = from
  for (let i = 0; i < 4; i++) {
    if (i > 0 && text.charCodeAt(at++) !== dot) return -1
    if (!takeDecimal(text, at, 255)) return -1
    into[to + i] = decimal.value
    at = decimal.end
  }
  return at
}

function take6(text: string, from: number, into: Uint8Array, to: number): number {
  const end = wordEnd(text, from)
  const address = text.slice(from, end)
  // With a zone it is more than an address; what ends in an IPv4 address the library reads as if that were mapped.
  if (/[.%]/.test(address) || !ipaddr.IPv6.isValid(address)) return -1
  into.set(ipaddr.IPv6.parse(address).toByteArray(), to)
  return end
}

const address4: Field = { length: 4, mostCharacters: 15, put: put4, take: take4 }
const address6: Field = { length: 16, mostCharacters: 45, put: (bytes, at, into, to) => putText(address6Text(bytes, at), into, to), take: take6 }

/** By their numbers; of others the number is canonical. */
export const protocolNames: Readonly<Partial<Record<number, string>>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' }
const protocolNumbers = new Map(Object.entries(protocolNames).map(([number, name]) => [name, Number(number)]))
const protocol: Field = {
  length: 1,
  mostCharacters: 4,
  take(text, from, into, to) {
    const end = wordEnd(text, from)
    const number = protocolNumbers.get(text.slice(from, end))
    if (number === undefined && !(takeDecimal(text, from, 255) && decimal.end === end)) return -1
    into[to] = number ?? decimal.value
    return end
  },
  put(bytes, at, into, to) {
    const name = protocolNames[bytes[at]!]
    return name === undefined ? putNumber(bytes[at]!, into, to) : putText(name, into, to)
  },
}

const port: Field = {
  length: 2,
  mostCharacters: 5,
  put: (bytes, at, into, to) => putNumber(bytes[at]! * 256 + bytes[at + 1]!, into, to),
  take(text, from, into, to) {
    if (!takeDecimal(text, from, 0xffff)) return -1
    into[to] = decimal.value >>> 8
    into[to + 1] = decimal.value & 255
    return decimal.end
  },
}

const ownNumberAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
function putOwnNumber(value: number, into: Uint8Array, to: number): void {
  for (let i = 0; i < 4; i++) into[to + i] = (value >>> (8 * i)) & 255
}
const ownNumber: Field = {
  length: 4,
  mostCharacters: 10,
  put: (bytes, at, into, to) => putNumber(ownNumberAt(bytes, at), into, to),
  take(text, from, into, to) {
    if (!takeDecimal(text, from, 0xffff_ffff)) return -1
    putOwnNumber(decimal.value, into, to)
    return decimal.end
  },
}

/** Two numbers of 16 bits, but for two values with names (tc(8)). */
const classId: Field = {
  length: 4,
  mostCharacters: 9,
  put(bytes, at, into, to) {
    const value = ownNumberAt(bytes, at)
    const name = value === 0 ? 'none' : value === 0xffff_ffff ? 'root' : `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`
    return putText(name, into, to)
  },
  take(text, from, into, to) {
    const end = wordEnd(text, from)
    const [, name, major = '', minor = ''] = /^(?:(none|root)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/.exec(text.slice(from, end)) ?? []
    if (name === undefined && major === '') return -1
    putOwnNumber(name === 'none' ? 0 : name === 'root' ? 0xffff_ffff : parseInt(major, 16) * 65_536 + parseInt(minor, 16), into, to)
    return end
  },
}

/** By data type, and by the expression that has it. */
const fields: Readonly<Partial<Record<string, Field>>> = {
  ipv4_addr: address4,
  'ip saddr': address4,
  'ip daddr': address4,
  ipv6_addr: address6,
  'ip6 saddr': address6,
  'ip6 daddr': address6,
  inet_proto: protocol,
  'meta l4proto': protocol,
  inet_service: port,
  'th sport': port,
  'th dport': port,
  classid: classId,
  'meta priority': classId,
}

/** As inet_ntop(3) writes it: the first longest run of zeros is left out, and some end in an IPv4 address. */
function address6Text(bytes: Uint8Array, at: number): string {
  const words: number[] = []
  for (let i = at; i < at + 16; i += 2) words.push(bytes[i]! * 256 + bytes[i + 1]!)
  let [from, length] = [0, 1]
  for (let start = 0; start < 8; start++) {
    let end = start
    while (words[end] === 0) end++
    if (end - start > length) [from, length] = [start, end - start]
    start = end
  }
  if (length === 1) return textOf(words)
  if (from === 0 && (length === 6 || (length === 5 && words[5] === 0xffff))) {
    return `${length === 6 ? '::' : '::ffff:'}${bytes.subarray(at + 12, at + 16).join('.')}`
  }
  return `${textOf(words.slice(0, from))}::${textOf(words.slice(from + length))}`
}

const textOf = (words: readonly number[]): string => words.map((word) => word.toString(16)).join(':')
