/** The quick way of reading the table gives way to text where it cannot know. In the kernel: read-kernel.test.ts. */
import { describe, expect, it } from 'vitest'
import { createLog, silentLog, type Log } from '../../../api/log.ts'
import { parse, type Listing } from '../../../rules/nft/index.ts'
import { createFakeClock } from '../../../test/kit/clock.ts'
import type { Door, Listed, ListingStyle } from './door.ts'
import { KernelError, refusalOf } from '../errors.ts'
import { noted } from '../fake/noted.ts'
import { attributeOf, doneMessage, errorMessage, messageOf } from '../netlink-messages.ts'
import type { NetlinkTalk } from '../netlink.ts'
import { typeOf } from './messages.ts'
import { createTableReader, type ReadDeps } from './read.ts'

const never = new AbortController().signal

const readTable = (deps: ReadDeps, signal: AbortSignal): Promise<Listing | undefined> => createTableReader(deps).read(signal)

function logTo(lines: string[]): Log {
  return createLog({ level: 'debug', write: (line) => lines.push((JSON.parse(line) as { msg: string }).msg), now: () => 0 })
}

const outline = 'table ip wherry {\n\tset spare {\n\t\ttype ipv4_addr\n\t}\n}\n'
const whole = outline.replace('addr\n', 'addr\n\t\telements = { 10.0.0.1, 10.0.0.2 comment "b" }\n')
const one = (address: number, ...more: readonly Buffer[]): Buffer =>
  attributeOf(1, Buffer.concat([attributeOf(1, attributeOf(1, Buffer.from([10, 0, 0, address]))), ...more]))
const answer = (type: number, ...attributes: readonly Buffer[]): Buffer => messageOf({ family: 'ip', type, flags: 2 }, attributes)
const elements = (...each: readonly Buffer[]): Buffer => answer(typeOf(12), attributeOf(3, Buffer.concat(each)))
const comment = (text: string): Buffer => attributeOf(6, Buffer.from(`\0${String.fromCharCode(text.length + 1)}${text}\0`))
/** The rest of a header is as good as a number: the end of an answer with errno 0, or with another. */
const ended = (errno = 0): Buffer => {
  const message = answer(errno === 0 ? doneMessage : errorMessage)
  message.writeInt32LE(-errno, 16)
  return message
}
const good = [elements(one(1)), Buffer.concat([elements(one(2, comment('b'))), ended()])]

/** @param dumps the datagrams of one answer after the other, the last of them again and again. @param generations likewise */
function talkOf(dumps: readonly (readonly Buffer[])[], generations: readonly number[] = [1]) {
  const waiting: Buffer[] = []
  const seen = { dumps: 0, generations: 0, closed: 0 }
  const nth = <T>(list: readonly T[], n: number): T => list[Math.min(n, list.length - 1)]!
  const talk: NetlinkTalk = {
    ask(message) {
      if (message.readUInt16LE(4) === typeOf(13)) return void waiting.push(...nth(dumps, seen.dumps++))
      const number = Buffer.alloc(4)
      number.writeUInt32BE(nth(generations, seen.generations++))
      waiting.push(answer(typeOf(15), attributeOf(1, number)))
    },
    answer: () => waiting.shift(),
    close: () => void seen.closed++,
  }
  return { seen, openTalk: async () => talk }
}

/** Of a table that the text tells all about. */
function doorOf(texts: Partial<Record<ListingStyle, string>> = {}) {
  const list = async (_what: Listed, style: ListingStyle): Promise<string> => ({ outline, exact: whole, people: whole, ...texts })[style]
  return noted({ how: 'a door for tests', run: () => Promise.reject(new Error('nothing is written here')), list, close() {} })
}

