/**
 * Where things stand in a DNS message (RFC 1035 4.1). dns-packet reads values and writes records; what it does not tell is
 * their places, which are needed to answer in the question's own letters, to age and to shorten an upstream's answer
 * without unpacking it. Pure, and never throws: messages come from anybody.
 */

export const headerBytes = 12

/** Bits of the second 16-bit word. */
export const flag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  checkingDisabled: 0x0010,
} as const

export const recordType = { CNAME: 5, SOA: 6, OPT: 41, ANY: 255 } as const

export type Section = 'answer' | 'authority' | 'additional'

const sections: readonly Section[] = ['answer', 'authority', 'additional']
/** Where each section's count stands. */
const countAt: Readonly<Record<Section, number>> = { answer: 6, authority: 8, additional: 10 }

export interface RecordPlace {
  readonly section: Section
  readonly type: number
  readonly start: number
  /** Where its TTL stands, four bytes. */
  readonly ttlAt: number
  readonly dataAt: number
  readonly end: number
}

export interface Layout {
  /** Where the first question ends; 12 where there is none. */
  readonly questionEnd: number
  readonly records: readonly RecordPlace[]
}

export const idOf = (message: Buffer): number => message.readUInt16BE(0)
export const flagsOf = (message: Buffer): number => message.readUInt16BE(2)
export const rcodeOf = (message: Buffer): number => flagsOf(message) & 15
export const opcodeOf = (message: Buffer): number => (flagsOf(message) >> 11) & 15
export const questionsOf = (message: Buffer): number => message.readUInt16BE(4)

/** @returns undefined for what is no message, or asks more than one question (RFC 9619) */
export function layoutOf(message: Buffer): Layout | undefined {
  if (message.length < headerBytes || questionsOf(message) > 1) return undefined
  let at = headerBytes
  if (questionsOf(message) === 1) {
    const end = nameEnd(message, at)
    if (end === undefined || end + 4 > message.length) return undefined
    at = end + 4
  }
  const questionEnd = at
  const records: RecordPlace[] = []
  for (const section of sections) {
    for (let left = message.readUInt16BE(countAt[section]); left > 0; left--) {
      const owner = nameEnd(message, at)
      if (owner === undefined || owner + 10 > message.length) return undefined
      const dataAt = owner + 10
      const end = dataAt + message.readUInt16BE(owner + 8)
      if (end > message.length) return undefined
      records.push({ section, type: message.readUInt16BE(owner), start: at, ttlAt: owner + 4, dataAt, end })
      at = end
    }
  }
  return { questionEnd, records }
}

function nameEnd(message: Buffer, start: number): number | undefined {
  for (let at = start; ; ) {
    const length = message[at]
    if (length === undefined) return undefined
    if (length === 0) return at + 1
    // A pointer ends a name.
    if (length >= 0xc0) return at + 2 <= message.length ? at + 2 : undefined
    if (length > 63) return undefined
    at += length + 1
  }
}

/**
 * The message without the records from one on: names only point backwards, so what is left stays whole.
 * @param kept how many records stay
 */
export function cut(message: Buffer, layout: Layout, kept: number): Buffer {
  const end = kept === 0 ? layout.questionEnd : layout.records[kept - 1]!.end
  const short = Buffer.from(message.subarray(0, end))
  for (const section of sections) {
    short.writeUInt16BE(layout.records.slice(0, kept).filter((record) => record.section === section).length, countAt[section])
  }
  return short
}

/** Seconds; more than 31 bits count as none (RFC 2181 8). */
export function ttlOf(message: Buffer, { ttlAt }: RecordPlace): number {
  const ttl = message.readUInt32BE(ttlAt)
  return ttl > 0x7fff_ffff ? 0 : ttl
}

/** A question in one case, so that questions can be compared; length bytes are below every letter. */
export function foldQuestion(question: Buffer): string {
  const folded = Buffer.from(question)
  for (let i = 0; i < folded.length - 4; i++) if (folded[i]! >= 65 && folded[i]! <= 90) folded[i]! += 32
  return folded.toString('latin1')
}
