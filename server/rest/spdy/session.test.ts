import { duplexPair } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { refusalOf } from '../../../test/kit/registry.ts'
import { createFakeClock, settled } from '../../../test/kit/clock.ts'
import { spdyDictionary } from './dictionary.ts'
import { frameHead, frameLength, readFrame, writeFrame, type SpdyFrame } from './frames.ts'
import { createHeaderBlocks } from './headers.ts'
import { createSpdySession, type SpdyStream } from './session.ts'

/** A session, and the client's end of its connection. */
function open() {
  const [wire, other] = duplexPair()
  const session = createSpdySession(wire, createFakeClock())
  const streams: SpdyStream[] = []
  const running = session.run((stream) => void streams.push(stream))
  running.catch(() => {})
  const heard: SpdyFrame[] = []
  let rest = Buffer.alloc(0)
  other.on('error', () => {})
  other.on('data', (part: Buffer) => {
    rest = Buffer.concat([rest, part])
    for (let length; rest.length >= frameHead && rest.length >= (length = frameLength(rest)!); rest = rest.subarray(length)) heard.push(readFrame(rest.subarray(0, length))!)
  })
  const blocks = createHeaderBlocks()
  const say = async (...frames: Parameters<typeof writeFrame>): Promise<void> => {
    for (const frame of frames) other.write(writeFrame(frame))
    await settled(10)
  }
  const begin = async (id: number, headers: Record<string, string> = {}, fin = false): Promise<void> => {
    await say({ kind: 'synStream', id, fin, headers: await blocks.write(headers) })
    // Headers are unpacked beside the main thread, in their own time.
    const answered = (): boolean => heard.some((f) => 'id' in f && f.id === id) || wire.destroyed
    while (!answered()) await settled(1)
    await settled(1)
  }
  const data = (id: number, text: string, fin = false): Promise<void> => say({ kind: 'data', id, fin, bytes: Buffer.from(text) })
  return { session, streams, running, heard, other, say, begin, data }
}

test('the dictionary has the bytes that both sides must have', () => {
  const bytes = spdyDictionary()
  const [a, b] = bytes.reduce(([low, high], byte) => [(low + byte) % 65_521, (high + low + byte) % 65_521] as const, [1, 0] as readonly [number, number])
  // What zlib names it by (RFC 1950, Adler-32), as every SPDY/3 client has it on the wire.
  expect([bytes.length, (b * 65_536 + a).toString(16)]).toEqual([1423, 'e3c6a7c2'])
})

test('streams with their headers, replies, and bytes both ways to each end', async () => {
  const { streams, heard, begin, data } = open()
  await begin(1, { StreamType: 'data', port: '80' })
  await begin(3, { streamtype: 'error' }, true)
  expect(streams.map((s) => s.headers)).toEqual([{ streamtype: 'data', port: '80' }, { streamtype: 'error' }])
  expect(heard.map((f) => [f.kind, 'id' in f && f.id])).toEqual([['synReply', 1], ['synReply', 3]])
  await data(1, 'in')
  await data(1, '', true)
  expect(Buffer.concat(await Array.fromAsync(streams[0]!.data)).toString()).toBe('in')
  expect(await Array.fromAsync(streams[1]!.data)).toEqual([])
  await streams[0]!.write(Buffer.from('out'))
  streams[0]!.end()
  await streams[0]!.write(Buffer.from('late'))
  await settled()
  expect(heard.slice(2)).toEqual([{ kind: 'data', id: 1, fin: false, bytes: Buffer.from('out') }, { kind: 'data', id: 1, fin: true, bytes: Buffer.alloc(0) }])
  expect(streams.some((s) => s.gone.aborted)).toBe(false)
})

test('a ping comes back', async () => {
  const { heard, say } = open()
  await say({ kind: 'ping', id: 7 })
  expect(heard).toEqual([{ kind: 'ping', id: 7 }])
})

test('a reset ends the stream at once; what is said to it goes nowhere', async () => {
  const { streams, heard, begin, data, say } = open()
  await begin(1)
  await data(1, 'lost')
  await say({ kind: 'rst', id: 1, status: 5 })
  expect(streams[0]!.gone.aborted).toBe(true)
  expect(await Array.fromAsync(streams[0]!.data)).toEqual([])
  await data(1, 'late')
  streams[0]!.reset()
  await settled()
  expect(heard.map((f) => f.kind)).toEqual(['synReply'])
})

test('a connection that is lost ends its streams', async () => {
  const { streams, running, begin, other } = open()
  await begin(1)
  other.destroy()
  await running.catch(() => {})
  expect(streams[0]!.gone.aborted).toBe(true)
})

test('a stream that is not read holds up the connection, and goes on when it is', async () => {
  const { streams, heard, begin, say } = open()
  await begin(1)
  const part = Buffer.alloc(100_000)
  for (let i = 0; i < 6; i++) await say({ kind: 'data', id: 1, fin: i === 5, bytes: part })
  await say({ kind: 'ping', id: 1 })
  expect(heard.some((f) => f.kind === 'ping')).toBe(false)
  expect(Buffer.concat(await Array.fromAsync(streams[0]!.data)).length).toBe(600_000)
  await settled(10)
  expect(heard.some((f) => f.kind === 'ping')).toBe(true)
})

test('more streams than are allowed are refused, one by one', async () => {
  const { streams, heard, begin } = open()
  for (let i = 0; i <= 512; i++) await begin(i * 2 + 1)
  expect(streams).toHaveLength(512)
  expect(heard.at(-1)).toEqual({ kind: 'rst', id: 1025, status: 3 })
})

test.each([
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['another version', Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1])],
  ['a frame that is too long', Buffer.from([0, 0, 0, 1, 0, 0xff, 0xff, 0xff])],
  ['a frame that is too short', Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 1, 0])],
  ['headers that are none', writeFrame({ kind: 'synStream', id: 1, fin: false, headers: Buffer.from('not zlib') })],
])('%s ends the connection', async (_, bytes) => {
  const { running, other } = open()
  other.write(bytes)
  expect(await refusalOf(running)).toMatchObject({ reason: 'BadRequest' })
})

test('headers that unpack to far more than they are end the connection', async () => {
  const { running, begin } = open()
  await begin(1, { long: 'x'.repeat(100_000) })
  expect(await refusalOf(running)).toMatchObject({ reason: 'BadRequest' })
})

test('frames come out as they went in, and no bytes throw', () => {
  const id = fc.integer({ min: 1, max: 0x7fff_ffff })
  const bytes = fc.uint8Array({ maxLength: 50 }).map((b) => Buffer.from(b))
  const frame = fc.oneof(
    fc.record({ kind: fc.constant('data' as const), id, fin: fc.boolean(), bytes }),
    fc.record({ kind: fc.constant('synStream' as const), id, fin: fc.boolean(), headers: bytes }),
    fc.record({ kind: fc.constant('synReply' as const), id, headers: bytes }),
    fc.record({ kind: fc.constant('rst' as const), id, status: fc.nat(10) }),
    fc.record({ kind: fc.constant('ping' as const), id }),
  )
  fc.assert(
    fc.property(frame, (one) => {
      expect(readFrame(writeFrame(one))).toEqual(one)
    }),
  )
  fc.assert(fc.property(fc.uint8Array({ minLength: 8, maxLength: 30 }), (any) => void [frameLength(Buffer.from(any)), readFrame(Buffer.from(any))]))
})
