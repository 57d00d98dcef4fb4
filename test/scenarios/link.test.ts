/** Hub and agents over real sockets: what an agent holds is what the store has for it, whatever happens to its connections. */
import { WebSocket } from 'ws'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../api/clock.ts'
import { decodeHubFrame, encode } from '../../api/codec.ts'
import { hubPaths } from '../../api/hub.ts'
import { protocolVersion, type HubFrame } from '../../api/frames.ts'
import { keyOf } from '../../api/objects.ts'
import type { HubDeps } from '../../server/hub/hub.ts'
import { wanted } from '../../server/hub/interest.ts'
import type { Change, Ref } from '../../server/store/store.ts'
import * as kit from '../kit/objects.ts'
import type { Inside } from '../kit/registry.ts'
import { as, changesOf, heldState, openStage, rightState, type Agent, type Stage } from './link-stage.ts'

let stage: Stage
const open = async (options?: Partial<HubDeps>): Promise<Stage> => (stage = await openStage(options))
afterEach(() => stage.close())

const put = (inside: Inside, resource: Ref['resource'], draft: { readonly metadata: { name: string; namespace?: string } }): Promise<unknown> =>
  inside.store.write({ resource, namespace: draft.metadata.namespace ?? '', name: draft.metadata.name }, () => ({ put: kit.stored(draft) }))

/** @param note in a field that agents are sent */
const service = (name: string, note = ''): ReturnType<typeof kit.service> => kit.service({ metadata: { name }, spec: { externalName: note } })

/** Writes something that every agent is sent, and waits until this one has it. */
async function settle(agent: Agent): Promise<void> {
  await put(stage.inside, 'services', service('settled', String(stage.inside.store.revision)))
  await agent.reached(stage.inside.store.revision)
}

function expectRight(agent: Agent, node: string): void {
  expect(heldState(agent.tables)).toEqual(rightState(stage.inside, node))
}

describe('one agent', () => {
  test('is sent everything, one sync, and then each change as it happens', async () => {
    const { inside, agent } = await open()
    await put(inside, 'services', service('web'))
    await put(inside, 'pods', kit.pod({ metadata: { name: 'here' }, spec: { nodeName: 'node1' } }))
    await put(inside, 'pods', kit.pod({ metadata: { name: 'there' }, spec: { nodeName: 'node2' } }))
    await put(inside, 'nodes', kit.node())
    const one = agent('node1')
    await one.reached(inside.store.revision)
    expect(one.frames.map((f) => f.kind)).toEqual(['reset', 'set', 'set', 'set', 'sync'])
    expectRight(one, 'node1')

    await Promise.all([put(inside, 'services', service('db')), put(inside, 'services', service('cache'))])
    await one.reached(inside.store.revision)
    expect(one.frames.slice(5).map((f) => f.kind)).toEqual(['set', 'set', 'sync'])
    await inside.store.write({ resource: 'services', namespace: 'default', name: 'web' }, () => ({ remove: true }))
    await one.reached(inside.store.revision)
    expect(one.frames.slice(8)).toEqual([
      { kind: 'delete', resource: 'services', revision: inside.store.revision, key: 'default/web' },
      { kind: 'sync', revision: inside.store.revision },
    ])
    expectRight(one, 'node1')
    expect(stage.hub.nodes()).toMatchObject([{ name: 'node1', connected: true }])
  })

  test('resumes by revision after its connection was killed', async () => {
    const { inside, agent } = await open()
    const ferry = await stage.ferry()
    await put(inside, 'services', service('web'))
    const one = agent('node1', { urls: [ferry.url] })
    await one.reached(inside.store.revision)
    ferry.open(false)
    ferry.sink()
    await one.lines.until('the connection to the hub is lost')
    await put(inside, 'services', service('db'))
    await put(inside, 'configmaps', kit.configMap())
    ferry.open(true)
    await settle(one)
    expect(one.frames.map((f) => f.kind)).toEqual(['reset', 'set', 'sync', ...one.frames.slice(3).map((f) => f.kind)])
    expect(changesOf(one.frames).map((f) => f.kind === 'set' && keyOf(f.object))).toEqual(['default/web', 'default/db', 'default/settled'])
    expect(one.lines.of('connected to the hub').map((l) => l['resumed'])).toEqual([false, true])
    expectRight(one, 'node1')
  })

  test('starts again from a reset when the history that it missed is gone', async () => {
    const { inside, agent } = await open()
    const ferry = await stage.ferry()
    await put(inside, 'services', service('old'))
    await put(inside, 'services', service('kept'))
    const one = agent('node1', { urls: [ferry.url] })
    await one.reached(inside.store.revision)
    ferry.open(false)
    ferry.sink()
    await one.lines.until('the connection to the hub is lost')
    await inside.store.write({ resource: 'services', namespace: 'default', name: 'old' }, () => ({ remove: true }))
    await put(inside, 'services', service('new'))
    await inside.store.compact(inside.store.revision)
    ferry.open(true)
    await settle(one)
    expect(one.lines.of('connected to the hub').map((l) => l['resumed'])).toEqual([false, false])
    expect(one.frames.filter((f) => f.kind === 'reset')).toHaveLength(2)
    expect([...one.tables.all('services').keys()].toSorted()).toEqual(['default/kept', 'default/new', 'default/settled'])
    expectRight(one, 'node1')
  })

  test('that does not read is cut off, and recovers', async () => {
    const { inside, agent, hub, lines } = await open({ bounds: { queueBytes: 256 * 1024 } })
    const ferry = await stage.ferry()
    const one = agent('node1', { urls: [ferry.url] })
    await settle(one)
    ferry.stall()
    const long = 'x'.repeat(100_000)
    // The kernel's buffers on both sides of the ferry take some MB before anything waits in the hub.
    for (let i = 0; i < 500 && hub.nodes()[0]!.connected; i++) await put(inside, 'services', service(`s${i % 20}`, `${i}${long}`))
    expect(lines.of('a session is cut off')).toMatchObject([{ node: 'node1', why: expect.stringContaining('262144 bytes wait') }])
    ferry.sink()
    await settle(one)
    expect(one.lines.of('connected to the hub').map((l) => l['resumed'])).toEqual([false, true])
    expectRight(one, 'node1')
  })

  test('misses no change that happens while its first state is on the way', async () => {
    const { inside, agent } = await open()
    const long = 'x'.repeat(2_000)
    await Promise.all(Array.from({ length: 2_000 }, (_, i) => put(inside, 'services', service(`s${i}`, long))))
    const before = inside.store.revision
    let writes: Promise<unknown>[] = []
    const one = agent('node1', {
      onFrame(frame) {
        // Again what was sent, what was not sent yet, and what is new; and the end of one of each.
        if (frame.kind !== 'set' || writes.length >= 300) return
        const i = writes.length
        const name = ['s0', 's1999', 'new'][i % 3]!
        const ref = { resource: 'services', namespace: 'default', name } as const
        writes.push(i % 30 > 26 ? inside.store.write(ref, () => ({ remove: true })) : put(inside, 'services', service(name, String(i))))
      },
    })
    await one.reached(before)
    await Promise.all(writes)
    await settle(one)
    expect(one.frames.filter((f) => f.kind === 'reset')).toHaveLength(1)
    expectIncreasing(one)
    expectRight(one, 'node1')
  })
})

