/** What a service proxy that was written for Kubernetes does with the hub: list, watch, go on, list again, report. */
import { describe, expect, test } from 'vitest'
import type { KubeObject, Node } from '../../api/objects.ts'
import { failureOf, type WatchEvent } from '../../test/kit/api.ts'
import { endpointSlice, node, service } from '../../test/kit/objects.ts'
import { useTrials } from '../../test/kit/trial.ts'
import { proxyName } from '../auth/auth.ts'
import { createAuthorizer } from '../rbac/authorizer.ts'
import { bootstrapPolicy } from '../rbac/bootstrap.ts'
import { createPolicy, type Policy } from '../rbac/policy.ts'
import { bookmarkMs } from './watch/watch.ts'

const start = useTrials()

const all = { services: '/api/v1/services', slices: '/apis/discovery.k8s.io/v1/endpointslices', nodes: '/api/v1/nodes' }
const of = { services: '/api/v1/namespaces/default/services', slices: '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices' }
/** The selector that kube-proxy has always used, as it escapes it. */
const selector = `labelSelector=${encodeURIComponent('!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name')}`
const named = (name: string, labels: Record<string, string> = {}) => service({ metadata: { name, labels } })
const slice = (name: string, labels: Record<string, string> = {}) => endpointSlice({ metadata: { name, labels } })

interface List {
  readonly kind: string
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items: readonly KubeObject[]
}
const names = ({ items }: List) => items.map((i) => i.metadata.name)
async function take(events: AsyncGenerator<WatchEvent>, count: number): Promise<readonly string[]> {
  const taken: string[] = []
  while (taken.length < count) {
    const { value, done } = await events.next()
    if (done) return [...taken, 'END']
    taken.push(`${value.type} ${value.object.metadata.name ?? ''}`.trim())
  }
  return taken
}

describe('a proxy', () => {
  test('lists what it programs without headless services and those of other proxies, in pieces', async () => {
    const { api } = await start()
    for (const name of ['a', 'b', 'c']) await api.create(of.services, named(name))
    await api.create(of.services, named('h', { 'service.kubernetes.io/headless': '' }))
    await api.create(of.services, named('o', { 'service.kubernetes.io/service-proxy-name': 'other' }))
    const first = await api.get<List>(`${all.services}?${selector}&limit=2&resourceVersion=0`)
    expect([first.kind, names(first)]).toEqual(['ServiceList', ['a', 'b']])
    const rest = await api.get<List>(`${all.services}?${selector}&limit=2&continue=${first.metadata.continue}`)
    expect([names(rest), rest.metadata.continue]).toEqual([['c'], undefined])
  })
  test('follows from the list on, and is told when an object begins or ceases to be its own', async () => {
    const { api } = await start()
    await api.create(of.slices, slice('a'))
    await api.create(of.slices, slice('b', { 'service.kubernetes.io/headless': '' }))
    const list = await api.get<List>(`${all.slices}?${selector}&limit=500&resourceVersion=0`)
    expect(names(list)).toEqual(['a'])
    const events = await api.watch(`${all.slices}?${selector}&allowWatchBookmarks=true&resourceVersion=${list.metadata.resourceVersion}&timeoutSeconds=400`)
    await api.patch(`${of.slices}/a`, 'merge', { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } } })
    await api.patch(`${of.slices}/b`, 'merge', { metadata: { labels: { 'service.kubernetes.io/headless': null } } })
    await api.patch(`${of.slices}/b`, 'merge', { endpoints: [] })
    await api.delete(`${of.slices}/b`)
    expect(await take(events, 4)).toEqual(['DELETED a', 'ADDED b', 'MODIFIED b', 'DELETED b'])
  })
  test('is told of revisions in which nothing was for it, and goes on from there', async () => {
    const { api, clock } = await start()
    const list = await api.get<List>(`${all.services}?${selector}`)
    const events = await api.watch(`${all.services}?${selector}&allowWatchBookmarks=true&resourceVersion=${list.metadata.resourceVersion}`)
    const { metadata } = await api.create(of.services, named('h', { 'service.kubernetes.io/headless': '' }))
    await clock.armed(bookmarkMs)
    await clock.advance(bookmarkMs)
    const { value } = (await events.next()) as { value: WatchEvent }
    expect([value.type, value.object.metadata.resourceVersion]).toEqual(['BOOKMARK', metadata.resourceVersion])
    const next = await api.watch(`${all.services}?${selector}&resourceVersion=${value.object.metadata.resourceVersion}`)
    await api.create(of.services, named('a'))
    expect(await take(next, 1)).toEqual(['ADDED a'])
  })
  test('that watches without a list is told of everything, and of its end', async () => {
    const { api } = await start()
    await api.create(of.services, named('a'))
    const query = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion='
    const events = await api.watch(`${all.services}?${selector}&${query}`)
    const [first, second] = [(await events.next()).value as WatchEvent, (await events.next()).value as WatchEvent]
    expect([first.type, first.object.metadata.name]).toEqual(['ADDED', 'a'])
    expect([second.type, second.object.metadata.annotations]).toEqual(['BOOKMARK', { 'k8s.io/initial-events-end': 'true' }])
  })
  test('that was away for too long is told to list again', async () => {
    const { api, store } = await start()
    const { metadata } = await api.get<List>(all.services)
    await api.create(of.services, named('a'))
    await api.create(of.services, named('b'))
    await store.compact(store.revision - 1)
    const events = await api.watch(`${all.services}?resourceVersion=${metadata.resourceVersion}`)
    const { value } = (await events.next()) as { value: WatchEvent<{ code?: number; reason?: string } & KubeObject> }
    expect([value.type, value.object.code, value.object.reason]).toEqual(['ERROR', 410, 'Expired'])
  })
  test('sees its own node alone, with a label that a user changes and the ranges of both families', async () => {
    const { api } = await start()
    const spec = { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00:244:1::/64'] }
    for (const name of ['node1', 'node2']) await api.create(all.nodes, node({ metadata: { name }, ...(name === 'node1' && { spec }) }))
    const addresses = ['198.18.0.11', '2001:db8::11'].map((address) => ({ type: 'InternalIP', address }))
    await api.patch(`${all.nodes}/node1/status`, 'merge', { status: { addresses } })
    const list = await api.get<List>(`${all.nodes}?fieldSelector=metadata.name%3Dnode1&limit=500&resourceVersion=0`)
    expect(list.items).toMatchObject([{ metadata: { name: 'node1' }, spec, status: { addresses } }])
    const events = await api.watch(`${all.nodes}?fieldSelector=metadata.name%3Dnode1&resourceVersion=${list.metadata.resourceVersion}`)
    await api.patch(`${all.nodes}/node2`, 'merge', { metadata: { labels: { 'topology.kubernetes.io/zone': 'b' } } })
    await api.patch(`${all.nodes}/node1`, 'merge', { metadata: { labels: { 'topology.kubernetes.io/zone': 'a' } } })
    const current = await api.get<Node>(`${all.nodes}/node1`)
    await api.update(`${all.nodes}/node1`, { ...current, metadata: { ...current.metadata, labels: { 'topology.kubernetes.io/zone': 'c' } } })
    const seen = [(await events.next()).value as WatchEvent, (await events.next()).value as WatchEvent]
    expect(seen.map((e) => [e.object.metadata.name, e.object.metadata.labels])).toEqual([
      ['node1', { 'topology.kubernetes.io/zone': 'a' }],
      ['node1', { 'topology.kubernetes.io/zone': 'c' }],
    ])
  })
})

