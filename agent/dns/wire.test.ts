import { decode, encode, type Answer } from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decoded, questionBytes } from './fake.ts'
import { cut, foldQuestion, layoutOf } from './message.ts'
import { queryFor, readQuery, type Query } from './query.ts'
import { adoptReply, encodeRefusal, encodeReply, fit, refusal, type DnsRecord, type Reply } from './reply.ts'

function query(name: string, type: string, size?: number): Query {
  const reading = readQuery(questionBytes(name, type, { size }))
  if (reading.kind !== 'query') throw new RangeError(`no query: ${reading.kind}`)
  return reading.query
}
const replyOf = (answers: readonly DnsRecord[], more: Partial<Reply> = {}): Reply => ({
  rcode: 'NOERROR', authoritative: true, answers, authorities: [], additionals: [], ...more,
})
const a = (name: string, data: string): DnsRecord => ({ type: 'A', name, ttl: 5, data })
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
/** id 1, one question */
const header = (counts = '0001 0000 0000 0000', flags = '0100'): string => `0001 ${flags} ${counts}`
const web = '03 776562 00 0001 0001'

describe('reading a question', () => {
  test('in any case', () => {
    expect(query('Web.Default.SVC.cluster.local', 'AAAA')).toMatchObject({
      id: 4_711, recursionDesired: true, checkingDisabled: false, name: 'web.default.svc.cluster.local', isPlain: true, type: 'AAAA', typeNumber: 28, class: 'IN',
    })
    expect(query('.', 'NS')).toMatchObject({ name: '', isPlain: true })
    expect(query('x', 'UNKNOWN_65')).toMatchObject({ type: 'UNKNOWN_65', typeNumber: 65 })
  })

  test('with what the client says of itself', () => {
    expect(query('x', 'A').edns).toBeUndefined()
    expect(query('x', 'A', 1_400).edns).toEqual({ size: 1_400, dnssec: false })
  })

  test.each([
    ['nothing', '', 'silence'],
    ['less than a header', '0001 0100 0001 0000 0000', 'silence'],
    ['an answer', `${header(undefined, '8100')} ${web}`, 'silence'],
    ['a notification', `${header(undefined, '2100')} ${web}`, 'NOTIMP'],
    ['an update', `${header(undefined, '2800')} ${web}`, 'NOTIMP'],
    ['a status question', `${header(undefined, '1000')} ${web}`, 'NOTIMP'],
    ['no question', header('0000 0000 0000 0000'), 'FORMERR'],
    ['two questions', `${header('0002 0000 0000 0000')} ${web} ${web}`, 'FORMERR'],
    ['a question that is cut off', `${header()} 03 7765`, 'FORMERR'],
    ['a name without an end', `${header()} 03 776562`, 'FORMERR'],
    ['no type', `${header()} 03 776562 00`, 'FORMERR'],
    ['a name that points at itself', `${header()} c00c 0001 0001`, 'FORMERR'],
    ['a name that points ahead', `${header()} c0ff 0001 0001`, 'FORMERR'],
    ['a label of a kind that nobody knows', `${header()} 41 00 00 0001 0001`, 'FORMERR'],
    ['a name of 256 bytes', `${header()} ${'0f 616161616161616161616161616161'.repeat(16)} 00 0001 0001`, 'FORMERR'],
    ['more records than there are', `${header('0001 0000 0000 ffff')} ${web}`, 'FORMERR'],
    ['data that is cut off', `${header('0001 0001 0000 0000')} ${web} c00c 0001 0001 00000005 0004 0a`, 'FORMERR'],
    ['EDNS twice', `${header('0001 0000 0000 0002')} ${web} ${'00 0029 04d0 00000000 0000'.repeat(2)}`, 'FORMERR'],
    ['EDNS of another version', `${header('0001 0000 0000 0001')} ${web} 00 0029 04d0 00 01 0000 0000`, 'version'],
    ['EDNS with options that nobody knows', `${header('0001 0000 0000 0001')} ${web} 00 0029 04d0 00 00 8000 0006 0008 0002 ffff`, 'query'],
    ['bytes behind the end', `${header()} ${web} ffff`, 'query'],
  ])('%s', (_what, bytes, kind) => {
    const reading = readQuery(hex(bytes))
    expect(reading.kind === 'refusal' ? reading.rcode : reading.kind).toBe(kind)
  })

  test('a dot or odd bytes inside a label are told apart from plain names', () => {
    const read = (label: string) => readQuery(hex(`${header()} ${label} 00 0001 0001`))
    expect(read('03 612e62')).toMatchObject({ query: { name: 'a.b', isPlain: false } })
    expect(read('02 ff61')).toMatchObject({ query: { isPlain: false } })
    expect(read('01 61 01 62')).toMatchObject({ query: { name: 'a.b', isPlain: true } })
  })

  test('never throws, whatever comes', () => {
    const junk = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes))
    const bent = fc.tuple(fc.constantFrom(questionBytes('web.default.svc.cluster.local', 'SRV', { size: 1_232 }), questionBytes('x', 'A')), fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 }), fc.nat(80)).map(([bytes, changes, length]) => {
      const copy = Buffer.from(bytes)
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value
      return copy.subarray(0, Math.max(1, copy.length - (length % copy.length)))
    })
    fc.assert(
      fc.property(fc.oneof(junk, bent), (bytes) => {
        const reading = readQuery(bytes)
        if (reading.kind === 'refusal') expect(encodeRefusal(bytes, reading.rcode)).toHaveLength(12)
        if (reading.kind === 'query') {
          const { message } = fit(reading.query, encodeReply(reading.query, refusal('SERVFAIL')), { via: 'udp' })
          expect(message.subarray(12, 12 + reading.query.question.length).equals(reading.query.question)).toBe(true)
          expect(layoutOf(message)).toBeDefined()
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('writing a reply', () => {
  test("repeats the question in the client's own letters, and so the names of the records", () => {
    const reply = encodeReply(query('WeB.Example.COM', 'A'), replyOf([a('web.example.com', '10.96.0.10')]))
    const read = decoded(reply)
    expect(read.questions).toEqual([{ name: 'WeB.Example.COM', type: 'A', class: 'IN' }])
    expect(read.answers).toMatchObject([{ name: 'WeB.Example.COM', type: 'A', ttl: 5, data: '10.96.0.10' }])
    expect(read).toMatchObject({ id: 4_711, type: 'response', flag_aa: true, flag_rd: true, flag_ra: true, rcode: 'NOERROR' })
  })

  test('writes each name once', () => {
    const records = Array.from({ length: 20 }, (_, i) => a('web.default.svc.cluster.local', `10.0.0.${i}`))
    const message = encodeReply(query('web.default.svc.cluster.local', 'A'), replyOf(records))
    expect(message).toHaveLength(12 + 35 + 20 * 16)
  })

  test('is read by others as it was meant, whatever the names', () => {
    const label = fc.stringMatching(/^[a-z0-9_-]{1,12}$/)
    const name = fc.array(fc.oneof(fc.constantFrom('svc', 'cluster', 'local', 'db'), label), { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'))
    const record = fc.oneof(
      fc.tuple(name, fc.ipV4()).map(([owner, data]): DnsRecord => a(owner, data)),
      fc.tuple(name, name, fc.nat(65_535)).map(([owner, target, port]): DnsRecord => ({ type: 'SRV', name: owner, ttl: 7, data: { priority: 1, weight: 2, port, target } })),
      fc.tuple(name, name).map(([owner, data]): DnsRecord => ({ type: 'PTR', name: owner, ttl: 9, data })),
    )
    const records = fc.array(record, { maxLength: 30 })
    fc.assert(
      fc.property(name, records, records, records, (asked, answers, authorities, additionals) => {
        const read = decode(encodeReply(query(asked, 'A'), { rcode: 'NXDOMAIN', authoritative: false, answers, authorities, additionals }))
        const plain = (list: readonly Answer[] = []) => list.map((entry) => ({ type: entry.type, name: entry.name, ttl: (entry as DnsRecord).ttl, data: (entry as DnsRecord).data }))
        expect([read.answers, read.authorities, read.additionals].map(plain)).toEqual([answers, authorities, additionals].map((list) => plain(list)))
      }),
      { numRuns: 300 },
    )
  })
})

describe('fitting', () => {
  const many = Array.from({ length: 100 }, (_, i) => a('x.example', `10.0.0.${i}`))
  const sized = (size: number | undefined, via: 'udp' | 'tcp', reply = replyOf(many)) => {
    const asked = query('x.example', 'A', size)
    const { message, truncated } = fit(asked, encodeReply(asked, reply), { via })
    return { length: message.length, truncated, read: decoded(message) }
  }

  test.each([
    [undefined, 512],
    [100, 512],
    [512, 512],
    [1_232, 1_232],
    [1_500, 1_500],
  ])('a client that takes %s bytes gets at most %s, whole records, and the TC bit', (size, most) => {
    const { length, truncated, read } = sized(size, 'udp')
    expect(truncated).toBe(true)
    expect(read.flag_tc).toBe(true)
    expect(length).toBeLessThanOrEqual(most)
    expect(length).toBeGreaterThan(most - 16)
    expect(read.answers).toEqual(decode(encodeReply(query('x.example', 'A'), replyOf(many))).answers!.slice(0, read.answers!.length))
  })

  test.each([[4_096, 'udp'], [65_535, 'udp'], [undefined, 'tcp'], [512, 'tcp']] as const)('%s bytes over %s are room for everything', (size, via) => {
    const { truncated, read } = sized(size, via)
    expect([truncated, read.flag_tc, read.answers!.length]).toEqual([false, false, 100])
  })

  test('over UDP never more than 4096 bytes, over TCP never more than a message can have', () => {
    const huge = replyOf(Array.from({ length: 6_000 }, (_, i) => a('x.example', `10.0.${i >> 8}.${i & 255}`)))
    expect(sized(65_535, 'udp', huge).length).toBeLessThanOrEqual(4_096)
    const whole = sized(undefined, 'tcp', huge)
    expect(whole.length).toBeLessThanOrEqual(65_535)
    expect(whole.read.flag_tc).toBe(true)
  })

  test('what is only a courtesy goes without a word', () => {
    const { truncated, read } = sized(undefined, 'udp', replyOf(many.slice(0, 3), { additionals: many }))
    expect([truncated, read.flag_tc, read.answers!.length]).toEqual([false, false, 3])
    expect(read.additionals!.length).toBeGreaterThan(10)
  })

  test('who speaks EDNS hears EDNS, and nobody else', () => {
    expect(sized(1_232, 'udp').read.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1_232, ednsVersion: 0, extendedRcode: 0 }])
    expect(sized(undefined, 'udp').read.additionals).toEqual([])
  })
})

test("an upstream's answer is given in the client's letters, with its id", () => {
  const upstream = encode({ id: 1, type: 'response', flags: 0x0583, questions: [{ name: 'x.example', type: 'A' }], answers: [a('x.example', '192.0.2.1')] })
  const read = decoded(adoptReply(query('X.eXample', 'A'), upstream))
  expect(read).toMatchObject({ id: 4_711, flag_aa: false, flag_ra: true, rcode: 'NXDOMAIN', questions: [{ name: 'X.eXample' }], answers: [{ data: '192.0.2.1' }] })
})

test('questions are equal in any case, and differ by type and class', () => {
  const key = (name: string, type: string) => foldQuestion(query(name, type).question)
  expect(key('A.b', 'A')).toBe(key('a.B', 'A'))
  // 65 is `A`, and the type of HTTPS.
  expect(key('a', 'UNKNOWN_65')).not.toBe(key('a', 'UNKNOWN_97'))
  expect(queryFor(query('alias', 'AAAA'), 'Real.example')).toMatchObject({ name: 'real.example', type: 'AAAA', question: query('Real.example', 'AAAA').question })
})

test('of messages with more than one question nothing is read', () => {
  expect(layoutOf(hex(`${header('0002 0000 0000 0000')} ${web} ${web}`))).toBeUndefined()
})

test('names beyond the reach of pointers are written out', () => {
  const records = Array.from({ length: 1_000 }, (_, i) => a(`host${i}.zone${i % 700}.example`, `10.0.${i >> 8}.${i & 255}`))
  const message = encodeReply(query('x.example', 'A'), replyOf(records))
  expect(message.length).toBeGreaterThan(0x4000)
  expect(decode(message).answers).toMatchObject(records)
})

test('a message can be cut before any record', () => {
  const whole = encodeReply(query('x.example', 'A'), replyOf([a('x.example', '10.0.0.1'), a('x.example', '10.0.0.2')], { authorities: [a('b', '10.0.0.3')], additionals: [a('c.b', '10.0.0.4')] }))
  const layout = layoutOf(whole)!
  const counts = (kept: number) => {
    const { answers, authorities, additionals } = decode(cut(whole, layout, kept))
    return [answers!.length, authorities!.length, additionals!.length]
  }
  expect([0, 1, 2, 3, 4].map(counts)).toEqual([[0, 0, 0], [1, 0, 0], [2, 0, 0], [2, 1, 0], [2, 1, 1]])
})
