import { encode, type Answer, type DecodedPacket } from 'dns-packet'
import fc from 'fast-check'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../api/clock.ts'
import { createLog } from '../../api/log.ts'
import type { KubeObject } from '../../api/objects.ts'
import { createFakeClock, settled } from '../../test/kit/clock.ts'
import { endpointSlice, service, stored } from '../../test/kit/objects.ts'
import { waitFor } from '../../test/kit/wait.ts'
import { createDns, type Dns, type DnsDeps } from './dns.ts'
import { answerTo, ask, createHistory, decoded, questionBytes, sendBytes, startUpstream, type FakeUpstream, type Says } from './fake.ts'
import type { Place } from './sockets.ts'

const ends: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

interface Line {
  readonly level: string
  readonly msg: string
  readonly server?: string
}

interface Served {
  readonly dns: Dns
  readonly udp: Place
  readonly tcp: Place
  readonly lines: readonly Line[]
  readonly commands: readonly string[]
}

async function serve(more: Partial<DnsDeps> = {}, address = '127.0.0.1'): Promise<Served> {
  const lines: Line[] = []
  const commands: string[] = []
  const stop = new AbortController()
  const dns = createDns({
    address,
    port: 0,
    domain: 'cluster.local',
    ranges: ['10.244.0.0/16', '10.96.0.0/12'],
    readHost: () => [],
    ip: (args) => Promise.resolve(void commands.push(args.join(' '))).then(() => ''),
    clock: systemClock,
    random: Math.random,
    log: createLog({ level: 'debug', write: (line) => lines.push(JSON.parse(line) as Line), now: () => 0 }),
    ...more,
  })
  const running = dns.run(stop.signal)
  ends.push(async () => {
    stop.abort(new DOMException('the test is over', 'AbortError'))
    await running
  })
  const ports = await dns.listening
  return { dns, lines, commands, udp: { address, port: ports.udp }, tcp: { address, port: ports.tcp } }
}

async function upstream(says: Says): Promise<FakeUpstream> {
  const server = await startUpstream(says)
  ends.push(() => server.close())
  return server
}

const a = (name: string, data: string, ttl = 60): Answer => ({ type: 'A', name, ttl, data })
const asked = (query: DecodedPacket): string => query.questions![0]!.name
const good: Says = ({ query }) => answerTo(query, [a(asked(query), '192.0.2.1')])
const data = (heard: DecodedPacket): unknown[] => heard.answers!.map((answer) => (answer as { data: unknown }).data)

