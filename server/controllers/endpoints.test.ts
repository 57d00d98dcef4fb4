/** The endpoints of services over a real registry, on a cluster of two families. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import type { Endpoints, EndpointSlice, KubeObject } from '../../api/objects.ts'
import { resourceKinds, type Resource } from '../../api/resources.ts'
import { endpoints, endpointSlice, node, pod, service } from '../../test/kit/objects.ts'
import { openInside, refOf, type Inside } from '../../test/kit/registry.ts'
import { loadStructure } from '../admit/validate/structure.ts'
import type { Controller, ControllerDeps } from './controller.ts'
import { createEndpointsController } from './endpoints.ts'
import { createGarbageController } from './garbage.ts'

// Reading the validators takes real time, for which no test is to wait.
beforeAll(async () => void (await Promise.all(resourceKinds.map((k) => loadStructure(k)))))

let inside: Inside
let stops: (() => Promise<void>)[]
const start = (...controllers: ((deps: ControllerDeps) => Controller)[]): void => {
  const { store, kinds, registry, clock } = inside
  const deps = { store, kinds, registry, clock, random: () => 0.5, log: silentLog }
  stops = controllers.map((create) => create(deps).start())
}
const stop = (): Promise<unknown> => Promise.all(stops.map((end) => end()))
beforeEach(async () => {
  inside = await openInside({ serviceCIDR: '10.96.0.0/16,fd00:10:96::/112' })
  await inside.make('nodes', node())
  start(createEndpointsController, createGarbageController)
})
afterEach(async () => {
  await stop()
  await inside.close()
})

const calm = (): Promise<void> => inside.calm()
const slices = () => inside.store.list('endpointslices.discovery.k8s.io', 'default') as unknown as readonly EndpointSlice[]
/** `IPv4 10.0.0.1 10.0.0.2`, one text for each slice, sorted. */
const texts = () => slices().map((s) => [s.addressType, ...(s.endpoints ?? []).map((e) => e.addresses[0]!).toSorted()].join(' ')).toSorted()
const change = (resource: Resource, name: string, to: (c: KubeObject) => object, subresource?: 'status') =>
  inside.registry.update({ resource, namespace: resource === 'nodes' ? '' : 'default', name }, (c) => ({ ...c, ...to(c) }), subresource && { subresource })
const spec = (more: object) => (c: KubeObject) => ({ spec: { ...(c.spec as object), ...more } })
const both = { ipFamilyPolicy: 'RequireDualStack' }

const makeService = (more: object = {}, metadata: object = {}) => inside.make('services', service({ metadata: metadata as never, spec: more as never }))
async function makePod(name: string, ips: readonly string[], more: object = {}): Promise<void> {
  await inside.make('pods', pod({ metadata: { name, labels: { app: 'web' } }, spec: { nodeName: 'node1', ...more } as never }))
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-03-01T00:00:00Z' }]
  await change('pods', name, () => ({ status: { phase: 'Running', podIP: ips[0], podIPs: ips.map((ip) => ({ ip })), conditions } }), 'status')
}

