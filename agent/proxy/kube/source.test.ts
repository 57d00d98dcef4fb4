import { afterEach, describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { systemClock, type Clock } from '../../../api/clock.ts'
import { silentLog } from '../../../api/log.ts'
import type { KubeObject } from '../../../api/objects.ts'
import { json, startKubeServer, status, type KubeServer, type ServedResource } from '../../../test/kit/kube-server.ts'
import { createTables, type Batch } from '../../state/tables.ts'
import { createApiClient, apiBounds } from './client.ts'
import type { Credentials } from './credentials.ts'
import { reflectorBounds, type ReflectorBounds } from './reflector.ts'
import { createSource, followed, type SourceFrame } from './source.ts'

/** Real time, fifty times as fast: what waits for a retry need not wait long. Nothing here depends on how fast. */
const fastClock: Clock = { now: () => Date.now(), after: (ms, call) => systemClock.after(ms / 50, call) }

interface Follower {
  readonly frames: readonly SourceFrame[]
  readonly batches: readonly Batch[]
  keys(resource: ServedResource): readonly string[]
  get(resource: ServedResource, key: string): KubeObject | undefined
  /** Resolves when a condition holds after a `sync`, or holds already. */
  until(what: () => boolean): Promise<void>
  stop(): Promise<void>
}

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function serve(): Promise<KubeServer> {
  const server = await startKubeServer()
  stops.push(() => server.close())
  return server
}

const fixed = (server: KubeServer, token?: string): Credentials => ({
  proof: async () => ({ ca: server.ca, ...(token !== undefined && { token }) }),
  refused() {},
})

interface Options {
  readonly bounds?: Partial<ReflectorBounds>
  readonly credentials?: Credentials
  readonly clock?: Clock
}

function follow(server: KubeServer, { bounds = {}, credentials = fixed(server), clock = fastClock }: Options = {}): Follower {
  const tables = createTables()
  const frames: SourceFrame[] = []
  const batches: Batch[] = []
  const lookers = new Set<() => void>()
  const stop = new AbortController()
  const access = { server: new URL(server.url), insecure: false, bearer: { kind: 'none' } } as const
  const client = createApiClient({ access, credentials, clock, onAnswer: () => {}, bounds: { ...apiBounds, headMs: 30_000 * 50, stallMs: 30_000 * 50 } })
  const source = createSource({
    client,
    node: 'node1',
    clock,
    random: Math.random,
    log: silentLog,
    onFrame(frame) {
      frames.push(frame)
      const batch = tables.take(frame)
      if (batch) batches.push(batch)
      for (const look of lookers) look()
    },
    bounds: { ...reflectorBounds, silentMs: 1_000_000, ...bounds },
  })
  const running = source.run(stop.signal)
  const follower: Follower = {
    frames,
    batches,
    keys: (resource) => [...tables.all(resource).keys()].toSorted(),
    get: (resource, key) => tables.get(resource, key) as KubeObject | undefined,
    until: (what) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (frames.at(-1)?.kind !== 'sync' || !what()) return
          lookers.delete(look)
          resolve()
        }
        lookers.add(look)
        look()
      }),
    async stop() {
      stop.abort()
      await running
      client.close()
    },
  }
  stops.push(() => follower.stop())
  return follower
}

const service = (name: string, note = '', labels: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', labels, annotations: { note }, managedFields: [{ manager: 'kubectl' }] },
  spec: { clusterIP: '10.96.0.10', selector: { app: 'web' }, ports: [{ name: note || 'http', port: 80, targetPort: 8080 }] },
})
const slice = (name: string, address = '10.244.1.2') => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: [address], nodeName: 'node1', targetRef: { kind: 'Pod', name: 'x' } }],
  ports: [{ name: 'http', port: 8080 }],
})
const node = (name: string) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } })

const isList = (resource: string) => (q: { path: string; query: URLSearchParams }) => q.path.endsWith(`/${resource}`) && !q.query.has('watch')
const isWatch = (resource: string) => (q: { path: string; query: URLSearchParams }) => q.path.endsWith(`/${resource}`) && q.query.has('watch')

