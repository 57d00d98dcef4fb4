import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Clock } from '../../api/clock.ts'
import { decodeAgentFrame, encode } from '../../api/codec.ts'
import { closeCodes, protocolVersion, type AgentFrame, type HubFrame, type ReportFrame } from '../../api/frames.ts'
import { noCalls } from '../../test/kit/calls.ts'
import { settled } from '../../test/kit/clock.ts'
import { waitFor } from '../../test/kit/wait.ts'
import { createLines } from '../../test/scenarios/link-lines.ts'
import { createSides } from './sides.ts'

interface Theirs {
  readonly socket: WebSocket
  readonly said: readonly AgentFrame[]
  readonly send: (frame: HubFrame) => void
  /** Resolves with the code and reason that the agent gave. */
  readonly closed: Promise<readonly [number, string]>
}

interface FakeHub {
  readonly url: string
  /** Every connection that there was. */
  readonly met: readonly Theirs[]
  /** Resolves with the connection of this number, counted from 1, when it has said hello. */
  meets(number: number): Promise<Theirs>
  close(): void
}

let hubs: FakeHub[]
let waits: number[]
let stop: AbortController
let running: Promise<void> | undefined
beforeEach(() => {
  hubs = []
  waits = []
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await running
  for (const hub of hubs) hub.close()
})

