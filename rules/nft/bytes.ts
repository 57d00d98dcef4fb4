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

function datumOf(words: string): Datum | undefined {
  const fields = words.split(' . ').map(fieldOf)
  if (!fields.every((field) => field !== undefined)) return undefined
  const [first, ...others] = fields
  if (first && others.length === 0) return first
  let length = 0
  const places = fields.map((field) => {
    const at = length
    length += Math.ceil(field.length / registerBytes) * registerBytes
    return { at, field }
  })
  return {
    length,
    text(bytes, start) {
      let text = ''
      for (const { at, field } of places) text += (at === 0 ? '' : ' . ') + field.text(bytes, start + at)
      return text
    },
  }
}

function fieldOf(word: string): Datum | undefined {
  return /^numgen random mod \d+$/.test(word) ? ownNumber : fields[word]
}

const address4: Datum = {
  length: 4,
  text: (bytes, at) => `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`,
}
const address6: Datum = { length: 16, text: address6Text }

/** By their numbers; of others the number is canonical. */
export const protocolNames: Readonly<Partial<Record<number, string>>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' }
const protocol: Datum = { length: 1, text: (bytes, at) => protocolNames[bytes[at]!] ?? String(bytes[at]) }

const port: Datum = { length: 2, text: (bytes, at) => String(bytes[at]! * 256 + bytes[at + 1]!) }

const ownNumberAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
const ownNumber: Datum = { length: 4, text: (bytes, at) => String(ownNumberAt(bytes, at)) }

/** Two numbers of 16 bits, zeros left out, but for two values with names (tc(8)). */
const classId: Datum = {
  length: 4,
  text(bytes, at) {
    const value = ownNumberAt(bytes, at)
    if (value === 0) return 'none'
    if (value === 0xffff_ffff) return 'root'
    return `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`
  },
}

/** By data type, and by the expression that has it. */
const fields: Readonly<Partial<Record<string, Datum>>> = {
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
    return `${length === 6 ? '::' : '::ffff:'}${address4.text(bytes, at + 12)}`
  }
  return `${textOf(words.slice(0, from))}::${textOf(words.slice(from + length))}`
}

const textOf = (words: readonly number[]): string => words.map((word) => word.toString(16)).join(':')