describe('the first sync', () => {
  test('comes when all three kinds were listed, and not before', async () => {
    const server = await serve()
    let release = (): void => {}
    server.answerNext(isList('nodes'), (response) => {
      release = () => json(response, 200, { kind: 'NodeList', metadata: { resourceVersion: '10' }, items: null })
    })
    server.put('services', service('web'))
    const follower = follow(server)
    await Promise.all([server.watched('services'), server.watched('endpointslices.discovery.k8s.io'), server.asked(isList('nodes'))])
    // Changes go on meanwhile; they are not news to anybody yet.
    server.put('services', service('late'))
    server.bookmark()
    await new Promise<void>((resolve) => {
      const look = (): void => (follower.frames.filter((f) => f.kind === 'set').length >= 2 ? resolve() : void setImmediate(look))
      look()
    })
    expect(follower.frames.filter((f) => f.kind === 'sync')).toEqual([])
    release()
    await follower.until(() => true)
    expect(follower.batches[0]).toMatchObject({ first: true })
    expect(follower.keys('services')).toEqual(['default/late', 'default/web'])
  })

  test('asks for this node alone, and for services that are ours, in pages', async () => {
    const server = await serve()
    for (let i = 0; i < 7; i++) server.put('services', service(`s${i}`))
    server.put('services', service('headless', '', { 'service.kubernetes.io/headless': '' }))
    server.put('services', service('other', '', { 'service.kubernetes.io/service-proxy-name': 'x' }))
    server.put('nodes', node('node1'))
    server.put('nodes', node('node2'))
    const follower = follow(server, { bounds: { pageSize: 3 } })
    await follower.until(() => true)
    expect(follower.keys('services')).toEqual(Array.from({ length: 7 }, (_, i) => `default/s${i}`))
    expect(follower.keys('nodes')).toEqual(['node1'])
    expect(server.requests.filter(isList('services')).map((q) => [q.query.get('limit'), q.query.has('continue')])).toEqual([
      ['3', false],
      ['3', true],
      ['3', true],
    ])
  })

  test('keeps of the node what is read of it', async () => {
    const server = await serve()
    server.put('nodes', { ...node('node1'), spec: { podCIDR: '10.244.1.0/24', unschedulable: true }, status: { images: [{}], addresses: [] } } as ReturnType<typeof node>)
    const follower = follow(server)
    await follower.until(() => true)
    expect(follower.get('nodes', 'node1')).toEqual({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node1', uid: 'uid-11', resourceVersion: '11', creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { podCIDR: '10.244.1.0/24' },
      status: { addresses: [] },
    })
  })

  test.each([
    ['has no name', { metadata: { resourceVersion: '5' } }],
    ['has no metadata', {}],
    ['is none', null],
    ['has another shape', { metadata: { name: 'odd', namespace: 'default', resourceVersion: '5' }, spec: { ports: 'none' } }],
  ])('does without an object that %s', async (_what, object) => {
    const server = await serve()
    server.put('services', service('web'))
    server.answerNext(isList('services'), (response) => json(response, 200, { metadata: { resourceVersion: '10' }, items: [object, server.put('services', service('web'))] }))
    const follower = follow(server)
    await follower.until(() => true)
    expect(follower.keys('services')).toEqual(['default/web'])
    await server.watched('services')
    server.say('services', `${JSON.stringify({ type: 'MODIFIED', object: { ...service('web'), metadata: { name: 'web', namespace: 'default', resourceVersion: '90' }, spec: { ports: 'none' } } })}\n`)
    await follower.until(() => follower.keys('services').length === 0)
    expect(server.requests.filter(isList('services')), 'which costs no list').toHaveLength(1)
  })
})

