import { apiVersionOf, servedKinds } from '../../api/resources.ts'
import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { Pod, Service } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import type { Status } from '../../api/status.ts'
import { failureOf } from '../../test/kit/api.ts'
import { noSessions } from '../../test/kit/calls.ts'
import { freshWaitMs } from './read.ts'
import { useTrials, type Trial } from '../../test/kit/trial.ts'

const start = useTrials()

const configMaps = '/api/v1/namespaces/default/configmaps'
const pods = '/api/v1/namespaces/default/pods'
const configMap = (name: string, data: Readonly<Record<string, string>> = {}, labels?: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...(labels && { labels }) },
  data,
})
const pod = (name: string, labels: Readonly<Record<string, string>> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: { containers: [{ name: 'a', image: 'a:1' }] },
})
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'a:1' }] } },
  },
}

describe('the verbs', () => {
  test('an object from its creation to its end', async () => {
    const { api } = await start()
    const created = await api.send<Service>('POST', configMaps, { body: configMap('c', { a: '1' }) })
    expect(created.code).toBe(201)
    expect(created.body).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'c', namespace: 'default' }, data: { a: '1' } })
    const { resourceVersion } = created.body.metadata
    expect(await api.get(`${configMaps}/c`)).toEqual(created.body)
    expect(await api.list(configMaps)).toEqual([created.body])
    const updated = await api.update(`${configMaps}/c`, { ...created.body, data: { a: '2' } })
    expect(updated).toMatchObject({ data: { a: '2' } })
    expect(await failureOf(api.update(`${configMaps}/c`, { ...created.body, data: {} }))).toMatchObject({ code: 409, reason: 'Conflict' })
    expect(await api.patch(`${configMaps}/c`, 'merge', { data: { b: '3' } })).toMatchObject({ data: { a: '2', b: '3' } })
    expect(await api.patch(`${configMaps}/c`, 'strategic', { data: { b: null } })).toMatchObject({ data: { a: '2' } })
    expect(await api.patch(`${configMaps}/c`, 'json', [{ op: 'add', path: '/data/c', value: '4' }])).toMatchObject({ data: { a: '2', c: '4' } })
    expect(await failureOf(api.patch(`${configMaps}/c`, 'merge', { metadata: { resourceVersion } }))).toMatchObject({ code: 409 })
    expect(await api.delete(`${configMaps}/c`)).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'c', kind: 'configmaps', uid: created.body.metadata.uid },
    })
    expect(await failureOf(api.get(`${configMaps}/c`))).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'configmaps "c" not found',
      details: { name: 'c', kind: 'configmaps' },
    })
  })

  test('a write that names the uid of another object is a conflict', async () => {
    const { api } = await start()
    const created = await api.create(configMaps, configMap('c'))
    const other = { metadata: { name: 'c', uid: 'another' } }
    expect(await failureOf(api.patch(`${configMaps}/c`, 'merge', other))).toMatchObject({ code: 409 })
    expect(await failureOf(api.update(`${configMaps}/c`, { ...created, ...other }))).toMatchObject({ code: 409 })
  })

  test('a body may be YAML, and so may an answer', async () => {
    const { api } = await start()
    const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml, annotations: {t: "yes", d: 2020-01-01T00:00:00Z, h: 12:30}}\n'
    const created = await api.send('POST', configMaps, { body: yaml, headers: { 'content-type': 'application/yaml' } })
    expect(created.body).toMatchObject({ metadata: { annotations: { t: 'yes', d: '2020-01-01T00:00:00Z', h: '12:30' } } })
    const answer = await api.send('GET', `${configMaps}/yaml`, { headers: { accept: 'application/yaml' } })
    expect(answer.headers['content-type']).toBe('application/yaml')
    expect(answer.text).toContain('kind: ConfigMap\n')
  })

  test('?pretty indents, HEAD answers without a body', async () => {
    const { api } = await start()
    expect((await api.send('GET', '/version?pretty=true')).text).toContain('\n  "major": "1"')
    const head = await api.send('HEAD', '/version')
    expect([head.code, head.text]).toEqual([200, ''])
    expect(Number(head.headers['content-length'])).toBeGreaterThan(0)
  })

  test('?dryRun=All changes nothing', async () => {
    const { api, store } = await start()
    const before = store.revision
    expect(await api.create(`${configMaps}?dryRun=All`, configMap('c'))).toMatchObject({ metadata: { name: 'c' } })
    expect(store.revision).toBe(before)
    await api.create(configMaps, configMap('c', { a: '1' }))
    expect(await api.patch(`${configMaps}/c?dryRun=All`, 'merge', { data: { a: '2' } })).toMatchObject({ data: { a: '2' } })
    await api.delete(`${configMaps}/c?dryRun=All`)
    await api.delete(`${configMaps}/c`, { kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] })
    expect(await api.get(`${configMaps}/c`)).toMatchObject({ data: { a: '1' } })
  })

  test('unknown fields are refused, told of, or ignored', async () => {
    const { api } = await start()
    const odd = { ...configMap('odd'), dataa: { a: '1' } }
    expect(await failureOf(api.create(`${configMaps}?fieldValidation=Strict`, odd))).toMatchObject({
      code: 400,
      message: 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dataa"',
    })
    const warned = await api.send('POST', `${configMaps}?fieldValidation=Warn`, { body: odd })
    expect([warned.code, warned.headers.warning]).toEqual([201, String.raw`299 - "unknown field \"dataa\""`])
    const ignored = await api.send('POST', `${configMaps}?fieldValidation=Ignore`, { body: { ...odd, metadata: { name: 'odd2' } } })
    expect([ignored.code, ignored.headers.warning]).toEqual([201, undefined])
  })

  test('a collection is deleted by selector', async () => {
    const { api } = await start()
    for (const [name, app] of [['a', 'x'], ['b', 'x'], ['c', 'y']] as const) await api.create(configMaps, configMap(name, {}, { app }))
    const deleted = await api.delete<{ kind: string; items: readonly Pod[] }>(`${configMaps}?labelSelector=app%3Dx`)
    expect(deleted).toMatchObject({ kind: 'ConfigMapList', items: [{ metadata: { name: 'a' } }, { metadata: { name: 'b' } }] })
    expect((await api.list(configMaps)).map((o) => o.metadata.name)).toEqual(['c'])
  })
})