describe('the quick way', () => {
  const read = async (talk: ReturnType<typeof talkOf>, door = doorOf()) => {
    const lines: string[] = []
    const listing = await readTable({ door, family: 'ip', log: logTo(lines), openTalk: talk.openTalk }, never)
    return { listing, asked: door.asked, lines }
  }
  const again = 'The rules changed while they were read; they are read again.'
  const asText = 'The elements are read as text, as their bytes cannot be read.'

  it('asks for the outline, and then the kernel', async () => {
    const talk = talkOf([good])
    expect(await read(talk)).toEqual({ listing: parse(whole), asked: ['outline everything'], lines: [] })
    expect(talk.seen).toEqual({ dumps: 1, generations: 2, closed: 1 })
  })

  it('finds no table', async () => {
    const talk = talkOf([])
    const door = doorOf({ outline: outline.replaceAll('ip wherry', 'ip other') })
    expect(await read(talk, door)).toEqual({ listing: undefined, asked: ['outline everything'], lines: [] })
    expect(talk.seen.closed).toBe(1)
  })

  it.each<[string, readonly Buffer[]]>([
    ['an element came twice', [elements(one(1), one(1)), ended()]],
    ['the set went away', [ended(2)]],
  ])('looks again when %s', async (_, torn) => {
    const talk = talkOf([torn, torn, good])
    expect(await read(talk)).toEqual({ listing: parse(whole), asked: Array.from({ length: 3 }, () => 'outline everything'), lines: [again, again] })
    expect(talk.seen.closed).toBe(1)
  })

  it('looks again when the rules changed between the outline and the last element', async () => {
    const talk = talkOf([good], [1, 2, 2])
    expect(await read(talk)).toEqual({ listing: parse(whole), asked: ['outline everything', 'outline everything'], lines: [again] })
  })

  it('gives way when the rules never rest', async () => {
    const talk = talkOf([good], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    const { listing, asked, lines } = await read(talk)
    expect(listing).toEqual(parse(whole))
    expect(asked).toEqual([...Array.from({ length: 3 }, () => 'outline everything'), 'exact table'])
    expect(lines).toEqual(Array.from({ length: 3 }, () => again))
    expect(talk.seen.closed).toBe(1)
  })

  const flagged = attributeOf(3, Buffer.from([0, 0, 0, 1]))
  const strange: readonly (readonly [string, Buffer])[] = [
    ['an element with flags', elements(one(1, flagged))],
    ['an element with a timeout', elements(one(1, attributeOf(4, Buffer.alloc(8))))],
    ['an element with the end of a range', elements(one(1, attributeOf(10, attributeOf(1, Buffer.from([10, 0, 0, 2])))))],
    ['an element that leads somewhere', elements(one(1, attributeOf(2, attributeOf(1, Buffer.alloc(4)))))],
    ['an element with a limit', elements(one(1, attributeOf(7, attributeOf(1, Buffer.from('limit\0')))))],
    ['an element without a key', elements(attributeOf(1, comment('b')))],
    ['a longer key', elements(attributeOf(1, attributeOf(1, attributeOf(1, Buffer.alloc(8)))))],
    ['a verdict for a key', elements(attributeOf(1, attributeOf(1, attributeOf(2, Buffer.alloc(4)))))],
    ['a comment without an end', elements(one(1, attributeOf(6, Buffer.from('\0\u0002ab'))))],
    ['a comment and more', elements(one(1, attributeOf(6, Buffer.from('\0\u0002a\0\u0001\u0001b'))))],
    ['an attribute that is longer than the element', elements(attributeOf(1, Buffer.from([99, 0, 1, 0])))],
    ['an attribute without a length', elements(attributeOf(1, Buffer.from([0, 0, 0, 0])))],
  ]
  it.each(strange)('lists a set by nft where there is %s', async (_, datagram) => {
    const { listing, asked, lines } = await read(talkOf([[datagram, elements(one(2)), ended()]]))
    expect({ listing, asked, lines }).toEqual({ listing: parse(whole), asked: ['outline everything', 'exact spare'], lines: [] })
  })

  it('looks again when that listing of one set is torn', async () => {
    const torn = whole.replace('10.0.0.2 comment "b"', '10.0.0.1')
    const { asked, lines } = await read(talkOf([[strange[0]![1], ended()], good]), doorOf({ exact: torn }))
    expect(asked).toEqual(['outline everything', 'exact spare', 'outline everything'])
    expect(lines).toEqual([again])
  })

  it.each<[string, ReturnType<typeof talkOf>]>([
    ['that this Node cannot open', { ...talkOf([]), openTalk: () => Promise.reject(new KernelError('SETUP', 'netlink: cannot be reached from this Node')) }],
    ['that break off', talkOf([[elements(one(1))]])],
    ['that the kernel refuses', talkOf([[ended(1)]])],
    ['without generations', { ...talkOf([]), openTalk: async () => ({ ask() {}, answer: () => ended(22), close() {} }) }],
  ])('gives way to text where there are answers %s', async (_, talk) => {
    const { listing, asked, lines } = await read(talk)
    expect(listing).toEqual(parse(whole))
    expect([asked.at(-1), lines]).toEqual(['exact table', [asText]])
  })

  it('gives way to text where the outline cannot be read', async () => {
    const { listing, lines } = await read(talkOf([good]), doorOf({ outline: outline.slice(0, -3) }))
    expect([listing, lines]).toEqual([parse(whole), [asText]])
  })

  it('says what is wrong where neither can be read', async () => {
    const refuse = (): never => {
      throw refusalOf('Operation not permitted (you must be root)\n', '')
    }
    const door: Door = { ...doorOf(), list: async () => refuse() }
    const talk = talkOf([good])
    await expect(readTable({ door, family: 'ip', log: silentLog, openTalk: talk.openTalk }, never)).rejects.toMatchObject({ code: 'KERNEL_REFUSED' })
    expect(talk.seen.closed).toBe(1)
  })

  it('ends when it is told to', async () => {
    const stop = new AbortController()
    const reason = new Error('stopping')
    const many = Array.from({ length: 1_000 }, (_, n) => elements(one(n & 255)))
    const door = doorOf()
    const reading = readTable({ door, family: 'ip', log: silentLog, openTalk: talkOf([many]).openTalk }, stop.signal)
    setImmediate(() => stop.abort(reason))
    await expect(reading).rejects.toBe(reason)
    expect(door.asked).toEqual(['outline everything'])
  })
})

describe('what is prepared', () => {
  const prepared = (talk: ReturnType<typeof talkOf>, options: Partial<ReadDeps> = {}) => {
    const door = doorOf()
    const clock = createFakeClock()
    return { door, clock, talk, reader: createTableReader({ door, clock, family: 'ip', log: silentLog, openTalk: talk.openTalk, ...options }) }
  }

  it('is taken once, if the rules are still of the same generation', async () => {
    const { door, reader, clock, talk } = prepared(talkOf([good]))
    reader.prepare(never)
    expect(await reader.read(never)).toEqual(parse(whole))
    expect([door.asked, clock.waiting]).toEqual([['outline everything'], 0])
    await reader.read(never)
    expect([door.asked.length, talk.seen.closed]).toEqual([2, 3])
  })

  it('also if it is that there is no table', async () => {
    const door = doorOf({ outline: '' })
    const { reader } = prepared(talkOf([]), { door })
    reader.prepare(never)
    expect(await reader.read(never)).toBeUndefined()
    expect(door.asked).toEqual(['outline everything'])
  })

  it.each<[string, ReturnType<typeof talkOf>]>([
    ['the rules changed since', talkOf([good], [1, 1, 2])],
    ['it could not be read', talkOf([[ended(1)], good])],
    ['there was no end of changes', talkOf([good], [1, 2, 3, 4, 5, 6, 7])],
  ])('is read again if %s', async (_, talk) => {
    const { door, reader } = prepared(talk)
    reader.prepare(never)
    expect(await reader.read(never)).toEqual(parse(whole))
    expect(door.asked.length).toBeGreaterThan(1)
  })

  it('is nothing where there is only text', async () => {
    const { door, reader } = prepared(talkOf([]), { openTalk: undefined })
    reader.prepare(never)
    expect(await reader.read(never)).toEqual(parse(whole))
    expect(door.asked).toEqual(['exact table'])
  })

  it('is forgotten after half a minute, and when all ends', async () => {
    const { door, reader, clock } = prepared(talkOf([good]))
    reader.prepare(never)
    await clock.advance(29_000)
    expect(clock.waiting).toBe(1)
    await clock.advance(1_000)
    await reader.read(never)
    expect(door.asked.length).toBe(2)
    const stop = new AbortController()
    reader.prepare(stop.signal)
    stop.abort()
    expect(clock.waiting).toBe(0)
    await reader.read(never)
    expect(door.asked.length).toBeGreaterThan(2)
  })
})