function expectIncreasing(agent: Agent): void {
  let last = 0
  for (const frame of agent.frames) {
    if (frame.kind === 'reset') last = 0
    else if (frame.kind === 'sync') expect(frame.revision).toBeGreaterThanOrEqual(last)
    else {
      expect(frame.revision).toBeGreaterThan(last)
      last = frame.revision
    }
  }
}

/** A small generator of numbers, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

/** One random change: a service, a slice, a node, a pod that comes, goes or moves, or something that no agent is sent. */
function randomChange(inside: Inside, random: () => number): Promise<unknown> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const name = `x${Math.floor(random() * 30)}`
  const annotations = { note: String(random()), more: 'x'.repeat(Math.floor(random() * 300)) }
  const nodeName = pick(['node1', 'node2', undefined])
  // Of some slices only the endpoints change, of others more.
  const endpoints = Array.from({ length: Math.floor(random() * 6) }, (_, i) => ({ addresses: [`10.244.1.${i + Math.floor(random() * 3)}`], conditions: { ready: random() < 0.8 } }))
  const [resource, draft] = pick([
    ['services', kit.service({ metadata: { name, annotations }, spec: { externalName: annotations.note + annotations.more } })],
    ['endpointslices.discovery.k8s.io', kit.endpointSlice({ metadata: { name, ...(random() < 0.5 && { annotations }) }, endpoints })],
    ['nodes', kit.node({ metadata: { name, annotations } })],
    ['pods', kit.pod({ metadata: { name, annotations }, ...(nodeName && { spec: { nodeName } }) })],
    ['configmaps', kit.configMap({ metadata: { name, annotations } })],
  ] as const)
  const ref: Ref = { resource, namespace: resource === 'nodes' ? '' : 'default', name }
  if (random() < 0.3) return inside.store.write(ref, (current) => (current ? { remove: true } : { keep: true }))
  return put(inside, resource, draft)
}

/** Comes back at once; deadlines stay what they are. */
const impatient: Clock = {
  now: () => Date.now(),
  after(ms, call) {
    if (ms > 5_000) return systemClock.after(ms, call)
    const soon = setImmediate(call)
    return () => clearImmediate(soon)
  },
}