describe('lists', () => {
  test('in pieces that are all of the moment of the first', async () => {
    const { api } = await start()
    for (const name of ['a', 'b', 'c', 'd', 'e']) await api.create(configMaps, configMap(name))
    type List = { metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number }; items: readonly Pod[] }
    const first = await api.get<List>(`${configMaps}?limit=2`)
    expect(first.items.map((o) => o.metadata.name)).toEqual(['a', 'b'])
    expect(first.metadata.remainingItemCount).toBe(3)
    await api.delete(`${configMaps}/c`)
    await api.create(configMaps, configMap('cc'))
    await api.patch(`${configMaps}/d`, 'merge', { data: { x: '1' } })
    const second = await api.get<List>(`${configMaps}?limit=2&continue=${first.metadata.continue!}`)
    expect(second.items.map((o) => o.metadata.name)).toEqual(['c', 'd'])
    expect(second.items[1]).not.toHaveProperty('data.x')
    expect(second.metadata).toMatchObject({ resourceVersion: first.metadata.resourceVersion, remainingItemCount: 1 })
    const third = await api.get<List>(`${configMaps}?limit=2&continue=${second.metadata.continue!}`)
    expect(third.items.map((o) => o.metadata.name)).toEqual(['e'])
    expect(third.metadata).toEqual({ resourceVersion: first.metadata.resourceVersion })
  })

  test('a list cannot go on once the changes since its first piece are forgotten', async () => {
    const { api, store } = await start()
    for (const name of ['a', 'b', 'c']) await api.create(configMaps, configMap(name))
    const first = await api.get<{ metadata: { continue: string } }>(`${configMaps}?limit=1`)
    await api.create(configMaps, configMap('d'))
    await store.compact(store.revision)
    const rest = api.list(`${configMaps}?limit=1&continue=${first.metadata.continue}`)
    expect(await failureOf(rest)).toMatchObject({ code: 410, reason: 'Expired' })
  })

  test('over all namespaces, and by selectors', async () => {
    const { api } = await start()
    await api.create('/api/v1/namespaces', { metadata: { name: 'other' } })
    await api.create(pods, pod('a', { app: 'x' }))
    await api.create('/api/v1/namespaces/other/pods', pod('b', { app: 'y' }))
    const names = async (query: string) => (await api.list(`/api/v1/pods${query}`)).map((o) => o.metadata.name)
    expect(await names('')).toEqual(['a', 'b'])
    expect(await names('?labelSelector=app%20in%20(y,z)')).toEqual(['b'])
    expect(await names('?fieldSelector=metadata.namespace!%3Ddefault')).toEqual(['b'])
    expect(await names('?fieldSelector=metadata.name%3Da')).toEqual(['a'])
    expect(await failureOf(names('?fieldSelector=spec.colour%3Dred'))).toMatchObject({
      code: 400,
      reason: 'BadRequest',
      message: expect.stringContaining('field label not supported: spec.colour') as string,
    })
  })

  test('a revision that is to come is waited for, for a while', async () => {
    const { api, store, clock } = await start()
    const coming = api.get<{ items: readonly unknown[] }>(`${configMaps}?resourceVersion=${store.revision + 1}&resourceVersionMatch=NotOlderThan`)
    await clock.armed(freshWaitMs)
    await api.create(configMaps, configMap('c'))
    expect((await coming).items).toHaveLength(1)
    const far = failureOf(api.list(`${configMaps}?resourceVersion=${store.revision + 100}`))
    await clock.armed(freshWaitMs)
    await clock.advance(freshWaitMs)
    expect(await far).toMatchObject({ code: 504, reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 1 } })
  })

  test('an exact revision is answered as long as the history reaches back', async () => {
    const { api, store } = await start()
    const first = store.revision
    await api.create(configMaps, configMap('c'))
    await api.delete(`${configMaps}/c`)
    const exact = (revision: number) => api.list(`${configMaps}?resourceVersion=${revision}&resourceVersionMatch=Exact`)
    expect([await exact(first), await exact(first + 1), await exact(first + 2)].map((items) => items.length)).toEqual([0, 1, 0])
    await store.compact(first + 1)
    expect(await failureOf(exact(first))).toMatchObject({ code: 410, reason: 'Expired' })
  })

  test('as a table, and as metadata', async () => {
    const { api } = await start()
    await api.create(pods, pod('a'))
    const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
    const answer = await api.send('GET', `${pods}?includeObject=None`, { headers: table })
    expect(answer.body).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      rows: [{ cells: ['a', '0/1', 'Pending', '0', '0s', '<none>', '<none>', '<none>', '<none>'], object: null }],
    })
    expect((await api.send('GET', `${pods}/a`, { headers: table })).body).toMatchObject({ kind: 'Table', rows: [{ object: { kind: 'PartialObjectMetadata' } }] })
    const partial = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' }
    const list = (await api.send<{ items: readonly object[] }>('GET', pods, { headers: partial })).body
    expect(list).toMatchObject({ kind: 'PartialObjectMetadataList', items: [{ kind: 'PartialObjectMetadata', metadata: { name: 'a' } }] })
    expect(list.items[0]).not.toHaveProperty('spec')
  })
})

