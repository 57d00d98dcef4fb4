import { once } from 'node:events'
import type { WebSocket } from 'ws'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodeHubFrame, encode } from '../../api/codec.ts'
import { closeCodes, limits, protocolVersion, type AgentFrame, type HubFrame } from '../../api/frames.ts'
import { settled } from '../../test/kit/clock.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, refusalOf, type Inside } from '../../test/kit/registry.ts'
import { createLines, type Lines } from '../../test/scenarios/link-lines.ts'
import { socketPair } from '../../test/scenarios/link-sockets.ts'
import { createHub, type Hub } from './hub.ts'
import { clipped } from './session.ts'

let inside: Inside
let lines: Lines
let hub: Hub
let agents: WebSocket[]
beforeEach(async () => {
  inside = await openInside()
  lines = createLines()
  agents = []
  hub = createHub({ ...inside, log: lines.log, version: '0.1.0' })
})
afterEach(async () => {
  for (const agent of agents) agent.terminate()
  await hub.close()
  await inside.close()
})

interface Peer {
  readonly socket: WebSocket
  readonly frames: readonly HubFrame[]
  say(frame: AgentFrame): Promise<void>
  /** Resolves with code and reason. */
  readonly closed: Promise<readonly [number, string]>
}

async function connect(node = 'node1'): Promise<Peer> {
  const { hub: theirs, agent, line } = await socketPair()
  const frames: HubFrame[] = []
  agents.push(agent)
  agent.on('message', (data: Buffer) => frames.push(decodeHubFrame(data)))
  const closed = once(agent, 'close').then(([code, reason]) => [code as number, String(reason)] as const)
  hub.accept(theirs, node, line)
  return {
    socket: agent,
    frames,
    closed,
    async say(frame) {
      agent.send(encode(frame))
      await settled()
    },
  }
}

const hello = (more: Partial<Extract<AgentFrame, { kind: 'hello' }>> = {}): AgentFrame => ({
  kind: 'hello',
  version: protocolVersion,
  node: 'node1',
  agent: '0.1.0',
  history: inside.store.history,
  time: inside.clock.now(),
  ...more,
})

async function greet(more: Partial<Extract<AgentFrame, { kind: 'hello' }>> = {}): Promise<Peer> {
  const peer = await connect(more.node)
  await peer.say(hello(more))
  return peer
}

const link = (node = 'node1') => hub.nodes().find((n) => n.name === node)

describe('the greeting', () => {
  test('is answered with a welcome, and the state', async () => {
    const peer = await greet()
    expect(peer.frames).toEqual([
      { kind: 'welcome', version: protocolVersion, node: 'node1', history: inside.store.history, revision: inside.store.revision, resumed: false, time: inside.clock.now() },
      { kind: 'reset' },
      { kind: 'sync', revision: inside.store.revision },
    ])
    expect(link()).toEqual({ name: 'node1', connected: true, since: '2026-01-01T00:00:00Z', received: 0, applied: 0 })
  })

  test('that does not come in time ends the connection', async () => {
    const peer = await connect()
    await inside.clock.advance(9_999)
    expect(peer.socket.readyState).toBe(peer.socket.OPEN)
    await inside.clock.advance(1)
    expect(await peer.closed).toEqual([closeCodes.malformed, 'no hello within 10000 ms'])
    expect(hub.nodes()).toEqual([])
  })

  test.each([
    [{ version: protocolVersion + 1 }, `version ${protocolVersion + 1} of the protocol`],
    [{ node: 'node2' }, 'its certificate that it is node1'],
  ])('with %j is refused', async (wrong, reason) => {
    const peer = await connect('node1')
    await peer.say(hello(wrong))
    expect(await peer.closed).toEqual([closeCodes.refused, expect.stringContaining(reason)])
    expect(peer.frames).toEqual([])
    expect(hub.nodes()).toEqual([])
  })

  test('resumes nothing of another history, as a store that was put back has, and nothing of an unknown one', async () => {
    const revision = inside.store.revision
    await inside.make('services', kit.service())
    for (const history of ['another', undefined]) {
      const peer = await greet({ revision, history })
      expect(peer.frames.map((f) => f.kind)).toEqual(['welcome', 'reset', 'set', 'sync'])
      expect(peer.frames[0]).toMatchObject({ resumed: false, history: inside.store.history })
    }
  })

  test('resumes what the history has, and starts anew where it has it not', async () => {
    const before = inside.store.revision
    await inside.make('services', kit.service())
    const now = inside.store.revision
    const kinds = async (revision: number) => (await greet({ revision })).frames.map((f) => f.kind)
    expect(await kinds(before)).toEqual(['welcome', 'set', 'sync'])
    expect(await kinds(now)).toEqual(['welcome', 'sync'])
    expect(await kinds(now + 1)).toEqual(['welcome', 'reset', 'set', 'sync'])
    await inside.store.compact(now)
    expect(await kinds(before)).toEqual(['welcome', 'reset', 'set', 'sync'])
    expect(await kinds(now)).toEqual(['welcome', 'sync'])
  })

  test('from a clock that is far off is a warning', async () => {
    await greet({ time: inside.clock.now() - 59_000 })
    expect(lines.of('the clocks of hub and node differ')).toEqual([])
    await greet({ time: inside.clock.now() - 90_000 })
    expect(lines.of('the clocks of hub and node differ')).toMatchObject([{ node: 'node1', seconds: -90 }])
  })
})