describe('its events', () => {
  const younger = '/apis/events.k8s.io/v1/namespaces/default/events'
  const older = '/api/v1/namespaces/default/events'
  const draft = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'node1.17', namespace: 'default' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'kube-proxy',
    reportingInstance: 'kube-proxy-node1',
    action: 'StartKubeProxy',
    reason: 'Starting',
    regarding: { kind: 'Node', name: 'node1', uid: 'node1' },
    note: 'it starts',
    type: 'Normal',
  }
  test('are taken in their younger words, and are the same in both', async () => {
    const { api } = await start()
    expect(await api.create(younger, draft)).toMatchObject(draft)
    expect(await api.get(`${older}/node1.17`)).toMatchObject({
      apiVersion: 'v1',
      involvedObject: draft.regarding,
      message: 'it starts',
      reportingComponent: 'kube-proxy',
      reportingInstance: 'kube-proxy-node1',
    })
    const series = { count: 2, lastObservedTime: '2026-01-01T00:00:09.000000Z' }
    expect(await api.patch(`${younger}/node1.17`, 'strategic', { series })).toMatchObject({ ...draft, series })
    expect((await api.get<List>('/apis/events.k8s.io/v1/events')).items).toMatchObject([{ ...draft, series }])
    expect((await api.get<List>(`${older}?fieldSelector=involvedObject.name=node1`)).items).toMatchObject([{ kind: 'Event', series }])
  })
  test('need not be about anything', async () => {
    const { api } = await start()
    const { regarding: _nothing, ...about } = draft
    expect(await api.create(younger, about)).toMatchObject({ regarding: {}, note: 'it starts' })
  })
  test('of the older words are seen in the younger', async () => {
    const { api } = await start()
    const events = await api.watch(younger)
    await api.create(older, { metadata: { name: 'x' }, involvedObject: { namespace: 'default', name: 'a' }, message: 'hello', count: 3, source: { component: 'kubelet' } })
    expect((await events.next()).value).toMatchObject({
      type: 'ADDED',
      object: { apiVersion: 'events.k8s.io/v1', note: 'hello', deprecatedCount: 3, deprecatedSource: { component: 'kubelet' }, regarding: { name: 'a' } },
    })
  })
  test('of another version or with a field of nobody are told of', async () => {
    const { api } = await start()
    expect((await failureOf(api.create(younger, { ...draft, apiVersion: 'v1' }))).message).toContain('does not match the expected API version (events.k8s.io/v1)')
    expect((await failureOf(api.create(`${younger}?fieldValidation=Strict`, { ...draft, noted: 'x' }))).message).toContain('unknown field "noted"')
    expect((await failureOf(api.create(younger, { ...draft, note: 1 }))).code).toBe(422)
  })
})

test('it may do this, and nothing else, by its certificate', async () => {
  let policy: Policy | undefined
  const authorize = createAuthorizer({ allows: (...asked) => policy!.allows(...asked) })
  const { api, store, registry } = await start({ authenticate: () => ({ name: proxyName, groups: ['system:authenticated'] }), authorize })
  policy = createPolicy(store)
  await bootstrapPolicy(store, registry)
  await registry.create({ resource: 'services', namespace: 'default', name: 'web' }, service())
  expect(names(await api.get<List>(all.services))).toEqual(['web'])
  await api.create('/apis/events.k8s.io/v1/namespaces/default/events', { metadata: { name: 'x' }, regarding: { kind: 'Node', name: 'node1' } })
  for (const refused of [api.get('/api/v1/pods'), api.get('/api/v1/secrets'), api.delete(`${of.services}/web`), api.patch(`${of.services}/web/status`, 'merge', {})])
    expect(await failureOf(refused)).toMatchObject({ code: 403, reason: 'Forbidden' })
  expect((await failureOf(api.get('/api/v1/pods'))).message).toContain('User "system:kube-proxy" cannot list resource "pods"')
})
