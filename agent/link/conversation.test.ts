import { expect, test } from 'vitest'
import { protocolVersion, type AgentFrame, type HubFrame, type StreamFrame, type WelcomeFrame } from '../../api/frames.ts'
import { noCalls } from '../../test/kit/calls.ts'
import { createFakeClock } from '../../test/kit/clock.ts'
import * as kit from '../../test/kit/objects.ts'
import { createLines } from '../../test/scenarios/link-lines.ts'
import { createConversation } from './conversation.ts'

function open() {
  const clock = createFakeClock()
  const lines = createLines()
  const handed: StreamFrame[] = []
  const state: { held?: number; fails?: boolean } = {}
  const conversation = createConversation({
    url: () => 'https://hub',
    node: 'node1',
    version: '0.1.0',
    clock,
    log: lines.log,
    onFrame(frame) {
      if (state.fails) throw new TypeError('planted')
      handed.push(frame)
    },
    lastRevision: () => state.held,
    handlers: noCalls,
    onWelcome() {},
  })
  /** A new connection; what is said on it. */
  const connect = (): AgentFrame[] => {
    const said: AgentFrame[] = []
    const send = (frame: AgentFrame): void => void said.push(frame)
    conversation.open({ send, sent: (frame) => Promise.resolve(send(frame)) })
    return said
  }
  const welcome = (more: Partial<WelcomeFrame> = {}): WelcomeFrame => ({
    kind: 'welcome',
    version: protocolVersion,
    node: 'node1',
    history: 'h1',
    revision: 10,
    resumed: false,
    time: clock.now(),
    ...more,
  })
  return { conversation, connect, welcome, handed, lines, state, clock }
}

const set = (revision: number): HubFrame => ({ kind: 'set', resource: 'services', revision, object: kit.stored(kit.service()) })
const code = (e: string) => expect.objectContaining({ code: e }) as Error

test('hello says what is held, and nothing where nothing is', () => {
  const { conversation, connect, welcome, state, clock } = open()
  const hello = { kind: 'hello', version: protocolVersion, node: 'node1', agent: '0.1.0', time: clock.now() }
  expect(connect()).toEqual([hello])
  conversation.take(welcome())
  conversation.take({ kind: 'reset' })
  conversation.end()
  state.held = 12
  expect(connect()).toEqual([{ ...hello, revision: 12, history: 'h1' }])
})

test('until the welcome nothing is told; with it what is worth it, and then everything', () => {
  const { conversation, connect, welcome } = open()
  const ack = { kind: 'ack', received: 1, applied: 1 } as const
  const lease = { kind: 'report', report: { kind: 'lease' } } as const
  conversation.tell(ack)
  const said = connect()
  conversation.tell(lease)
  expect([said.length, conversation.welcomed]).toEqual([1, false])
  conversation.take(welcome())
  expect([said.slice(1), conversation.welcomed]).toEqual([[ack], true])
  conversation.tell(lease)
  expect(said.slice(1)).toEqual([ack, lease])
  conversation.end()
  conversation.tell(lease)
  expect([said.length, conversation.welcomed]).toEqual([3, false])
})

test.each([
  ['another version', { version: protocolVersion + 1 }, 'LINK_REFUSED'],
  ['another node', { node: 'node2' }, 'LINK_REFUSED'],
  ['a stream resumed from nothing', { resumed: true }, 'FRAME_MALFORMED'],
])('a welcome with %s is not accepted', (_, wrong, errorCode) => {
  const { conversation, connect, welcome } = open()
  connect()
  expect(() => conversation.take(welcome(wrong))).toThrow(code(errorCode))
  expect(conversation.welcomed).toBe(false)
})

test('frames before the welcome, and a second welcome, are not accepted', () => {
  const { conversation, connect, welcome } = open()
  connect()
  expect(() => conversation.take({ kind: 'reset' })).toThrow(code('FRAME_MALFORMED'))
  conversation.take(welcome())
  expect(() => conversation.take(welcome())).toThrow(code('FRAME_MALFORMED'))
})

test.each(['a revision that goes back', 'a receiver that fails'])('after %s the next hello holds nothing, until a reset', (what) => {
  const { conversation, connect, welcome, handed, state } = open()
  connect()
  conversation.take(welcome())
  conversation.take({ kind: 'reset' })
  conversation.end()
  state.held = 5
  handed.length = 0
  connect()
  conversation.take(welcome({ resumed: true }))
  conversation.take(set(7))
  state.fails = what === 'a receiver that fails'
  expect(() => conversation.take(set(state.fails ? 8 : 6))).toThrow()
  state.fails = false
  expect(handed).toHaveLength(1)
  for (let i = 0; i < 2; i++) {
    conversation.end()
    expect(connect()[0]).not.toHaveProperty('revision')
  }
  conversation.take(welcome())
  conversation.take({ kind: 'reset' })
  conversation.end()
  expect(connect()[0]).toHaveProperty('revision', 5)
})

test('clocks that are far apart are a warning with the difference', () => {
  const { conversation, connect, welcome, lines, clock } = open()
  connect()
  conversation.take(welcome({ time: clock.now() + 60_000 }))
  expect(lines.of('the clocks of node and hub differ')).toEqual([])
  conversation.end()
  connect()
  conversation.take(welcome({ time: clock.now() + 61_000 }))
  expect(lines.of('the clocks of node and hub differ')).toMatchObject([{ seconds: 61 }])
})

test('says how long a welcome lasted', async () => {
  const { conversation, connect, welcome, clock } = open()
  connect()
  expect(conversation.end()).toBeUndefined()
  connect()
  conversation.take(welcome())
  await clock.advance(1_500)
  expect(conversation.end()).toBe(1_500)
})

test('what is held belongs to a history: after a reset to that of the new hub, and not before', () => {
  const { conversation, connect, welcome, state } = open()
  const hello = (frames: readonly AgentFrame[]) => frames[0] as Extract<AgentFrame, { kind: 'hello' }>
  connect()
  conversation.take(welcome())
  conversation.take({ kind: 'reset' })
  conversation.take({ kind: 'sync', revision: 10 })
  state.held = 10
  conversation.end()
  // The new hub dies before it has begun.
  expect(hello(connect())).toMatchObject({ revision: 10, history: 'h1' })
  conversation.take(welcome({ history: 'h2' }))
  conversation.end()
  expect(hello(connect())).toMatchObject({ revision: 10, history: 'h1' })
  conversation.take(welcome({ history: 'h2' }))
  conversation.take({ kind: 'reset' })
  conversation.take({ kind: 'sync', revision: 20 })
  state.held = 20
  conversation.end()
  expect(hello(connect())).toMatchObject({ revision: 20, history: 'h2' })
  // Only a hub that is wrong would go on with what is of another history.
  expect(() => conversation.take(welcome({ history: 'h1', resumed: true }))).toThrow(code('FRAME_MALFORMED'))
})