describe('what is out of turn ends the session', () => {
  test('a frame before the hello', async () => {
    const peer = await connect()
    await peer.say({ kind: 'ack', received: 1, applied: 1 })
    expect(await peer.closed).toEqual([closeCodes.malformed, 'ack came before the welcome'])
  })

  test('a second hello', async () => {
    const peer = await greet()
    await peer.say(hello())
    expect(await peer.closed).toEqual([closeCodes.malformed, 'a second hello'])
    expect(link()).toMatchObject({ connected: false })
  })

  test.each([
    ['bytes that are no frame', () => new Uint8Array([0xc1])],
    ['a frame as text', () => JSON.stringify(hello())],
  ])('%s', async (_, data) => {
    const peer = await connect()
    peer.socket.send(data())
    expect(await peer.closed).toEqual([closeCodes.malformed, expect.any(String)])
  })
})

describe('live', () => {
  test('a batch of changes is followed by one sync, and what is not for the node by none', async () => {
    const peer = await greet()
    const from = peer.frames.length
    await Promise.all([1, 2, 3].map((i) => inside.make('services', kit.service({ metadata: { name: `s${i}` } }))))
    await settled()
    expect(peer.frames.slice(from).map((f) => f.kind)).toEqual(['set', 'set', 'set', 'sync'])
    await inside.make('configmaps', kit.configMap())
    await inside.make('pods', kit.pod({ spec: { nodeName: 'node2' } }))
    await settled()
    expect(peer.frames).toHaveLength(from + 4)
  })

  test('the next beat tells of revisions that were not for the node, once', async () => {
    const peer = await greet()
    const from = peer.frames.length
    await inside.make('configmaps', kit.configMap())
    await inside.clock.advance(limits.pingMs)
    await inside.clock.advance(limits.pingMs)
    expect(peer.frames.slice(from)).toEqual([{ kind: 'sync', revision: inside.store.revision }])
  })

  test('a newer session of the node takes the place of the older', async () => {
    const older = await greet()
    const newer = await greet()
    expect(await older.closed).toEqual([closeCodes.replaced, expect.stringContaining('newer session')])
    expect(link()).toMatchObject({ connected: true })
    await inside.make('services', kit.service())
    await settled()
    expect(newer.frames.at(-2)).toMatchObject({ kind: 'set' })
    expect(older.frames.some((f) => f.kind === 'set')).toBe(false)
  })

  test('a connection that is refused does no harm to the session that stands', async () => {
    const peer = await greet()
    const other = await connect()
    await other.say(hello({ version: protocolVersion + 1 }))
    await other.closed
    await settled()
    expect(link()).toMatchObject({ connected: true })
    await inside.make('services', kit.service())
    await settled()
    expect(peer.frames.at(-1)).toMatchObject({ kind: 'sync' })
  })

  test('an agent that is heard stays; one that falls silent is cut off', async () => {
    const peer = await greet()
    for (let i = 0; i < 10; i++) await inside.clock.advance(limits.pingMs)
    expect(link()).toMatchObject({ connected: true })
    // It takes nothing any more, and so answers no ping.
    peer.socket.pause()
    await inside.clock.advance(2 * limits.pingMs)
    expect(link()).toMatchObject({ connected: true })
    await inside.clock.advance(limits.pingMs)
    expect(link()).toMatchObject({ connected: false })
    expect(lines.of('a session is cut off')).toMatchObject([{ why: expect.stringContaining('nothing was heard') }])
  })
})