describe('subresources', () => {
  test('scale is read, set and patched', async () => {
    const { api } = await start()
    const path = '/apis/apps/v1/namespaces/default/deployments'
    await api.create(path, deployment)
    const scale = await api.get<{ metadata: object; spec: object }>(`${path}/web/scale`)
    expect(scale).toMatchObject({ kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name: 'web' }, spec: { replicas: 1 }, status: { selector: 'app=web' } })
    expect(await api.update(`${path}/web/scale`, { ...scale, spec: { replicas: 3 } })).toMatchObject({ spec: { replicas: 3 } })
    expect(await failureOf(api.update(`${path}/web/scale`, { ...scale, spec: { replicas: 4 } }))).toMatchObject({ code: 409 })
    expect(await api.patch(`${path}/web/scale`, 'merge', { spec: { replicas: 0 } })).toMatchObject({ spec: { replicas: 0 } })
    expect(await failureOf(api.patch(`${path}/web/scale`, 'merge', { spec: { replicas: -1 } }))).toMatchObject({ code: 422, reason: 'Invalid' })
    expect(await api.get(`${path}/web`)).toMatchObject({ spec: { replicas: 0 } })
  })

  test('a pod is bound once', async () => {
    const { api } = await start()
    await api.create(pods, pod('a'))
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'a' }, target: { kind: 'Node', name: 'n1' } }
    expect(await api.create(`${pods}/a/binding`, binding)).toMatchObject({ status: 'Success' })
    expect(await api.get(`${pods}/a`)).toMatchObject({ spec: { nodeName: 'n1' } })
    expect(await failureOf(api.create(`${pods}/a/binding`, binding))).toMatchObject({ code: 409, message: expect.stringContaining('already assigned to node "n1"') as string })
  })

  test('status and the rest are written apart', async () => {
    const { api } = await start()
    const created = await api.create<Pod>(pods, pod('a'))
    await api.patch(`${pods}/a/status`, 'merge', { status: { phase: 'Running' }, metadata: { labels: { x: '1' } } })
    await api.update(`${pods}/a`, { ...created, metadata: { ...created.metadata, resourceVersion: undefined, labels: { y: '1' } }, status: { phase: 'Failed' } })
    expect(await api.get<Pod>(`${pods}/a`)).toMatchObject({ metadata: { labels: { y: '1' } }, status: { phase: 'Running' } })
  })

  test('an eviction deletes', async () => {
    const { api } = await start()
    await api.create(pods, pod('a'))
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'a' }, deleteOptions: { gracePeriodSeconds: 0 } }
    expect(await api.create(`${pods}/a/eviction`, eviction)).toMatchObject({ status: 'Success' })
    expect(await failureOf(api.get(`${pods}/a`))).toMatchObject({ code: 404 })
  })

  test('logs come from the node', async () => {
    const asked: unknown[] = []
    const sessions = {
      ...noSessions,
      async *call(node: string, call: unknown) {
        asked.push(node, call)
        yield Buffer.from('one\n')
        yield Buffer.from('two\n')
        await Promise.resolve()
      },
    }
    const { api } = await start({ sessions })
    await api.create(pods, pod('a'))
    expect(await failureOf(api.get(`${pods}/a/log`))).toMatchObject({ code: 400, message: 'pod a does not have a host assigned' })
    await api.create(`${pods}/a/binding`, { target: { kind: 'Node', name: 'n1' } })
    expect(await failureOf(api.get(`${pods}/a/log`))).toMatchObject({ code: 400, message: 'container "a" in pod "a" is waiting to start: ContainerCreating' })
    await api.patch(`${pods}/a/status`, 'merge', { status: { containerStatuses: [{ name: 'a', image: 'a:1', imageID: '', ready: true, restartCount: 0, state: { running: {} } }] } })
    const answer = await api.send('GET', `${pods}/a/log?tailLines=2`)
    expect([answer.code, answer.headers['content-type'], answer.text]).toEqual([200, 'text/plain', 'one\ntwo\n'])
    const options = { follow: false, previous: false, timestamps: false, tailLines: 2 }
    expect(asked).toEqual(['n1', { method: 'logs', namespace: 'default', pod: 'a', container: 'a', ...options }])
  })

  /** A trial with a running pod on a node whose logs are what `bytes` yields. */
  async function withLogs(bytes: () => AsyncIterable<Uint8Array>): Promise<Trial> {
    const trial = await start({ sessions: { ...noSessions, call: bytes } })
    const containerStatuses = [{ name: 'a', image: 'a:1', imageID: '', ready: true, restartCount: 0, state: { running: {} } }]
    await trial.api.create(pods, pod('a'))
    await trial.api.create(`${pods}/a/binding`, { target: { kind: 'Node', name: 'n1' } })
    await trial.api.patch(`${pods}/a/status`, 'merge', { status: { containerStatuses } })
    return trial
  }

  test('a node that does not answer is a Status', async () => {
    // oxlint-disable-next-line require-yield
    const { api } = await withLogs(async function* () {
      throw new StatusError('ServiceUnavailable', 'node n1 has no connection')
    })
    expect(await failureOf(api.get(`${pods}/a/log`))).toMatchObject({ code: 503, reason: 'ServiceUnavailable' })
  })

  test('logs that break off are not taken for whole ones', async () => {
    const { api } = await withLogs(async function* () {
      yield Buffer.from('one\n')
      throw new StatusError('ServiceUnavailable', 'node n1 has no connection')
    })
    await expect(api.send('GET', `${pods}/a/log`)).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('a client that goes away ends the call on the node', async () => {
    const [began, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { api } = await withLogs(async function* () {
      try {
        began.resolve()
        for (;;) {
          yield Buffer.from('line\n')
          await new Promise((resolve) => setImmediate(resolve))
        }
      } finally {
        ended.resolve()
      }
    })
    const gone = new AbortController()
    const following = api.send('GET', `${pods}/a/log?follow=true`, { signal: gone.signal }).catch((e: Error) => e.name)
    await began.promise
    gone.abort()
    expect(await following).toBe('AbortError')
    await ended.promise
  })
})

describe('who may', () => {
  const authenticate = (req: IncomingMessage) => ({ name: req.headers['x-user']?.toString() ?? 'system:anonymous', groups: [] })
  const authorize = (user: { name: string }, wish: { verb: string }) => ({
    allowed: user.name === 'reader' && ['get', 'list', 'watch'].includes(wish.verb),
    why: 'readers read',
  })

  test.each([
    ['POST', configMaps, 'configmaps is forbidden: User "reader" cannot create resource "configmaps" in API group "" in the namespace "default"'],
    ['PUT', `${configMaps}/c`, 'configmaps "c" is forbidden: User "reader" cannot update resource "configmaps" in API group "" in the namespace "default"'],
    ['DELETE', '/api/v1/nodes/n', 'nodes "n" is forbidden: User "reader" cannot delete resource "nodes" in API group "" at the cluster scope'],
    [
      'PATCH',
      '/apis/apps/v1/namespaces/default/deployments/d/scale',
      'deployments.apps "d" is forbidden: User "reader" cannot patch resource "deployments/scale" in API group "apps" in the namespace "default"',
    ],
    ['DELETE', '/apis/apps/v1/deployments', 'deployments.apps is forbidden: User "reader" cannot deletecollection resource "deployments" in API group "apps" at the cluster scope'],
    ['POST', '/version', 'forbidden: User "reader" cannot post path "/version"'],
    ['POST', '/apis/batch/v1/namespaces/default/widgets', 'widgets.batch is forbidden: User "reader" cannot create resource "widgets" in API group "batch" in the namespace "default"'],
  ])('%s %s', async (method, path, message) => {
    const { api } = await start({ authenticate, authorize })
    expect((await api.send(method, path)).body).toMatchObject({ code: 401, reason: 'Unauthorized' })
    const known = await api.send<Status>(method, path, { headers: { 'x-user': 'reader' } })
    expect(known.body).toMatchObject({ code: 403, reason: 'Forbidden', message: `${message}: readers read` })
  })

  test('a wish names verb, resource and object; a list of one name is a wish for it', async () => {
    const wishes: unknown[] = []
    const { api } = await start({ authorize: (_, wish) => ({ allowed: wishes.push(wish) > 0, why: '' }) })
    await api.send('GET', `${pods}/a/log`)
    await api.send('GET', '/api/v1/nodes?fieldSelector=metadata.name%3Dn1')
    await api.send('GET', '/apis/apps/v1/deployments?watch=1&timeoutSeconds=nonsense')
    expect(wishes).toEqual([
      { verb: 'get', path: `${pods}/a/log`, resource: 'pods', subresource: 'log', namespace: 'default', name: 'a' },
      { verb: 'list', path: '/api/v1/nodes', resource: 'nodes', name: 'n1', fieldSelector: 'metadata.name=n1' },
      { verb: 'watch', path: '/apis/apps/v1/deployments', resource: 'deployments.apps' },
    ])
  })
})

describe('the other paths', () => {
  test('version and health', async () => {
    const trouble: { text?: string } = {}
    const checks = [{ name: 'store', run: () => undefined }, { name: 'agents', readyOnly: true, run: () => trouble.text }]
    const { api } = await start({ checks })
    expect(await api.get('/version')).toMatchObject({ major: '1', minor: '32', gitVersion: 'v1.32.0+wherry-0.1.0' })
    expect((await api.send('GET', '/readyz')).text).toBe('ok')
    expect((await api.send('GET', '/readyz?verbose')).text).toBe('[+]ping ok\n[+]store ok\n[+]agents ok\nreadyz check passed\n')
    trouble.text = 'none is here'
    const answer = await api.send('GET', '/readyz')
    expect([answer.code, answer.text]).toEqual([500, '[+]ping ok\n[+]store ok\n[-]agents failed: none is here\nreadyz check failed\n'])
    expect((await api.send('GET', '/livez')).code).toBe(200)
    expect((await api.send('GET', '/readyz?exclude=agents')).code).toBe(200)
    const one = async (path: string) => (({ code, text }) => [code, text])(await api.send('GET', path))
    expect(await one('/readyz/store')).toEqual([200, 'ok'])
    expect(await one('/readyz/agents')).toEqual([500, 'internal server error: agents failed: none is here\n'])
    expect((await api.send('GET', '/livez/agents')).code).toBe(404)
    expect((await api.send('GET', '/livez?verbose&exclude=none')).text).toContain('warn: there is no check "none" to exclude')
  })

  test('a check that fails or never answers is wrong, and the others are told all the same', async () => {
    const checks = [
      { name: 'breaks', run: () => Promise.reject(new Error('planted')) },
      { name: 'hangs', run: () => new Promise<undefined>(() => {}) },
    ]
    const { api, clock } = await start({ checks })
    const answer = api.send('GET', '/livez')
    await clock.armed(3_000)
    await clock.advance(3_000)
    expect((await answer).text).toBe('[+]ping ok\n[-]breaks failed: planted\n[-]hangs failed: no answer within 3000 ms\nlivez check failed\n')
  })

  test('metrics count requests by what they asked and how they were answered', async () => {
    const { api } = await start()
    await api.get('/api/v1/namespaces/default')
    await failureOf(api.get('/api/v1/namespaces/none'))
    await api.send('BREW', '/teapot')
    const { text, headers } = await api.send('GET', '/metrics')
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    const labels = 'verb="GET",group="",version="v1",resource="namespaces",subresource="",scope="resource"'
    expect(text).toContain(`apiserver_request_total{${labels},code="200"} 1\n`)
    expect(text).toContain(`apiserver_request_total{${labels},code="404"} 1\n`)
    expect(text).toContain(`apiserver_request_duration_seconds_bucket{${labels},le="+Inf"} 2\n`)
    expect(text).toContain('apiserver_current_inflight_requests{request_kind="readOnly"} 1\n')
    expect(text).not.toContain('BREW')
  })

  test('discovery in both forms names the same', async () => {
    const { api } = await start()
    type Aggregated = { kind: string; items: readonly { metadata: { name?: string }; versions: readonly { resources: readonly { resource: string; subresources?: readonly { subresource: string }[] }[] }[] }[] }
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
    const answers = await Promise.all(['/api', '/apis'].map((path) => api.send<Aggregated>('GET', path, { headers: { accept } })))
    expect(answers.map((a) => a.headers['content-type'])).toEqual(Array(2).fill('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'))
    const aggregated = answers.flatMap((a) => a.body.items).flatMap(({ metadata, versions }) =>
      versions.flatMap(({ resources }) =>
        resources.flatMap(({ resource, subresources }) => [resource, ...(subresources ?? []).map((s) => `${resource}/${s.subresource}`)]).map((r) => `${metadata.name ?? ''} ${r}`),
      ),
    )
    const { groups } = await api.get<{ groups: readonly { name: string; versions: readonly { groupVersion: string }[] }[] }>('/apis')
    const legacy: string[] = []
    for (const [name, path] of [['', '/api/v1'], ...groups.flatMap((g) => g.versions.map((v) => [g.name, `/apis/${v.groupVersion}`]))]) {
      const { resources } = await api.get<{ resources: readonly { name: string }[] }>(path!)
      legacy.push(...resources.map((r) => `${name} ${r.name}`))
    }
    expect(aggregated).toEqual(legacy)
    expect(aggregated).toContain('apps deployments/scale')
    expect(await api.get('/api')).toMatchObject({ kind: 'APIVersions', versions: ['v1'] })
    expect(await api.get('/apis/apps')).toMatchObject({ kind: 'APIGroup', name: 'apps' })
  })

  test('OpenAPI documents are served, plain and zipped', async () => {
    const { api } = await start()
    const { paths } = await api.get<{ paths: Record<string, { serverRelativeURL: string }> }>('/openapi/v3')
    expect(Object.keys(paths)).toEqual([...new Set(servedKinds.map((k) => `${k.group === '' ? 'api' : 'apis'}/${apiVersionOf(k)}`))])
    expect(Object.keys(paths)).toContain('apis/autoscaling/v1')
    expect(await api.get(paths['apis/apps/v1']!.serverRelativeURL)).toMatchObject({ openapi: '3.0.0' })
    expect(await api.get('/openapi/v2')).toMatchObject({ swagger: '2.0' })
    const proto = await api.send('GET', '/openapi/v2', {
      headers: { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf', 'accept-encoding': 'gzip' },
    })
    expect(proto.headers).toMatchObject({ 'content-type': 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf', 'content-encoding': 'gzip' })
    expect(await failureOf(api.get('/openapi/v3/apis/stable.example.com/v1'))).toMatchObject({ code: 404 })
  })

  test("the hub's own paths go to its handlers", async () => {
    const joins: unknown[] = []
    const hub = {
      status: () => ({ version: '0.1.0', revision: 1, nodes: [] }),
      async *rules(node: string) {
        yield Buffer.from(`table of ${node}`)
        await Promise.resolve()
      },
      async *snapshot() {
        yield Buffer.from('all of it')
        await Promise.resolve()
      },
      join: (request: unknown) => Promise.resolve({ certificate: String(joins.push(request)), ca: 'ca' }),
    }
    const { api } = await start({ hub, authorize: (_, wish) => ({ allowed: wish.path !== '/wherry/v1/join', why: '' }) })
    expect(await api.get('/wherry/v1/status')).toEqual({ version: '0.1.0', revision: 1, nodes: [] })
    expect((await api.send('GET', '/wherry/v1/nodes/n1/rules')).text).toBe('table of n1')
    expect(await api.send('GET', '/wherry/v1/snapshot')).toMatchObject({ text: 'all of it', headers: { 'content-type': 'application/vnd.sqlite3' } })
    expect(await api.create('/wherry/v1/join', { node: 'n1', token: 't', csr: 'c' })).toEqual({ certificate: '1', ca: 'ca' })
    expect(await failureOf(api.create('/wherry/v1/join', { node: 'n1', token: 7 }))).toMatchObject({ code: 400 })
  })
})