describe('a watch', () => {
  const started = async (options?: Options) => {
    const server = await serve()
    server.put('services', service('web'))
    const follower = follow(server, options)
    await follower.until(() => true)
    await server.watched('services')
    return { server, follower }
  }
  const names = (follower: Follower) => (follower.get('services', 'default/web') as { spec?: { ports?: { name: string }[] } } | undefined)?.spec?.ports?.[0]?.name

  test('brings what is added, changed and deleted, each followed by a sync', async () => {
    const { server, follower } = await started()
    server.put('services', service('b'))
    await follower.until(() => follower.keys('services').length === 2)
    server.put('services', service('web', 'changed'))
    await follower.until(() => names(follower) === 'changed')
    server.remove('services', 'default/b')
    await follower.until(() => follower.keys('services').length === 1)
    expect(follower.batches.map((b) => b.first)).toEqual([true, false, false, false])
    expect(follower.batches.at(-1)!.revision).toBe(server.revision())
  })

  test('loses an object that gets another proxy, and wins it back', async () => {
    const { server, follower } = await started()
    server.put('services', service('web', '', { 'service.kubernetes.io/service-proxy-name': 'x' }))
    await follower.until(() => follower.keys('services').length === 0)
    server.put('services', service('web'))
    await follower.until(() => follower.keys('services').length === 1)
  })

  test('that is cut is taken up at the last revision', async () => {
    const { server, follower } = await started()
    server.put('services', service('b'))
    await follower.until(() => follower.keys('services').length === 2)
    const at = server.revision()
    server.cut()
    server.put('services', service('c'))
    await follower.until(() => follower.keys('services').length === 3)
    expect(Number(server.requests.filter(isWatch('services'))[1]!.query.get('resourceVersion'))).toBe(at)
    expect(server.requests.filter(isList('services'))).toHaveLength(1)
  })

  test('that ends is taken up where its last bookmark was', async () => {
    const { server, follower } = await started()
    await server.watched('nodes')
    server.put('nodes', node('node2'))
    server.bookmark()
    const at = server.revision()
    server.finish()
    await server.asked(() => server.requests.filter(isWatch('nodes')).length === 2)
    expect(Number(server.requests.filter(isWatch('nodes'))[1]!.query.get('resourceVersion'))).toBe(at)
    expect(follower.batches, 'and a bookmark is no news').toHaveLength(1)
  })

  test('that breaks within a line loses nothing', async () => {
    const { server, follower } = await started()
    server.cutWithinNext(20)
    server.put('services', service('web', 'changed'))
    await follower.until(() => names(follower) === 'changed')
    expect(server.requests.filter(isList('services')), 'and needs no new list').toHaveLength(1)
  })

  test.each(['status', 'event'] as const)('that cannot be taken up is listed again: 410 as %s', async (how) => {
    const { server, follower } = await started()
    server.expireAs(how)
    server.put('services', service('gone-soon'))
    await follower.until(() => follower.keys('services').length === 2)
    server.cut()
    server.put('services', service('web', 'changed'))
    server.remove('services', 'default/gone-soon')
    server.compact()
    await follower.until(() => names(follower) === 'changed' && follower.keys('services').length === 1)
    expect(follower.frames.filter((f) => f.kind === 'delete')).toEqual([{ kind: 'delete', resource: 'services', revision: expect.any(Number), key: 'default/gone-soon' }])
    expect(server.requests.filter(isList('services'))).toHaveLength(2)
  })

  test.each([
    ['that is no JSON', 'no json at all\n'],
    ['that is no event', '{"kind":"Status"}\n'],
    ['of a strange type', '{"type":"MOVED","object":{"metadata":{"resourceVersion":"99"}}}\n'],
    ['without a revision', '{"type":"ADDED","object":{"metadata":{"name":"x"}}}\n'],
    ['that never ends', 'x'.repeat(5_000)],
    ['of another error', '{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd is away"}}\n'],
  ])('with a line %s is given up for a list', async (_what, line) => {
    const { server, follower } = await started({ bounds: { lineBytes: 4_096 } })
    server.say('services', line)
    await server.asked((q) => isList('services')(q) && server.requests.filter(isList('services')).length === 2)
    server.put('services', service('web', 'changed'))
    await follower.until(() => names(follower) === 'changed')
  })

  test('that says nothing for too long is cut, and taken up', async () => {
    const { server, follower } = await started({ bounds: { silentMs: 2_500 } })
    await server.asked(() => server.requests.filter(isWatch('services')).length === 2)
    expect(server.requests.filter(isList('services'))).toHaveLength(1)
    server.put('services', service('b'))
    await follower.until(() => follower.keys('services').length === 2)
  })

  test('with many events in one piece makes one sync of them', async () => {
    const { server, follower } = await started()
    const lines = Array.from({ length: 20 }, (_, i) => JSON.stringify({ type: 'ADDED', object: { ...service(`n${i}`), metadata: { name: `n${i}`, namespace: 'default', resourceVersion: String(100 + i) } } }))
    server.say('services', `${lines.join('\n')}\n`)
    await follower.until(() => follower.keys('services').length === 21)
    expect(follower.batches).toHaveLength(2)
  })
})

