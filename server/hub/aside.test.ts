import { once } from 'node:events'
import type { WebSocket } from 'ws'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeHubFrame, encode } from '../../api/codec.ts'
import { closeCodes, limits, protocolVersion, type AgentFrame, type HelloFrame, type HubFrame, type NodeUsage } from '../../api/frames.ts'
import { createRegistry } from '../../api/prometheus.ts'
import { settled } from '../../test/kit/clock.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, refusalOf, type Inside } from '../../test/kit/registry.ts'
import { createLines } from '../../test/scenarios/link-lines.ts'
import { socketPair } from '../../test/scenarios/link-sockets.ts'
import { createKinds } from '../custom/kinds.ts'
import { createHub, type Hub } from './hub.ts'
import { addHubMeasures } from './measures.ts'

let inside: Inside
let hub: Hub
let agents: WebSocket[]
beforeEach(async () => {
  inside = await openInside()
  agents = []
  hub = createHub({ ...inside, log: createLines().log, version: '0.1.0', name: 'https://10.0.0.1:6443' })
})
afterEach(async () => {
  for (const agent of agents) agent.terminate()
  await hub.close()
  await inside.close()
})

/** An agent of node1 that has said hello: for calls alone, or for everything. */
async function greet(more: Partial<HelloFrame> = {}) {
  const { hub: theirs, agent, line } = await socketPair()
  const frames: HubFrame[] = []
  agents.push(agent)
  agent.on('message', (data: Buffer) => frames.push(decodeHubFrame(data)))
  const closed = once(agent, 'close').then(([code, reason]) => [code as number, String(reason)] as const)
  hub.accept(theirs, 'node1', line)
  const say = async (frame: AgentFrame): Promise<void> => {
    agent.send(encode(frame))
    await settled()
  }
  await say({ kind: 'hello', version: protocolVersion, node: 'node1', agent: '0.1.0', time: inside.clock.now(), ...more })
  return { socket: agent, frames, closed, say }
}
const aside = () => greet({ for: 'calls' })
const needless = [closeCodes.needless, 'the hub has another connection to this node']

/** Asks for the rules, and reads the answer to its end. */
async function ask(): Promise<string> {
  let text = ''
  for await (const part of hub.call('node1', { method: 'rules' }, new AbortController().signal)) text += Buffer.from(part).toString()
  return text
}
const usage: NodeUsage = { cpuMillis: 100, memoryBytes: 1, cpuCapacityMillis: 2_000, memoryCapacityBytes: 2 }

test('a side link is welcomed with the name of the hub, and is sent calls and nothing else', async () => {
  const side = await aside()
  const { history, revision } = inside.store
  expect(side.frames).toEqual([
    { kind: 'welcome', version: protocolVersion, node: 'node1', history, revision, resumed: false, time: inside.clock.now(), hub: 'https://10.0.0.1:6443' },
  ])
  await inside.make('services', kit.service())
  for (let i = 0; i < 3; i++) await inside.clock.advance(limits.pingMs)
  expect(side.frames).toHaveLength(1)
  const answer = ask()
  await settled()
  expect(side.frames.slice(1)).toEqual([{ kind: 'call', id: 1, call: { method: 'rules' } }])
  await side.say({ kind: 'data', id: 1, bytes: Buffer.from('table') })
  await side.say({ kind: 'end', id: 1 })
  expect(await answer).toBe('table')
  // What is over does not end it: there is no other connection to the node.
  expect(side.socket.readyState).toBe(side.socket.OPEN)
})

test('a session is welcomed with the name of the hub, too', async () => {
  expect((await greet()).frames[0]).toMatchObject({ kind: 'welcome', hub: 'https://10.0.0.1:6443' })
})

test('load that is told on it counts, and nothing is stored', async () => {
  const side = await aside()
  const before = inside.store.revision
  const pods = [{ key: 'default/web', containers: [] }]
  await side.say({ kind: 'report', report: { kind: 'usage', usage } })
  await side.say({ kind: 'report', report: { kind: 'podUsage', windowMs: 1_000, pods } })
  expect([hub.usage('node1'), hub.podLoad('node1')?.pods, inside.store.revision]).toEqual([usage, pods, before])
})