const objects = (endpoints = 3): readonly KubeObject[] => [
  stored(service({ metadata: { name: 'web', namespace: 'default' }, spec: { clusterIP: '10.96.0.10' } })),
  stored(service({ metadata: { name: 'db', namespace: 'default' }, spec: { clusterIP: 'None' } })),
  stored(service({ metadata: { name: 'out', namespace: 'default' }, spec: { type: 'ExternalName', externalName: 'db.example.com', clusterIP: undefined } as never })),
  stored(
    endpointSlice({
      metadata: { name: 'db-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'db' } },
      endpoints: Array.from({ length: endpoints }, (_, i) => ({ addresses: [`10.244.${i >> 8}.${i & 255}`] })),
    }),
  ),
]
const known = async (more: Partial<DnsDeps> = {}, endpoints?: number): Promise<Served> => {
  const served = await serve(more)
  served.dns.take(createHistory().put(...objects(endpoints)))
  return served
}

describe('names of the cluster', () => {
  test.each(['udp', 'tcp'] as const)('are answered over %s, in the letters that were asked', async (via) => {
    const served = await known()
    const heard = await ask(served[via], 'Web.default.SVC.cluster.local', 'A', { via })
    expect(heard).toMatchObject({ id: 4_711, rcode: 'NOERROR', flag_aa: true, flag_ra: true, flag_tc: false, questions: [{ name: 'Web.default.SVC.cluster.local' }] })
    expect(heard.answers).toMatchObject([{ name: 'Web.default.SVC.cluster.local', type: 'A', class: 'IN', ttl: 5, data: '10.96.0.10' }])
  })

  test('over IPv6', async () => {
    const served = await serve({}, '::1')
    served.dns.take(createHistory().put(...objects()))
    expect(data(await ask(served.udp, 'web.default.svc.cluster.local', 'A'))).toEqual(['10.96.0.10'])
    expect(data(await ask(served.tcp, 'web.default.svc.cluster.local', 'A', { via: 'tcp' }))).toEqual(['10.96.0.10'])
  })

  test('are unknown before the first sync, and that is told as a failure that passes', async () => {
    const { dns, udp } = await serve()
    expect(await ask(udp, 'web.default.svc.cluster.local', 'A')).toMatchObject({ rcode: 'SERVFAIL', answers: [], authorities: [] })
    dns.take(createHistory().put(...objects()))
    expect((await ask(udp, 'web.default.svc.cluster.local', 'A')).rcode).toBe('NOERROR')
  })

  test('that do not exist come with an SOA, by which they may be forgotten soon', async () => {
    const { udp } = await known()
    const heard = await ask(udp, 'x.default.svc.cluster.local', 'A')
    expect(heard).toMatchObject({ rcode: 'NXDOMAIN', flag_aa: true, answers: [], authorities: [{ type: 'SOA', name: 'cluster.local', ttl: 5, data: { mname: 'ns.dns.cluster.local', rname: 'hostmaster.cluster.local', minimum: 5 } }] })
  })

  test('with more addresses than fit are cut over UDP, and whole over TCP', async () => {
    const { udp, tcp, dns } = await known({}, 200)
    const [small, large, whole] = [
      await ask(udp, 'db.default.svc.cluster.local', 'A'),
      await ask(udp, 'db.default.svc.cluster.local', 'A', { size: 4_096 }),
      await ask(tcp, 'db.default.svc.cluster.local', 'A', { via: 'tcp' }),
    ]
    expect([small, large, whole].map((heard) => [heard.flag_tc, heard.answers!.length])).toEqual([[true, 29], [false, 200], [false, 200]])
    expect(new Set(data(whole)).size).toBe(200)
    expect(dns.counters.truncated).toBe(1)
  })

  test('of other classes, zone transfers and the like are refused', async () => {
    const { udp, tcp } = await known()
    expect((await ask(udp, 'web.default.svc.cluster.local', 'A', { class: 'CH' })).rcode).toBe('REFUSED')
    for (const type of ['AXFR', 'IXFR', 'TSIG']) expect((await ask(tcp, 'cluster.local', type, { via: 'tcp' })).rcode, type).toBe('REFUSED')
  })
})

describe('names from outside', () => {
  test('that services stand for are followed', async () => {
    const world = await upstream(({ query }) => answerTo(query, [{ type: 'CNAME', name: asked(query), ttl: 60, data: 'real.example.com' }, a('real.example.com', '192.0.2.9', 40)]))
    const { udp } = await known({ upstreams: [world] })
    const heard = await ask(udp, 'out.default.svc.cluster.local', 'A')
    expect(heard.answers).toMatchObject([
      { type: 'CNAME', name: 'out.default.svc.cluster.local', ttl: 5, data: 'db.example.com' },
      { type: 'CNAME', name: 'db.example.com', data: 'real.example.com' },
      { type: 'A', name: 'real.example.com', ttl: 40, data: '192.0.2.9' },
    ])
    expect(world.heard).toEqual(['udp db.example.com A'])
  })

  test('that are not known to the world are not known here, alias and all', async () => {
    const soa: Answer = { type: 'SOA', name: 'example.com', ttl: 60, data: { mname: 'ns.example.com', rname: 'root.example.com', minimum: 9 } }
    const world = await upstream(({ query }) => answerTo(query, [], { flags: 0x8183, authorities: [soa] }))
    const { udp } = await known({ upstreams: [world] })
    expect(await ask(udp, 'out.default.svc.cluster.local', 'A')).toMatchObject({ rcode: 'NXDOMAIN', answers: [{ type: 'CNAME' }], authorities: [{ type: 'SOA', name: 'example.com' }] })
  })

  test('are a failure that passes where there is nobody to ask', async () => {
    const { udp } = await known()
    for (const name of ['example.com', 'out.default.svc.cluster.local', '1.2.0.192.in-addr.arpa']) expect((await ask(udp, name, 'A')).rcode, name).toBe('SERVFAIL')
  })

  test('are asked for elsewhere before the first sync, too', async () => {
    const { udp } = await serve({ upstreams: [await upstream(good)] })
    expect(data(await ask(udp, 'example.com', 'A'))).toEqual(['192.0.2.1'])
  })

  test('are asked for once, and given to each in its own letters', async () => {
    const world = await upstream(good)
    const { udp, tcp, dns } = await known({ upstreams: [world] })
    await ask(udp, 'example.com', 'A')
    expect(await ask(udp, 'ExAmple.com', 'A', { size: 1_232 })).toMatchObject({ questions: [{ name: 'ExAmple.com' }], answers: [{ data: '192.0.2.1' }], flag_aa: false })
    await ask(tcp, 'example.com', 'A', { via: 'tcp' })
    await ask(udp, 'example.com', 'AAAA')
    expect(world.heard).toEqual(['udp example.com A', 'udp example.com AAAA'])
    expect(dns.counters).toMatchObject({ asked: 2, failed: 0, source: { cluster: 0, cache: 2, upstream: 2 } })
  })

  test('that many ask for at once are asked for once', async () => {
    const told = Promise.withResolvers<void>()
    const world = await upstream(async (question) => {
      await told.promise
      return good(question)
    })
    const { udp, dns } = await known({ upstreams: [world] })
    const all = Array.from({ length: 20 }, () => ask(udp, 'example.com', 'A'))
    await waitFor('all of them to wait', () => dns.counters.joined === 19)
    told.resolve()
    for (const heard of await Promise.all(all)) expect(data(heard)).toEqual(['192.0.2.1'])
    expect(world.heard).toHaveLength(1)
  })

  test('have ids that cannot be guessed', async () => {
    const seen: number[] = []
    const world = await upstream((question) => {
      seen.push(question.query.id!)
      return good(question)
    })
    let at = 0
    const { udp } = await known({ upstreams: [world], random: () => [0.1, 0.9, 0.5][at++ % 3]! })
    for (const name of ['a.example', 'b.example', 'c.example']) await ask(udp, name, 'A')
    expect(seen).toEqual([6_553, 58_982, 32_768])
  })

  test('come over TCP where they are too large for UDP', async () => {
    const many = (name: string) => Array.from({ length: 200 }, (_, i) => a(name, `192.0.2.${i}`))
    const world = await upstream(({ query, via }) => (via === 'tcp' ? answerTo(query, many(asked(query))) : answerTo(query, [], { flags: 0x8380 })))
    const { udp, tcp } = await known({ upstreams: [world] })
    expect((await ask(udp, 'example.com', 'A')).flag_tc).toBe(true)
    const whole = await ask(tcp, 'example.com', 'A', { via: 'tcp' })
    expect(whole.answers).toHaveLength(200)
    expect(world.heard).toEqual(['udp example.com A', 'tcp example.com A'])
  })

  test.each([[undefined, 600], [1_232, 10], [1_232, 600]])('are told to who takes %s bytes without what stood behind the message: %s bytes', async (size, rest) => {
    const world = await upstream(({ query }) => Buffer.concat([answerTo(query, [a(asked(query), '192.0.2.1')]), Buffer.alloc(rest, 7)]))
    const { udp } = await known({ upstreams: [world] })
    const heard = await ask(udp, 'example.com', 'A', { size })
    expect(data(heard)).toEqual(['192.0.2.1'])
    expect(heard.additionals).toMatchObject(size === undefined ? [] : [{ type: 'OPT' }])
  })

  test('keep records of types that nobody here knows, and lose EDNS, which is between neighbours', async () => {
    const odd: Answer = { type: 'UNKNOWN_65' as 'NULL', name: 'example.com', ttl: 60, data: Buffer.from([0, 1, 0]) }
    const option: Answer = { type: 'OPT', name: '.', udpPayloadSize: 1_232, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }
    const world = await upstream(({ query }) => answerTo(query, [odd], { additionals: [a('ns.example.com', '192.0.2.3'), option] }))
    const { udp } = await known({ upstreams: [world] })
    const heard = await ask(udp, 'example.com', 'UNKNOWN_65')
    expect(heard.answers).toMatchObject([{ type: 'UNKNOWN_65', data: Buffer.from([0, 1, 0]) }])
    expect(heard.additionals).toMatchObject([{ type: 'A' }])
  })
})

describe('name servers that fail', () => {
  test.each([
    ['say that they fail', ({ query }) => answerTo(query, [], { flags: 0x8182 })],
    ['refuse', ({ query }) => answerTo(query, [], { flags: 0x8185 })],
    ['answer with an extended code', ({ query }) => answerTo(query, [], { additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 512, extendedRcode: 1, ednsVersion: 0, flags: 0, flag_do: false, options: [] }] })],
  ] satisfies [string, Says][])('and %s give way to the next one', async (_how, says) => {
    const [bad, next] = [await upstream(says), await upstream(good)]
    const { udp } = await known({ upstreams: [bad, next] })
    expect(data(await ask(udp, 'example.com', 'A'))).toEqual(['192.0.2.1'])
    expect([bad.heard.length, next.heard.length]).toEqual([1, 1])
  })

  test('and whose port is closed give way to the next one', async () => {
    const [gone, next] = [await startUpstream(good), await upstream(good)]
    gone.close()
    const { udp } = await known({ upstreams: [gone, next] })
    expect(data(await ask(udp, 'example.com', 'A'))).toEqual(['192.0.2.1'])
  })

  test('and are silent give way after their time, come last for a while, and are told once', async () => {
    const clock = createFakeClock()
    const [mute, next] = [await upstream(() => undefined), await upstream(good)]
    const { udp, lines } = await known({ upstreams: [mute, next], clock })
    const first = ask(udp, 'a.example', 'A')
    await waitFor('the silent one to be asked', () => mute.heard.length === 1)
    await clock.advance(1_499)
    expect(next.heard).toEqual([])
    await clock.advance(1)
    expect(data(await first)).toEqual(['192.0.2.1'])
    await ask(udp, 'b.example', 'A')
    expect(mute.heard).toHaveLength(1)
    await clock.advance(10_000)
    const later = ask(udp, 'c.example', 'A')
    await waitFor('it to be asked again', () => mute.heard.length === 2)
    await clock.advance(1_500)
    await later
    expect(lines.filter(({ msg }) => msg === 'a name server does not answer')).toHaveLength(1)
  })

  test('when all of them are silent, the client hears of a failure, in time', async () => {
    const clock = createFakeClock()
    const mute = await upstream(() => undefined)
    const { udp, dns } = await known({ upstreams: [mute], clock })
    const heard = ask(udp, 'example.com', 'A')
    for (const tries of [1, 2]) {
      await waitFor(`try ${tries}`, () => mute.heard.length === tries)
      await clock.advance(1_500)
    }
    expect((await heard).rcode).toBe('SERVFAIL')
    expect(dns.counters).toMatchObject({ asked: 2, failed: 2 })
  })

  test('a refusal of all of them is passed on, and not kept', async () => {
    const bad = await upstream(({ query }) => answerTo(query, [], { flags: 0x8185 }))
    const { udp } = await known({ upstreams: [bad] })
    expect((await ask(udp, 'example.com', 'A')).rcode).toBe('REFUSED')
    expect((await ask(udp, 'example.com', 'A')).rcode).toBe('REFUSED')
    expect(bad.heard).toHaveLength(4)
  })

  test('servers from before EDNS are asked without it', async () => {
    const old = await upstream(({ query }) => (query.additionals!.length > 0 ? encode({ id: query.id, type: 'response', flags: 1 }) : good({ query, via: 'udp' })))
    const { udp } = await known({ upstreams: [old] })
    expect(data(await ask(udp, 'example.com', 'A'))).toEqual(['192.0.2.1'])
  })

  test.each([
    ['another id', (query) => answerTo({ ...query, id: query.id! ^ 1 }, [a('example.com', '6.6.6.6')])],
    ['another name', (query) => answerTo(query, [a('example.com', '6.6.6.6')], { questions: [{ name: 'other.com', type: 'A' }] })],
    ['another type', (query) => answerTo(query, [a('example.com', '6.6.6.6')], { questions: [{ name: 'example.com', type: 'AAAA' }] })],
    ['no question', (query) => answerTo(query, [a('example.com', '6.6.6.6')], { questions: [] })],
    ['a question instead of an answer', (query) => encode({ ...query, type: 'query', answers: [a('example.com', '6.6.6.6')] })],
    ['noise', () => Buffer.from('noise, and more of it')],
    ['a message that is cut off', (query) => answerTo(query, [a('example.com', '6.6.6.6')]).subarray(0, -1)],
  ] satisfies [string, (query: DecodedPacket) => Buffer][])('an answer with %s is passed over', async (_what, forge) => {
    // The forged one comes first, from the right address and port.
    const socket = createSocket('udp4')
    ends.push(() => void socket.close())
    socket.on('message', (bytes, client) => {
      const query = decoded(bytes)
      socket.send(forge(query), client.port, client.address, () => socket.send(good({ query, via: 'udp' }) as Buffer, client.port, client.address))
    })
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    const { udp } = await known({ upstreams: [{ address: '127.0.0.1', port: socket.address().port }] })
    expect(data(await ask(udp, 'example.com', 'A'))).toEqual(['192.0.2.1'])
  })

  test('a question that comes back to us in a circle ends with its time', async () => {
    const clock = createFakeClock()
    let us: Place | undefined
    const loop = await upstream(({ query }) => sendBytes(us!, encode({ ...query, type: 'query' })))
    const { udp, dns } = await known({ upstreams: [loop], clock })
    us = udp
    const heard = ask(udp, 'example.com', 'A')
    for (const tries of [1, 2]) {
      await waitFor(`try ${tries}`, () => loop.heard.length === tries && dns.counters.joined === tries)
      await clock.advance(1_500)
    }
    expect((await heard).rcode).toBe('SERVFAIL')
    expect(loop.heard).toHaveLength(2)
  })
})

