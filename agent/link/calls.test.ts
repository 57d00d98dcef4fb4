import { expect, test } from 'vitest'
import { callRoom } from '../../api/call-flow.ts'
import { WherryError } from '../../api/errors.ts'
import type { CallFrame, DataFrame, EndFrame, RoomFrame } from '../../api/frames.ts'
import { silentLog } from '../../api/log.ts'
import { noCalls } from '../../test/kit/calls.ts'
import { settled } from '../../test/kit/clock.ts'
import { createCalls, type CallHandlers } from './calls.ts'

const rules = (id: number): CallFrame => ({ kind: 'call', id, call: { method: 'rules' } })
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** `held`: the connection takes a frame only when it is released. */
function open(answer: CallHandlers['rules'], held = false) {
  const sent: (DataFrame | EndFrame | RoomFrame)[] = []
  const taken: (() => void)[] = []
  const calls = createCalls({
    log: silentLog,
    handlers: { ...noCalls, rules: answer, logs: () => ReadableStream.from<Uint8Array>([bytes('log')]) },
    send(frame) {
      sent.push(frame)
      return held ? new Promise((resolve) => taken.push(resolve)) : Promise.resolve()
    },
  })
  return { calls, sent, taken }
}

test('an answer is sent in parts, and ends', async () => {
  const { calls, sent } = open(() => ReadableStream.from([bytes('a'), bytes('b')]))
  calls.take(rules(7))
  await settled()
  expect(sent).toEqual([
    { kind: 'data', id: 7, bytes: bytes('a') },
    { kind: 'data', id: 7, bytes: bytes('b') },
    { kind: 'end', id: 7 },
  ])
})

test('each method has its handler', async () => {
  const { calls, sent } = open(() => ReadableStream.from<Uint8Array>([]))
  const call = { method: 'logs', namespace: 'default', pod: 'p', container: 'c', follow: false, previous: false, timestamps: false } as const
  calls.take({ kind: 'call', id: 1, call })
  await settled()
  expect(sent).toEqual([{ kind: 'data', id: 1, bytes: bytes('log') }, { kind: 'end', id: 1 }])
})

test('long parts are cut, so that other frames get their turn, and nothing is lost', async () => {
  const whole = new Uint8Array(200_000).map((_, i) => i % 251)
  const { calls, sent } = open(() => ReadableStream.from([whole]))
  calls.take(rules(1))
  await settled(50)
  const parts = sent.filter((f) => f.kind === 'data').map((f) => f.bytes)
  expect(Math.max(...parts.map((p) => p.byteLength))).toBeLessThanOrEqual(128 * 1024)
  expect(Buffer.compare(Buffer.concat(parts), whole)).toBe(0)
  expect(sent.at(-1)).toEqual({ kind: 'end', id: 1 })
})

test('a handler is asked for more only when the connection has taken what came before', async () => {
  let made = 0
  const { calls, sent, taken } = open(async function* () {
    for (; made < 10; made++) yield bytes(String(made))
  }, true)
  calls.take(rules(1))
  await settled()
  expect([made, sent.length]).toEqual([0, 1])
  taken.shift()!()
  await settled()
  expect([made, sent.length]).toEqual([1, 2])
})

test.each([
  [new WherryError('CONTAINER_UNKNOWN', 'no such container'), { code: 'CONTAINER_UNKNOWN', message: 'no such container' }],
  [Object.assign(new Error('no file'), { code: 'ENOENT' }), { code: 'ENOENT', message: 'no file' }],
  [new TypeError('a slip'), { code: 'TypeError', message: 'a slip' }],
])('what a handler throws ends the answer: %s', async (thrown, error) => {
  const { calls, sent } = open(async function* () {
    yield bytes('a')
    throw thrown
  })
  calls.take(rules(1))
  await settled()
  expect(sent).toEqual([{ kind: 'data', id: 1, bytes: bytes('a') }, { kind: 'end', id: 1, error }])
})

test.each(['cancel', 'close'])('%s aborts the handler, and nothing more is sent', async (how) => {
  let reason: unknown
  const { calls, sent } = open(async function* (_, signal) {
    yield bytes('a')
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject((reason = signal.reason) as Error)))
  })
  calls.take(rules(1))
  await settled()
  if (how === 'cancel') calls.take({ kind: 'cancel', id: 1 })
  else calls.close()
  await settled()
  expect(reason).toBeDefined()
  expect(sent).toHaveLength(1)
})

test('input reaches the handler in order and ends; an exit code ends the answer; both outputs are told apart', async () => {
  const words: unknown[] = []
  const { calls, sent } = open(async function* (_, _signal, input) {
    for await (const word of input) words.push(word)
    yield { kind: 'out', bytes: bytes('a') }
    yield { kind: 'err', bytes: bytes('b') }
    yield { kind: 'exit', code: 3 }
  })
  calls.take(rules(1))
  calls.take({ kind: 'input', id: 1, bytes: bytes('in') })
  calls.take({ kind: 'resize', id: 1, width: 80, height: 24 })
  calls.take({ kind: 'inputEnd', id: 1 })
  calls.take({ kind: 'input', id: 1, bytes: bytes('late') })
  await settled()
  expect(words).toEqual([{ kind: 'bytes', bytes: bytes('in') }, { kind: 'resize', width: 80, height: 24 }])
  expect(sent).toEqual([
    { kind: 'data', id: 1, bytes: bytes('a') },
    { kind: 'data', id: 1, bytes: bytes('b'), err: true },
    { kind: 'end', id: 1, exitCode: 3 },
  ])
})

test('an answer stops where the hub has no room, and goes on when it has', async () => {
  const { calls, sent } = open(() => ReadableStream.from([new Uint8Array(callRoom * 2)]))
  calls.take(rules(1))
  await settled(20)
  const size = (): number => sent.reduce((sum, f) => sum + (f.kind === 'data' ? f.bytes.length : 0), 0)
  const before = size()
  expect(before > callRoom / 2 && before < callRoom).toBe(true)
  for (let i = 0; i < 2; i++) calls.take({ kind: 'room', id: 1, room: callRoom })
  await settled(20)
  expect([size(), sent.at(-1)]).toEqual([callRoom * 2, { kind: 'end', id: 1 }])
})

test('a hub that sends more than there is room for is told so, and the call is over', async () => {
  let aborted = false
  const { calls, sent } = open(async function* (_, signal) {
    yield bytes('a')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    aborted = signal.aborted
  })
  calls.take(rules(1))
  await settled()
  for (let i = 0; i < 3; i++) calls.take({ kind: 'input', id: 1, bytes: new Uint8Array(callRoom / 2) })
  await settled()
  expect([aborted, sent.at(-1)]).toEqual([true, { kind: 'end', id: 1, error: { code: 'LINK_REFUSED', message: expect.stringContaining('room') as string } }])
})

test('no more than 128 calls at a time; the next is refused, and one later is not', async () => {
  const { calls, sent } = open(async function* (_, signal) {
    yield bytes('a')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
  })
  for (let id = 1; id <= 129; id++) calls.take(rules(id))
  await settled()
  expect(sent.filter((f) => f.kind === 'end')).toMatchObject([{ id: 129, error: { code: 'LINK_REFUSED' } }])
  calls.take({ kind: 'cancel', id: 1 })
  await settled()
  calls.take(rules(130))
  await settled()
  expect(sent.at(-1)).toMatchObject({ kind: 'data', id: 130 })
})