describe('a server that refuses', () => {
  test.each([403, 429, 500, 503])('with %i is asked again', async (code) => {
    const server = await serve()
    server.answerNext(isList('services'), (response) => status(response, code, 'Refused'))
    server.put('services', service('web'))
    server.answerNext(isWatch('services'), (response) => status(response, code, 'Refused'))
    const follower = follow(server)
    await follower.until(() => true)
    server.put('services', service('b'))
    await follower.until(() => follower.keys('services').length === 2)
    expect(server.requests.filter(isList('services')), 'a refused watch needs no list').toHaveLength(2)
  })

  test('a page in the middle of a list: the list begins again, and nothing is deleted for it', async () => {
    const server = await serve()
    for (let i = 0; i < 5; i++) server.put('services', service(`s${i}`))
    server.answerNext((q) => isList('services')(q) && q.query.has('continue'), (response) => status(response, 410, 'Expired'))
    const follower = follow(server, { bounds: { pageSize: 2 } })
    await follower.until(() => true)
    expect(follower.keys('services')).toHaveLength(5)
    expect(follower.frames.filter((f) => f.kind === 'delete')).toEqual([])
  })

  test.each([
    ['no JSON', (response: Parameters<typeof json>[0]) => void response.end('<html>')],
    ['no list', (response: Parameters<typeof json>[0]) => json(response, 200, { kind: 'Status' })],
    ['half of it', (response: Parameters<typeof json>[0]) => void response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy())],
  ])('with %s is asked again', async (_what, answer) => {
    const server = await serve()
    server.put('services', service('web'))
    server.answerNext(isList('services'), answer)
    const follower = follow(server)
    await follower.until(() => true)
    expect(follower.keys('services')).toEqual(['default/web'])
  })

  test('our token is asked once more with a fresh one, at once', async () => {
    const server = await serve()
    let token = 'old'
    server.requireToken('new')
    const access = { server: new URL(server.url), insecure: false, bearer: { kind: 'none' } } as const
    const credentials: Credentials = { proof: async () => ({ ca: server.ca, token }), refused: () => void (token = 'new') }
    const answers: string[] = []
    const client = createApiClient({ access, credentials, clock: systemClock, onAnswer: ({ code }) => answers.push(code) })
    stops.push(async () => client.close())
    expect(await client.ask({ method: 'GET', path: '/api/v1/services' }, AbortSignal.timeout(10_000))).toMatchObject({ kind: 'List' })
    server.requireToken('newer')
    await expect(client.ask({ method: 'GET', path: '/api/v1/services' }, AbortSignal.timeout(10_000)), 'but no more often').rejects.toMatchObject({ code: 'API_REFUSED', status: 401 })
    expect(server.requests.map((q) => q.authorization)).toEqual(['Bearer old', 'Bearer new', 'Bearer new', 'Bearer new'])
    expect(answers).toEqual(['401', '200', '401', '401'])
  })

  test('whose certificate is a stranger’s gets no token', async () => {
    const [server, stranger] = [await serve(), await serve()]
    const tried = Promise.withResolvers<void>()
    let times = 0
    const credentials: Credentials = {
      async proof() {
        if (++times === 6) tried.resolve()
        return { ca: stranger.ca, token: 'secret' }
      },
      refused() {},
    }
    const follower = follow(server, { credentials })
    await tried.promise
    expect(server.requests).toEqual([])
    expect(follower.frames).toEqual([])
  })
})

type Deed =
  | { readonly kind: 'put'; readonly resource: 0 | 1; readonly name: number; readonly other: boolean }
  | { readonly kind: 'remove'; readonly resource: 0 | 1; readonly name: number }
  | { readonly kind: 'cut' | 'cut-within' | 'compact' | 'garbage' | 'bookmark' | 'turn' | 'refuse' }

const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), resource: fc.constantFrom(0 as const, 1 as const), name: fc.nat(5), other: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), resource: fc.constantFrom(0 as const, 1 as const), name: fc.nat(5) }) },
  { weight: 4, arbitrary: fc.constantFrom('cut', 'cut-within', 'compact', 'garbage', 'bookmark', 'turn', 'refuse').map((kind) => ({ kind }) as Deed) },
)

const both = ['services', 'endpointslices.discovery.k8s.io'] as const

async function act(server: KubeServer, one: Deed): Promise<void> {
  switch (one.kind) {
    case 'put': {
      const labels: Record<string, string> = one.other ? { 'service.kubernetes.io/service-proxy-name': 'x' } : {}
      server.put(both[one.resource], one.resource === 0 ? service(`s${one.name}`, '', labels) : slice(`s${one.name}`))
      return
    }
    case 'remove':
      return server.remove(both[one.resource], `default/s${one.name}`)
    case 'cut':
      return server.cut()
    case 'cut-within':
      return server.cutWithinNext(30)
    case 'compact':
      return server.compact()
    case 'garbage':
      return server.say('services', '}\n')
    case 'bookmark':
      return server.bookmark()
    case 'refuse':
      return server.answerNext(isList('services'), (response) => status(response, 500, 'Internal'))
    case 'turn':
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  }
}

test('whatever happens to lists and watches, the tables end as the server has it', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 25 }), fc.constantFrom('status' as const, 'event' as const), async (deeds, how) => {
      const server = await startKubeServer()
      server.expireAs(how)
      for (let i = 0; i < 4; i++) server.put('services', service(`s${i}`))
      const follower = follow(server, { bounds: { pageSize: 2 } })
      try {
        for (const one of deeds) await act(server, one)
        server.put('services', service('last', String(server.revision())))
        server.put('endpointslices.discovery.k8s.io', slice('last'))
        const right = followed('node1').map(({ resource, selectors }) => [...server.matching(resource, selectors)].map(([key, o]) => `${resource} ${key} ${o.metadata.resourceVersion}`))
        const held = () => followed('node1').map(({ resource }) => follower.keys(resource).map((key) => `${resource} ${key} ${follower.get(resource, key)!.metadata.resourceVersion}`))
        await follower.until(() => JSON.stringify(held().flat().toSorted()) === JSON.stringify(right.flat().toSorted()))
      } finally {
        await follower.stop()
        await server.close()
      }
    }),
    { numRuns: 40, interruptAfterTimeLimit: 40_000 },
  )
})
