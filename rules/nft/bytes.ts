/**
 * Keys and values of elements as the kernel holds them, as the text in which `parse` gives them. What packets carry is
 * big-endian; what the kernel counts by itself is in the order of the machine, which is taken to be little-endian.
 */
import type { SetDeclaration } from './model.ts'

/** A key, or what it leads to: so many bytes, and how they read. */
export interface Datum {
  readonly length: number
  text(bytes: Uint8Array, at: number): string
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
  }
}

const between = ' . '

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

const address4: Field = { length: 4, mostCharacters: 15, put: put4 }
const address6: Field = { length: 16, mostCharacters: 45, put: (bytes, at, into, to) => putText(address6Text(bytes, at), into, to) }

/** By their numbers; of others the number is canonical. */
export const protocolNames: Readonly<Partial<Record<number, string>>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' }
const protocol: Field = {
  length: 1,
  mostCharacters: 4,
  put(bytes, at, into, to) {
    const name = protocolNames[bytes[at]!]
    return name === undefined ? putNumber(bytes[at]!, into, to) : putText(name, into, to)
  },
}

const port: Field = { length: 2, mostCharacters: 5, put: (bytes, at, into, to) => putNumber(bytes[at]! * 256 + bytes[at + 1]!, into, to) }

const ownNumberAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
const ownNumber: Field = { length: 4, mostCharacters: 10, put: (bytes, at, into, to) => putNumber(ownNumberAt(bytes, at), into, to) }

/** Two numbers of 16 bits, but for two values with names (tc(8)). */
const classId: Field = {
  length: 4,
  mostCharacters: 9,
  put(bytes, at, into, to) {
    const value = ownNumberAt(bytes, at)
    const name = value === 0 ? 'none' : value === 0xffff_ffff ? 'root' : `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`
    return putText(name, into, to)
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