const about = { kind: 'Node', name: 'node1', uid: '' } as const
test.each<[string, AgentFrame]>([
  ['ack', { kind: 'ack', received: 1, applied: 1 }],
  ['a report of kind node', { kind: 'report', report: { kind: 'node', labels: {}, status: {} } }],
  ['a report of kind lease', { kind: 'report', report: { kind: 'lease' } }],
  ['a report of kind pod', { kind: 'report', report: { kind: 'pod', key: 'default/web', uid: 'u', status: {} } }],
  ['a report of kind podGone', { kind: 'report', report: { kind: 'podGone', key: 'default/web', uid: 'u' } }],
  ['a report of kind event', { kind: 'report', report: { kind: 'event', event: { type: 'Normal', reason: 'R', message: 'm', about } } }],
])('%s ends it, and is not kept', async (what, frame) => {
  const before = inside.store.revision
  const side = await aside()
  await side.say(frame)
  expect(await side.closed).toEqual([closeCodes.malformed, `${what} does not belong on a side link`])
  await settled()
  expect([inside.store.revision, hub.nodes()]).toEqual([before, []])
})

test('a second hello ends it', async () => {
  const side = await aside()
  await side.say({ kind: 'hello', version: protocolVersion, node: 'node1', agent: '0.1.0', time: 0 })
  expect(await side.closed).toEqual([closeCodes.malformed, 'a second hello'])
})

test.each([
  [{ version: protocolVersion + 1 }, 'of the protocol'],
  [{ node: 'node2' }, 'its certificate that it is node1'],
])('one with %j is refused', async (wrong, reason) => {
  const side = await greet({ for: 'calls', ...wrong })
  expect(await side.closed).toEqual([closeCodes.refused, expect.stringContaining(reason)])
  expect(hub.nodes()).toEqual([])
})

test('the node is shown once: as its session is, or else as one that can be asked from aside', async () => {
  const shown = () => hub.nodes().map(({ name, connected, aside: isAside }) => ({ name, connected, isAside }))
  const side = await aside()
  expect(shown()).toEqual([{ name: 'node1', connected: false, isAside: true }])
  const session = await greet()
  expect(await side.closed).toEqual(needless)
  expect(shown()).toEqual([{ name: 'node1', connected: true, isAside: undefined }])
  session.socket.terminate()
  await settled()
  expect(shown()).toEqual([{ name: 'node1', connected: false, isAside: undefined }])
})

test('a node that was never more than a side link is not shown when that is gone, and is not reached', async () => {
  const side = await aside()
  side.socket.terminate()
  await settled()
  expect(hub.nodes()).toEqual([])
  expect(await refusalOf(ask())).toMatchObject({ reason: 'ServiceUnavailable' })
})

test('the session of the node takes the new calls; those of the side link come to their end on it', async () => {
  const side = await aside()
  const old = ask()
  await settled()
  const session = await greet()
  const young = ask()
  await settled()
  expect(session.frames.at(-1)).toMatchObject({ kind: 'call' })
  await session.say({ kind: 'end', id: 1 })
  expect(await young).toBe('')
  expect(side.socket.readyState).toBe(side.socket.OPEN)
  await side.say({ kind: 'data', id: 1, bytes: Buffer.from('slow') })
  await side.say({ kind: 'end', id: 1 })
  expect(await old).toBe('slow')
  expect(await side.closed).toEqual(needless)
  expect(session.socket.readyState).toBe(session.socket.OPEN)
})

test('a session that ends leaves the node to a side link that is still busy', async () => {
  const side = await aside()
  void ask().catch(() => undefined)
  await settled()
  const session = await greet()
  session.socket.terminate()
  await settled()
  expect(hub.nodes()).toMatchObject([{ connected: false, aside: true }])
  void ask().catch(() => undefined)
  await settled()
  expect(side.frames.filter((frame) => frame.kind === 'call')).toHaveLength(2)
})

test('of two side links the newer is kept, and the older when it has nothing more to do', async () => {
  const idle = await aside()
  const busy = await aside()
  expect(await idle.closed).toEqual(needless)
  const answer = ask()
  await settled()
  const newest = await aside()
  expect(busy.socket.readyState).toBe(busy.socket.OPEN)
  await busy.say({ kind: 'end', id: 1 })
  await answer
  expect(await busy.closed).toEqual(needless)
  expect(newest.socket.readyState).toBe(newest.socket.OPEN)
})

test('the metrics tell sessions and side links apart', async () => {
  const metrics = createRegistry()
  addHubMeasures(metrics, { store: inside.store, kinds: createKinds(inside.store), sessions: hub, version: '0.1.0' })
  const lines = () => metrics.text().split('\n').filter((line) => /^wherry_agent_(connected|aside)\{/.test(line))
  await aside()
  expect(lines()).toEqual(['wherry_agent_aside{node="node1"} 1'])
  await greet()
  expect(lines()).toEqual(['wherry_agent_connected{node="node1"} 1'])
})

test('a hub that stops says goodbye on side links, too', async () => {
  const side = await aside()
  await hub.close()
  expect(await side.closed).toEqual([closeCodes.leaving, 'the hub is stopping'])
})