describe('connections that break at any byte', () => {
  test.each([1, 2])('lose and repeat nothing in 2,000 changes (seed %i)', async (seed) => {
    const { inside, agent } = await open()
    const random = seeded(seed)
    const ferry = await stage.ferry()
    const changes: Change[] = []
    const one = agent('node1', { urls: [ferry.url], random, clock: impatient })
    await settle(one)
    const start = inside.store.revision
    inside.store.watch(start, (change) => changes.push(change))

    ferry.sinkAfter(() => 200 + Math.floor(random() * 8_000))
    ferry.sink()
    for (let i = 0; i < 2_000; i++) {
      const written = randomChange(inside, random)
      if (random() < 0.7) await written
      if (random() < 0.02) ferry.sink()
      if (random() < 0.05) await new Promise((resolve) => setImmediate(resolve))
    }
    ferry.sinkAfter(undefined)
    ferry.sink()
    await settle(one)

    const due = changes.filter((change) => wanted('node1', change) !== 'none').map((change) => change.revision)
    const seen = changesOf(one.frames.slice(one.frames.findIndex((f) => f.kind === 'sync' && f.revision >= start) + 1))
    expect(seen.map((f) => 'revision' in f && f.revision)).toEqual(due)
    expect(due.length).toBeGreaterThan(500)
    expectIncreasing(one)
    expectRight(one, 'node1')
    const resumed = one.lines.of('connected to the hub').map((l) => l['resumed'])
    expect(resumed).toEqual([false, ...resumed.slice(1).map(() => true)])
    expect(resumed.length).toBeGreaterThan(20)
  })
})

describe('several agents', () => {
  test('of one name: the newer takes the place of the older', async () => {
    const { inside, agent, hub } = await open()
    await put(inside, 'services', service('web'))
    const older = agent('node1')
    await older.reached(inside.store.revision)
    const newer = agent('node1')
    await newer.reached(inside.store.revision)
    await older.lines.until('the hub refuses this agent')
    expect(older.lines.of('the hub refuses this agent')).toMatchObject([{ code: 'LINK_REFUSED', error: expect.stringContaining('a newer session') }])
    await older.stop()
    expect(hub.nodes()).toMatchObject([{ name: 'node1', connected: true }])
    await settle(newer)
    expectRight(newer, 'node1')
    expect(newer.lines.of('connected to the hub')).toHaveLength(1)
  })

  test('fifty of them get a change that was encoded once', async () => {
    const encoded: HubFrame[] = []
    const { inside, url } = await open({
      encode(frame) {
        encoded.push(frame)
        return encode(frame)
      },
    })
    await put(inside, 'services', service('web'))
    const names = Array.from({ length: 50 }, (_, i) => `node${i}`)
    const clients = await Promise.all(names.map((name) => connect(name, url)))
    await Promise.all(clients.map((client) => client.synced(inside.store.revision)))
    expect(encoded.filter((f) => f.kind === 'set')).toHaveLength(1)
    encoded.length = 0
    await put(inside, 'services', service('web', 'changed'))
    await put(inside, 'pods', kit.pod({ spec: { nodeName: 'node7' } }))
    await put(inside, 'pods', kit.pod({ metadata: { name: 'elsewhere' }, spec: { nodeName: 'node99' } }))
    await inside.store.write({ resource: 'services', namespace: 'default', name: 'web' }, () => ({ remove: true }))
    await Promise.all(clients.map((client) => client.synced(inside.store.revision)))
    expect(encoded.map((f) => f.kind)).toEqual(['set', 'sync', 'set', 'sync', 'delete', 'sync'])
    const pods = clients.map((client) => client.frames.filter((f) => f.kind === 'set' && f.resource === 'pods').length)
    expect(pods).toEqual(names.map((name) => (name === 'node7' ? 1 : 0)))
    for (const client of clients) client.socket.terminate()
  })
})

interface Client {
  readonly socket: WebSocket
  readonly frames: readonly HubFrame[]
  synced(revision: number): Promise<void>
}

/** The smallest agent: says hello and listens. */
function connect(node: string, url: string): Promise<Client> {
  const socket = new WebSocket(new URL(hubPaths.agent, as(node, url)), { perMessageDeflate: false })
  const frames: HubFrame[] = []
  const client: Client = {
    socket,
    frames,
    synced: (revision) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!frames.some((f) => f.kind === 'sync' && f.revision >= revision)) return
          socket.off('message', look)
          resolve()
        }
        socket.on('message', look)
        look()
      }),
  }
  socket.on('message', (data: Buffer) => frames.push(decodeHubFrame(data)))
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => {
      socket.send(encode({ kind: 'hello', version: protocolVersion, node, agent: '0.1.0', time: Date.now() }))
      resolve(client)
    })
  })
}