describe('slices', () => {
  test('are one for each family of the service, and follow the families', async () => {
    await makeService(both)
    await makePod('a', ['10.244.1.2', 'fd00:244:1::2'])
    await makePod('b', ['10.244.1.3'])
    await calm()
    expect(texts()).toEqual(['IPv4 10.244.1.2 10.244.1.3', 'IPv6 fd00:244:1::2'])
    await change('services', 'web', spec({ ipFamilyPolicy: 'SingleStack' }))
    await calm()
    expect(texts()).toEqual(['IPv4 10.244.1.2 10.244.1.3'])
    await change('services', 'web', spec(both))
    await calm()
    expect(texts()).toEqual(['IPv4 10.244.1.2 10.244.1.3', 'IPv6 fd00:244:1::2'])
  })
  test('carry the labels of the service, the pods as their targets, and the time of the change', async () => {
    await makeService({ clusterIP: 'None' }, { labels: { tier: 'front' } })
    await makePod('a', ['10.244.1.2'], { hostname: 'a-0', subdomain: 'web' })
    await calm()
    const [slice] = slices()
    expect(slice!.metadata.labels).toEqual({
      tier: 'front',
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      'service.kubernetes.io/headless': '',
    })
    expect(slice!.metadata.annotations).toEqual({ 'endpoints.kubernetes.io/last-change-trigger-time': '2026-03-01T00:00:00Z' })
    expect(slice!.endpoints![0]).toMatchObject({ hostname: 'a-0', nodeName: 'node1', targetRef: { kind: 'Pod', name: 'a' } })
    await change('services', 'web', (c) => ({ metadata: { ...c.metadata, labels: { tier: 'back' } } }))
    await calm()
    expect(slices()[0]!.metadata.labels!['tier']).toBe('back')
    expect(slices()[0]!.metadata.annotations ?? {}, 'no endpoint changed').toEqual({})
    expect(inside.get('endpoints', 'web', 'default')!.metadata.labels!['tier']).toBe('back')
  })
  test('tell of a pod that goes while it still serves', async () => {
    await makeService()
    await makePod('a', ['10.244.1.2'])
    await calm()
    await inside.registry.remove({ resource: 'pods', namespace: 'default', name: 'a' })
    await calm()
    expect(slices()[0]!.endpoints![0]!.conditions).toEqual({ ready: false, serving: true, terminating: true })
    expect(slices()[0]!.metadata.annotations).toEqual({ 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' })
    expect(inside.get('endpoints', 'web', 'default')).not.toHaveProperty('subsets')
  })
  test('are not written again where nothing changed, also by one that starts anew', async () => {
    await makeService({ ...both, trafficDistribution: 'PreferClose' }, { labels: { a: 'b' } })
    await makePod('a', ['10.244.1.2', 'fd00:244:1::2'])
    await calm()
    const { revision } = inside.store
    await stop()
    start(createEndpointsController, createGarbageController)
    await calm()
    await change('pods', 'a', (c) => ({ status: { ...(c.status as object), message: 'idle' } }), 'status')
    await calm()
    expect(inside.store.revision).toBe(revision + 1)
  })
  test('that somebody wrote by hand are left alone', async () => {
    const hand = endpointSlice({ metadata: { name: 'by-hand' }, endpoints: [{ addresses: ['192.0.2.1'] }] as never })
    await inside.make('endpointslices.discovery.k8s.io', hand)
    await inside.make('endpoints', endpoints({ metadata: { name: 'elsewhere' } }))
    await makeService({ type: 'ExternalName', externalName: 'db.example.com' }, { name: 'elsewhere' })
    const { resourceVersion } = inside.get('endpointslices.discovery.k8s.io', 'by-hand', 'default')!.metadata
    await makeService()
    await makePod('a', ['10.244.1.2'])
    await calm()
    expect(texts()).toEqual(['IPv4 10.244.1.2', 'IPv4 192.0.2.1'])
    await change('services', 'web', spec({ type: 'ExternalName', externalName: 'db.example.com' }))
    await calm()
    expect(slices().map((s) => [s.metadata.name, s.metadata.resourceVersion])).toEqual([['by-hand', resourceVersion]])
    expect([inside.get('endpoints', 'web', 'default'), inside.get('endpoints', 'elsewhere', 'default')?.metadata.name]).toEqual([undefined, 'elsewhere'])
  })
  test('of a service without selector are nobody’s business', async () => {
    await makeService({ selector: undefined, ...both })
    await makePod('a', ['10.244.1.2'])
    await calm()
    expect([slices(), inside.get('endpoints', 'web', 'default')]).toEqual([[], undefined])
  })
  test('and Endpoints go with a service that moves elsewhere, and with one that is deleted', async () => {
    await makeService()
    await makePod('a', ['10.244.1.2'])
    await calm()
    await change('services', 'web', spec({ type: 'ExternalName', externalName: 'db.example.com' }))
    await calm()
    expect([slices(), inside.get('endpoints', 'web', 'default')]).toEqual([[], undefined])
    await change('services', 'web', spec({ type: 'ClusterIP' }))
    await calm()
    expect(texts()).toEqual(['IPv4 10.244.1.2'])
    await inside.registry.remove(refOf('services', service()))
    await calm()
    expect([slices(), inside.get('endpoints', 'web', 'default')]).toEqual([[], undefined])
  })
  test('that somebody deleted or emptied are made again', async () => {
    await makeService()
    await makePod('a', ['10.244.1.2'])
    await calm()
    const { name } = slices()[0]!.metadata
    await change('endpointslices.discovery.k8s.io', name, () => ({ endpoints: [] }))
    await calm()
    expect(texts()).toEqual(['IPv4 10.244.1.2'])
    await inside.registry.remove({ resource: 'endpointslices.discovery.k8s.io', namespace: 'default', name })
    await calm()
    expect(texts()).toEqual(['IPv4 10.244.1.2'])
  })
})

describe('zones', () => {
  const zoned = (zone: string) => ({ labels: { 'topology.kubernetes.io/zone': zone } })
  const hints = () => slices().flatMap((s) => (s.endpoints ?? []).map((e) => [e.zone, e.hints?.forZones?.map((z) => z.name).join()]))

  test('follow the label of the node, and hints follow the zone', async () => {
    await change('nodes', 'node1', (c) => ({ metadata: { ...c.metadata, ...zoned('a') } }))
    await makeService({ trafficDistribution: 'PreferClose' })
    await makePod('a', ['10.244.1.2'])
    await calm()
    expect(hints()).toEqual([['a', 'a']])
    await change('nodes', 'node1', (c) => ({ metadata: { ...c.metadata, ...zoned('b') } }))
    await calm()
    expect(hints()).toEqual([['b', 'b']])
    await change('services', 'web', (c) => ({ spec: { ...(c.spec as object), trafficDistribution: undefined } }))
    await calm()
    expect(hints()).toEqual([['b', undefined]])
  })
  test('are known as soon as the node is', async () => {
    // Without the garbage collector, which takes pods away whose node is gone.
    await stop()
    await inside.registry.remove(refOf('nodes', node()))
    start(createEndpointsController)
    await makeService()
    await makePod('a', ['10.244.1.2'])
    await calm()
    expect(hints()).toEqual([[undefined, undefined]])
    await inside.make('nodes', node({ metadata: zoned('a') }))
    await calm()
    expect(hints()).toEqual([['a', undefined]])
  })
  test('share endpoints by their size where the service wants it so', async () => {
    const ready = { allocatable: { cpu: '4' }, conditions: [{ type: 'Ready', status: 'True' }] }
    await change('nodes', 'node1', (c) => ({ metadata: { ...c.metadata, ...zoned('z1') } }))
    await change('nodes', 'node1', () => ({ status: ready }), 'status')
    await inside.make('nodes', node({ metadata: { name: 'node2', ...zoned('z2') }, status: ready as never }))
    await makeService({}, { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } })
    for (const n of [2, 3, 4, 5]) await makePod(`p${n}`, [`10.244.1.${n}`])
    await calm()
    expect(hints()).toEqual([['z1', 'z1'], ['z1', 'z1'], ['z1', 'z2'], ['z1', 'z2']])
    await change('nodes', 'node2', () => ({ status: { ...ready, conditions: [{ type: 'Ready', status: 'False' }] } }), 'status')
    await calm()
    expect(hints().map(([, zones]) => zones)).toEqual([undefined, undefined, undefined, undefined])
  })
})

test('Endpoints have the addresses of the first family', async () => {
  await makeService({ ...both, ipFamilies: ['IPv6', 'IPv4'] })
  await makePod('a', ['10.244.1.2', 'fd00:244:1::2'])
  await calm()
  expect((inside.get('endpoints', 'web', 'default') as Endpoints).subsets![0]!.addresses!.map((a) => a.ip)).toEqual(['fd00:244:1::2'])
})