/** A hub that answers each hello with a welcome that has this name; or with something else. */
async function openHub(name?: string, greet?: (socket: WebSocket, host: string, welcome: Uint8Array) => void): Promise<FakeHub> {
  const server = http.createServer()
  const sockets = new WebSocketServer({ server })
  const met: Theirs[] = []
  const watching = new Set<() => void>()
  const welcome: HubFrame = { kind: 'welcome', version: protocolVersion, node: 'node1', history: 'h', revision: 1, resumed: false, time: 0, ...(name && { hub: name }) }
  sockets.on('connection', (socket: WebSocket, { headers }: http.IncomingMessage) => {
    const said: AgentFrame[] = []
    const closed = once(socket, 'close').then(([code, reason]) => [code as number, String(reason)] as const)
    socket.on('message', (data: Buffer) => {
      said.push(decodeAgentFrame(data))
      if (said.length > 1) return
      if (greet) greet(socket, headers.host ?? '', encode(welcome))
      else socket.send(encode(welcome))
      met.push({ socket, said, closed, send: (frame) => socket.send(encode(frame)) })
      for (const look of watching) look()
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const hub: FakeHub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    met,
    meets(number) {
      const { promise, resolve } = Promise.withResolvers<Theirs>()
      const look = (): void => {
        if (met.length < number) return
        watching.delete(look)
        resolve(met[number - 1]!)
      }
      watching.add(look)
      look()
      return promise
    },
    close() {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      server.close()
    },
  }
  hubs.push(hub)
  return hub
}

/** Waits for the next connection take no time, and are noted; deadlines and beats never come. */
const clock: Clock = {
  now: () => 0,
  after(ms, call) {
    if (ms > 5_000) return () => {}
    waits.push(ms)
    const soon = setImmediate(call)
    return () => clearImmediate(soon)
  },
}

function start(urls: readonly string[], random = () => 0) {
  const lines = createLines()
  const bounds = { pingMs: 1e9, queueBytes: 1e6, connectMs: 1e9 }
  const sides = createSides({ urls, node: 'node1', version: '0.1.0', clock, random, log: lines.log, handlers: { ...noCalls, rules: () => ReadableStream.from([Buffer.from('table')]) }, bounds })
  running = sides.run(stop.signal)
  return { sides, lines }
}

const load: ReportFrame = { kind: 'report', report: { kind: 'usage', usage: { cpuMillis: 1, memoryBytes: 1, cpuCapacityMillis: 1, memoryCapacityBytes: 1 } } }
const stands = 'a side link to a hub stands'
const fails = 'there is no side link to a hub; it is tried again'

test('each hub but that of the session gets a link that says hello for calls, is told load and answers', async () => {
  const [one, two, three] = [await openHub('one'), await openHub('two'), await openHub('three')]
  const { sides, lines } = start([one.url, two.url])
  sides.session(one.url, 'one')
  sides.named([three.url])
  await lines.until(stands, 2)
  sides.tell(load)
  for (const hub of [two, three]) {
    const { said, send } = await hub.meets(1)
    send({ kind: 'call', id: 4, call: { method: 'rules' } })
    await waitFor('the answer', () => said.length === 4)
    expect(said).toEqual([
      { kind: 'hello', version: protocolVersion, node: 'node1', agent: '0.1.0', time: 0, for: 'calls' },
      load,
      { kind: 'data', id: 4, bytes: Buffer.from('table') },
      { kind: 'end', id: 4 },
    ])
  }
  expect(one.met).toEqual([])
})

test('before the session stands, and with a hub that is alone, there are none', async () => {
  const [one, two] = [await openHub('one'), await openHub('two')]
  const { sides } = start([one.url, two.url])
  sides.named([one.url, two.url])
  await settled()
  sides.session(one.url, undefined)
  await settled()
  expect(waits).toEqual([])
  sides.session(one.url, 'one')
  await two.meets(1)
})

test('a hub that the store names by the name of the session’s hub is that hub', async () => {
  const [one, two] = [await openHub('one'), await openHub('two')]
  const { sides } = start([two.url])
  sides.named([one.url])
  sides.session('http://hub.example', one.url)
  await two.meets(1)
  await settled()
  expect(one.met).toEqual([])
})

test('a hub that comes later is found; one that goes keeps the link that stands, and gets no other', async () => {
  const [one, two] = [await openHub('one'), await openHub('two')]
  const { sides, lines } = start([one.url])
  sides.session(one.url, 'one')
  await settled()
  sides.named([one.url, two.url])
  const first = await two.meets(1)
  await lines.until(stands)
  sides.named([one.url])
  sides.tell(load)
  await waitFor('the load', () => first.said.length === 2)
  first.socket.terminate()
  await first.closed
  await settled(20)
  expect(two.met).toHaveLength(1)
  expect(lines.of(fails)).toEqual([])
  sides.named([two.url])
  await two.meets(2)
})

test('when the session moves, the link to its hub is the hub’s to end, and the hub that it left gets one', async () => {
  const [one, two] = [await openHub('one'), await openHub('two')]
  const { sides, lines } = start([one.url, two.url])
  sides.session(one.url, 'one')
  const side = await two.meets(1)
  await lines.until(stands)
  sides.session(two.url, 'two')
  await one.meets(1)
  expect(side.socket.readyState).toBe(side.socket.OPEN)
  side.socket.close(closeCodes.needless, 'the hub has another connection to this node')
  await side.closed
  await settled(20)
  expect(two.met).toHaveLength(1)
  expect(lines.of(fails)).toEqual([])
})

test('two URLs of one hub get one link, and the other URL when that is lost', async () => {
  let isAliasGone = false
  const two = await openHub('two', (socket, host, welcome) => (isAliasGone && host.startsWith('localhost') ? socket.close(closeCodes.refused) : socket.send(welcome)))
  const alias = two.url.replace('127.0.0.1', 'localhost')
  const { sides, lines } = start([two.url])
  sides.session('http://hub.example', 'one')
  const first = await two.meets(1)
  await lines.until(stands)
  sides.named([alias])
  const second = await two.meets(2)
  await lines.until(stands, 2)
  first.socket.close(closeCodes.needless)
  await first.closed
  await settled(20)
  expect(two.met).toHaveLength(2)
  isAliasGone = true
  second.socket.terminate()
  await lines.until(stands, 3)
})

test('a hub that is not there is tried again with growing waits, and logged once', async () => {
  const gone = await openHub()
  gone.close()
  const { sides, lines } = start([gone.url], () => 0.99)
  sides.session('http://hub.example', 'one')
  await waitFor('eight tries', () => waits.length >= 8)
  // The first is the spread over all agents.
  expect(waits.slice(0, 8)).toEqual([2_970, 199, 397, 793, 1_585, 3_169, 4_951, 4_951].map((ms) => expect.closeTo(ms, -1)))
  expect(lines.of(fails)).toMatchObject([{ hub: gone.url, code: 'LINK_LOST' }])
})

test('a hub that refuses is asked seldom', async () => {
  const hub = await openHub('two', (socket) => socket.close(closeCodes.refused, 'another version'))
  const { sides, lines } = start([hub.url], () => 0.5)
  sides.session('http://hub.example', 'one')
  await hub.meets(3)
  expect(lines.of(fails)).toMatchObject([{ code: 'LINK_REFUSED', error: expect.stringContaining('another version') }])
  expect(waits.slice(1, 3)).toEqual([3_750, 3_750])
})

test('a link that stood and is lost is logged again', async () => {
  const hub = await openHub('two')
  const { sides, lines } = start([hub.url])
  sides.session('http://hub.example', 'one')
  for (const number of [1, 2]) {
    const { socket } = await hub.meets(number)
    await lines.until(stands, number)
    socket.terminate()
    await lines.until(fails, number)
  }
})

test.each<HubFrame>([
  { kind: 'reset' },
  { kind: 'set', resource: 'services', revision: 2, object: { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', uid: 'u', resourceVersion: '2', creationTimestamp: '' } } },
  { kind: 'endpoints', revision: 2, key: 'a/b', from: 1, edits: [] },
  { kind: 'delete', resource: 'services', revision: 2, key: 'a/b' },
  { kind: 'sync', revision: 2 },
])('$kind does not belong on it: it ends by name, and is made again', async (frame) => {
  const hub = await openHub('two')
  const { sides, lines } = start([hub.url])
  sides.session('http://hub.example', 'one')
  const { send, closed } = await hub.meets(1)
  send(frame)
  expect(await closed).toEqual([closeCodes.malformed, 'the agent cannot follow'])
  await hub.meets(2)
  expect(lines.of(fails)).toMatchObject([{ code: 'FRAME_MALFORMED', error: `${frame.kind} does not belong on a side link` }])
})

test('a welcome of another version, or for another node, is not accepted', async () => {
  const wrong: HubFrame = { kind: 'welcome', version: protocolVersion + 1, node: 'node1', history: 'h', revision: 1, resumed: false, time: 0 }
  const hub = await openHub('two', (socket) => socket.send(encode(wrong)))
  const { sides, lines } = start([hub.url])
  sides.session('http://hub.example', 'one')
  await lines.until(fails)
  expect(lines.of(fails)).toMatchObject([{ code: 'LINK_REFUSED', error: expect.stringContaining('version') }])
  expect(lines.of(stands)).toEqual([])
})

test('there are sixteen at most, which is said once', async () => {
  const hub = await openHub('two', () => {})
  const { port } = new URL(hub.url)
  const { sides, lines } = start([])
  sides.session('http://hub.example', 'one')
  sides.named(Array.from({ length: 18 }, (_, i) => `http://127.0.0.${i + 1}:${port}`))
  sides.named(Array.from({ length: 19 }, (_, i) => `http://127.0.0.${i + 1}:${port}`))
  expect(lines.of('there are more hubs than side links')).toMatchObject([{ hub: `http://127.0.0.17:${port}`, most: 16 }])
  expect(waits).toHaveLength(16)
})

test('an abort ends all of them with a word, and the run', async () => {
  const [one, two] = [await openHub('one'), await openHub('two')]
  const { sides, lines } = start([one.url, two.url])
  sides.session('http://hub.example', 'zero')
  await lines.until(stands, 2)
  stop.abort()
  await running
  for (const hub of [one, two]) expect(await hub.met[0]!.closed).toEqual([closeCodes.leaving, 'the agent stops'])
  expect(lines.of(fails)).toEqual([])
})