describe('what an agent tells', () => {
  test('acks show how far it is, also after it has gone', async () => {
    const peer = await greet()
    const failed = { code: 'KERNEL_REFUSED', message: 'no space' }
    await peer.say({ kind: 'ack', received: 5, applied: 4, failed })
    await peer.say({ kind: 'ack', received: 6, applied: 4, failed })
    expect(link()).toMatchObject({ received: 6, applied: 4, failed })
    expect(lines.of('the kernel of a node refuses its rules')).toHaveLength(1)
    await peer.say({ kind: 'ack', received: 6, applied: 6 })
    expect(link()).not.toHaveProperty('failed')
    expect(lines.of('the kernel of a node accepts its rules again')).toHaveLength(1)
    await inside.clock.advance(1_000)
    peer.socket.terminate()
    await settled()
    expect(link()).toEqual({ name: 'node1', connected: false, since: '2026-01-01T00:00:01Z', received: 6, applied: 6 })
  })

  test('its load counts for 30 s', async () => {
    const usage = { cpuMillis: 100, memoryBytes: 1, cpuCapacityMillis: 2_000, memoryCapacityBytes: 2 }
    const peer = await greet()
    expect(hub.usage('node1')).toBeUndefined()
    await peer.say({ kind: 'report', report: { kind: 'usage', usage } })
    await inside.clock.advance(30_000)
    expect(hub.usage('node1')).toEqual(usage)
    expect(link()).toMatchObject({ usage })
    await inside.clock.advance(1)
    expect(hub.usage('node1')).toBeUndefined()
    expect(link()).not.toHaveProperty('usage')
  })

  test('a node with the address of another is sent away', async () => {
    const status = { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] }
    await inside.make('nodes', kit.node({ metadata: { name: 'other' }, status }))
    const peer = await greet()
    await peer.say({ kind: 'report', report: { kind: 'node', labels: {}, status } })
    expect(await peer.closed).toEqual([closeCodes.refused, expect.stringMatching(/^node node1 has the address 10.0.0.1 of node other/)])
  })
})

describe('a call', () => {
  const read = async (node: string, signal = new AbortController().signal): Promise<string> => {
    let text = ''
    for await (const part of hub.call(node, { method: 'rules' }, signal)) text += Buffer.from(part).toString()
    return text
  }

  test('is answered by the node', async () => {
    const peer = await greet()
    const answer = read('node1')
    await settled()
    expect(peer.frames.at(-1)).toEqual({ kind: 'call', id: 1, call: { method: 'rules' } })
    await peer.say({ kind: 'data', id: 1, bytes: Buffer.from('table') })
    await peer.say({ kind: 'end', id: 1 })
    expect(await answer).toBe('table')
  })

  test('to a node without a connection, or one that goes away, is ServiceUnavailable', async () => {
    expect(await refusalOf(read('node1'))).toMatchObject({ reason: 'ServiceUnavailable', code: 503 })
    const peer = await greet()
    const answer = refusalOf(read('node1'))
    await settled()
    peer.socket.terminate()
    expect(await answer).toMatchObject({ reason: 'ServiceUnavailable' })
    expect(await refusalOf(read('node1'))).toMatchObject({ reason: 'ServiceUnavailable' })
  })

  test('that is aborted is cancelled on the node', async () => {
    const peer = await greet()
    const abort = new AbortController()
    const answer = read('node1', abort.signal)
    await settled()
    abort.abort(new TypeError('enough'))
    await expect(answer).rejects.toThrow('enough')
    await settled()
    expect(peer.frames.at(-1)).toEqual({ kind: 'cancel', id: 1 })
  })
})

test('a hub that stops says goodbye to everybody, and lets nobody in', async () => {
  const [one, two, early] = [await greet(), await greet({ node: 'node2' }), await connect('node3')]
  await hub.close()
  for (const peer of [one, two, early]) expect(await peer.closed).toEqual([closeCodes.leaving, 'the hub is stopping'])
  const late = await connect('node4')
  expect(await late.closed).toEqual([closeCodes.leaving, 'the hub is stopping'])
})

test('a reason fits into a close frame, whole characters only', () => {
  expect(clipped('short')).toBe('short')
  for (const text of ['x'.repeat(200), 'é'.repeat(100), `x${'é'.repeat(100)}`, '🚣'.repeat(40), `xx${'🚣'.repeat(40)}`]) {
    expect(Buffer.byteLength(clipped(text))).toBeLessThanOrEqual(123)
    expect(clipped(text)).toMatch(/^[xé🚣]+…$/u)
  }
})