test("the node's own name servers are asked, but for loopback ones and ourselves", async () => {
  const { udp, lines } = await known({ readHost: () => ['127.0.0.53', '0.0.0.0'] })
  expect((await ask(udp, 'example.com', 'A')).rcode).toBe('SERVFAIL')
  expect(lines.filter(({ level }) => level === 'warn').map(({ msg, server }) => [msg, server].join(' ').trim())).toEqual([
    'a name server is not asked, as that could go round in a circle 127.0.0.53:53',
    'a name server is not asked, as that could go round in a circle 0.0.0.0:53',
    'names outside the cluster cannot be resolved: the node has no name server to ask',
  ])
})

describe('bad messages', () => {
  test('are refused or passed over, and questions after them are answered', async () => {
    const { udp, dns } = await known()
    expect(decoded(await sendBytes(udp, Buffer.concat([questionBytes('x', 'A').subarray(0, 14)])))).toMatchObject({ id: 4_711, rcode: 'FORMERR', questions: [] })
    expect(decoded(await sendBytes(udp, questionBytes('x', 'A', { flags: 0x2000 })))).toMatchObject({ rcode: 'NOTIMP', opcode: 'NOTIFY' })
    const other = questionBytes('x', 'A', { size: 1_232 })
    other[other.length - 5] = 1
    expect(decoded(await sendBytes(udp, other))).toMatchObject({ rcode: 'NOERROR', answers: [], additionals: [{ type: 'OPT', extendedRcode: 1, ednsVersion: 0 }] })
    expect(dns.counters).toMatchObject({ malformed: 2, replies: { FORMERR: 1, NOTIMP: 1, BADVERS: 1 } })
  })

  test('of any kind do no harm', async () => {
    const { udp, dns } = await known()
    const socket = createSocket('udp4')
    ends.push(() => void socket.close())
    const before = dns.counters.received.udp
    let sent = 0
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        sent++
        await new Promise((resolve) => socket.send(bytes, udp.port, udp.address, resolve))
      }),
      { numRuns: 200 },
    )
    await waitFor('all of them to have come', () => dns.counters.received.udp - before === sent)
    expect((await ask(udp, 'web.default.svc.cluster.local', 'A')).rcode).toBe('NOERROR')
  })
})

