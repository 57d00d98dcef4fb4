import { expect, test } from 'vitest'
import { callRoom } from '../../api/call-flow.ts'
import type { HubFrame } from '../../api/frames.ts'
import { refusalOf } from '../../test/kit/registry.ts'
import { settled } from '../../test/kit/clock.ts'
import { createExchanges, type Exchange } from './exchanges.ts'

const rules = { method: 'rules' } as const
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function open() {
  const sent: HubFrame[] = []
  const exchanges = createExchanges('node1', (frame) => void sent.push(frame))
  const abort = new AbortController()
  const begin = (): Exchange => exchanges.open(rules, abort.signal)
  const all = async ({ parts }: Exchange): Promise<string> => {
    let text = ''
    for await (const part of parts) text += part.kind === 'exit' ? `exit ${part.code}` : `${part.kind}:${new TextDecoder().decode(part.bytes)} `
    return text
  }
  return { sent, exchanges, abort, begin, all, ask: async () => all(begin()) }
}

test('answers come in parts and end, each to its question', async () => {
  const { sent, exchanges, ask } = open()
  const [one, two] = [ask(), ask()]
  expect(sent).toEqual([{ kind: 'call', id: 1, call: rules }, { kind: 'call', id: 2, call: rules }])
  exchanges.take({ kind: 'data', id: 2, bytes: bytes('b') })
  exchanges.take({ kind: 'data', id: 1, bytes: bytes('a') })
  exchanges.take({ kind: 'data', id: 1, bytes: bytes('c'), err: true })
  exchanges.take({ kind: 'end', id: 1, exitCode: 3 })
  exchanges.take({ kind: 'end', id: 2 })
  expect(await Promise.all([one, two])).toEqual(['out:a err:c exit 3', 'out:b '])
  expect(sent).toHaveLength(2)
})

test.each([
  ['CONTAINER_UNKNOWN', 'NotFound'],
  ['CONTAINER_CONFIG', 'BadRequest'],
  ['USAGE', 'BadRequest'],
  ['LINK_REFUSED', 'ServiceUnavailable'],
  ['CONNECT_FAILED', 'ServiceUnavailable'],
  ['ENOENT', 'InternalError'],
])('%s of the node is %s', async (code, reason) => {
  const { exchanges, ask } = open()
  const refusal = refusalOf(ask())
  exchanges.take({ kind: 'end', id: 1, error: { code, message: 'no luck' } })
  expect(await refusal).toMatchObject({ reason, message: expect.stringContaining('no luck') })
})

test.each(['abort', 'cancel', 'leave'])('%s cancels on the node, once, and what still comes is dropped', async (how) => {
  const { sent, exchanges, abort, begin, all } = open()
  const exchange = begin()
  if (how === 'leave') {
    exchanges.take({ kind: 'data', id: 1, bytes: bytes('a') })
    for await (const part of exchange.parts) if (part.kind === 'out') break
  } else {
    const asked = all(exchange)
    if (how === 'abort') abort.abort(new TypeError('gone'))
    else exchange.cancel()
    await (how === 'abort' ? expect(asked).rejects.toThrow('gone') : asked)
  }
  exchange.cancel()
  expect(sent.filter((f) => f.kind === 'cancel')).toEqual([{ kind: 'cancel', id: 1 }])
  exchanges.take({ kind: 'data', id: 1, bytes: bytes('late') })
  exchanges.take({ kind: 'end', id: 1 })
  await exchange.write(bytes('late'))
  exchange.endInput()
  expect(sent.at(-1)).toEqual({ kind: 'cancel', id: 1 })
})

test('a lost connection ends every exchange, and later ones at once', async () => {
  const { sent, exchanges, ask, begin } = open()
  const refusal = refusalOf(ask())
  const writer = begin()
  const stuck = writer.write(new Uint8Array(callRoom * 2))
  exchanges.close()
  expect(await refusal).toMatchObject({ reason: 'ServiceUnavailable', message: expect.stringContaining('node1') })
  await stuck
  expect(await refusalOf(ask())).toMatchObject({ reason: 'ServiceUnavailable' })
  expect(sent.filter((f) => f.kind === 'cancel')).toEqual([])
})

test('input goes out as far as the node has room, and on when it has read', async () => {
  const { sent, exchanges, begin } = open()
  const exchange = begin()
  const whole = new Uint8Array(callRoom * 2).map((_, i) => i % 251)
  let done = false
  const written = exchange.write(whole).then(() => void (done = true))
  await settled()
  const input = (): readonly Uint8Array[] => sent.flatMap((f) => (f.kind === 'input' ? [f.bytes] : []))
  const size = (): number => input().reduce((sum, part) => sum + part.length, 0)
  expect([size() > callRoom / 2, size() < callRoom, done]).toEqual([true, true, false])
  for (let i = 0; i < 2; i++) {
    exchanges.take({ kind: 'room', id: 1, room: callRoom })
    await settled()
  }
  await written
  exchange.endInput()
  exchange.resize(80, 24)
  expect(Buffer.compare(Buffer.concat(input()), whole)).toBe(0)
  expect(sent.slice(-2)).toEqual([{ kind: 'inputEnd', id: 1 }, { kind: 'resize', id: 1, width: 80, height: 24 }])
})

test('a node gets room back as its answer is read, and not before', async () => {
  const { sent, exchanges, begin } = open()
  const reader = begin().parts[Symbol.asyncIterator]()
  const part = new Uint8Array(callRoom / 8)
  for (let i = 0; i < 7; i++) exchanges.take({ kind: 'data', id: 1, bytes: part })
  await settled()
  expect(sent).toHaveLength(1)
  for (let i = 0; i < 7; i++) await reader.next()
  const given = sent.flatMap((f) => (f.kind === 'room' ? [f.room] : [])).reduce((sum, room) => sum + room, 0)
  expect(given).toBeGreaterThan(callRoom / 2)
})

test('a node that sends more than there is room for is cut off, after what came before', async () => {
  const { sent, exchanges, ask } = open()
  const part = new Uint8Array(callRoom / 4)
  for (let i = 0; i < 2; i++) exchanges.take({ kind: 'data', id: 1, bytes: part })
  const refusal = refusalOf(ask())
  for (let i = 0; i < 5; i++) exchanges.take({ kind: 'data', id: 1, bytes: part })
  expect(sent.slice(1)).toEqual([{ kind: 'cancel', id: 1 }])
  expect(await refusal).toMatchObject({ reason: 'InternalError', message: expect.stringContaining('more than there was room for') })
})