describe('over one TCP connection', () => {
  function talk({ address, port }: Place) {
    const socket = connect({ host: address, port })
    const heard: Buffer[] = []
    let held = Buffer.alloc(0)
    socket.on('data', (bytes) => {
      held = Buffer.concat([held, bytes as Buffer])
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        heard.push(held.subarray(2, 2 + held.readUInt16BE(0)))
        held = held.subarray(2 + held.readUInt16BE(0))
      }
    })
    socket.on('error', () => {})
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    ends.push(() => void socket.destroy())
    return { socket, heard, closed }
  }
  const framed = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])

  test('many questions are answered, in whatever pieces they come, and after the last the connection ends', async () => {
    const { tcp } = await known()
    const { socket, heard, closed } = talk(tcp)
    const all = Buffer.concat(Array.from({ length: 100 }, () => framed(questionBytes('web.default.svc.cluster.local', 'A'))))
    socket.write(all.subarray(0, 1))
    await settled()
    socket.write(all.subarray(1, 77))
    await settled()
    socket.end(all.subarray(77))
    await closed
    expect(heard.map((bytes) => decoded(bytes).rcode)).toEqual(Array.from({ length: 100 }, () => 'NOERROR'))
  }, 5_000)

  test('a client that has closed its side still hears what it asked', async () => {
    const told = Promise.withResolvers<void>()
    const world = await upstream(async (question) => {
      await told.promise
      return good(question)
    })
    const { tcp } = await known({ upstreams: [world] })
    const { socket, heard, closed } = talk(tcp)
    socket.end(framed(questionBytes('example.com', 'A')))
    await waitFor('the question to be on its way', () => world.heard.length === 1)
    told.resolve()
    await closed
    expect(heard.map((bytes) => data(decoded(bytes)))).toEqual([['192.0.2.1']])
  })

  test('what is no message ends it', async () => {
    const { tcp } = await known()
    const { socket, heard, closed } = talk(tcp)
    socket.write(framed(Buffer.from('short')))
    await closed
    expect(heard).toEqual([])
  }, 5_000)
})

test('an address that is taken is told of and tried again', async () => {
  const clock = createFakeClock()
  const first = await serve()
  const lines: Line[] = []
  const stop = new AbortController()
  const second = createDns({
    address: '127.0.0.1', port: first.udp.port, domain: 'cluster.local', ranges: [], readHost: () => [], ip: () => Promise.resolve(''),
    clock: clock as Clock, random: Math.random, log: createLog({ level: 'info', write: (line) => lines.push(JSON.parse(line) as Line), now: () => 0 }),
  })
  const running = second.run(stop.signal)
  await waitFor('a word about it', () => lines.some(({ level, msg }) => level === 'error' && msg === 'names cannot be answered; trying again'))
  for (const end of ends.splice(0)) await end()
  await clock.advance(5_000)
  expect((await second.listening).udp).toBe(first.udp.port)
  stop.abort(new DOMException('the test is over', 'AbortError'))
  await running
})

test('the address is put on lo, and put back every minute', async () => {
  const clock = createFakeClock()
  const { commands } = await serve({ clock })
  await clock.advance(60_000)
  expect(commands).toEqual(['address replace 127.0.0.1/32 dev lo', 'address replace 127.0.0.1/32 dev lo'])
  const six = await serve({}, '::1')
  expect(six.commands).toEqual(['address replace ::1/128 dev lo'])
})

test('what was done is counted', async () => {
  const { udp, tcp, dns } = await known()
  await ask(udp, 'web.default.svc.cluster.local', 'A')
  await ask(tcp, 'x.default.svc.cluster.local', 'A', { via: 'tcp' })
  await ask(udp, 'example.com', 'A')
  expect(dns.counters).toMatchObject({
    received: { udp: 2, tcp: 1 }, source: { cluster: 2, cache: 0, upstream: 0 }, replies: { NOERROR: 1, NXDOMAIN: 1, SERVFAIL: 1, REFUSED: 0 }, malformed: 0, asked: 0,
  })
})
