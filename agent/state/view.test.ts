import { describe, expect, test } from 'vitest'
import type { EndpointSlice, KubeObject, Node, Service } from '../../api/objects.ts'
import type { Family, ServiceView } from '../../rules/model.ts'
import { endpointView, nodeConfigOf } from '../../test/kit/views.ts'
import { createTables } from './tables.ts'
import { createViewBuilder, type ViewChanges } from './view.ts'

let revision = 1
const meta = (name: string, labels?: Record<string, string>) => ({
  name,
  namespace: 'default',
  uid: name,
  resourceVersion: String(++revision),
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels,
})
const service = (spec: object, labels?: Record<string, string>): Service =>
  ({ apiVersion: 'v1', kind: 'Service', metadata: meta('web', labels), spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }], ...spec } }) as Service
const slice = (name: string, rest: Partial<EndpointSlice> = {}, labels: Record<string, string> = {}): EndpointSlice =>
  ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: meta(name, { 'kubernetes.io/service-name': 'web', ...labels }),
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.244.1.2'], nodeName: 'node1' }],
    ports: [{ port: 8080 }],
    ...rest,
  }) as EndpointSlice

const node = (zone?: string): Node =>
  ({ apiVersion: 'v1', kind: 'Node', metadata: { ...meta('node1', zone ? { 'topology.kubernetes.io/zone': zone } : {}), namespace: undefined } }) as unknown as Node

const resources = { Service: 'services', EndpointSlice: 'endpointslices.discovery.k8s.io', Node: 'nodes' } as const

function agent(family: Family = 'ip') {
  const tables = createTables()
  const builder = createViewBuilder({ node: 'node1', family })
  let last: ViewChanges | undefined
  const put = (...objects: readonly (KubeObject | Service | EndpointSlice | Node | string)[]) => {
    for (const object of objects) {
      if (typeof object === 'string') {
        const [resource, key] = object.split(' ') as ['services', string]
        tables.take({ kind: 'delete', resource, revision: ++revision, key })
      } else {
        const resource = resources[object.kind as keyof typeof resources]
        tables.take({ kind: 'set', resource, revision, object: object as KubeObject })
      }
    }
    last = builder.take(tables.take({ kind: 'sync', revision: ++revision })!)
    return [...last.services]
  }
  const view = (): ServiceView | undefined => builder.view(nodeConfigOf()).services.get('default/web')
  const targets = () => view()?.ports.map((p) => p.endpoints.map((e) => `${e.address}:${e.port}${e.node === 'here' ? ' local' : ''}`))
  return { put, view, targets, last: () => last! }
}

describe('a service is in the view', () => {
  test('with its addresses, ports and endpoints, in whatever order they come', () => {
    const a = agent()
    expect(a.put(slice('s1'))).toEqual([])
    expect(a.put(service({ ports: [{ port: 80, nodePort: 30080 }] }))).toEqual(['default/web'])
    expect(a.view()).toEqual({
      key: 'default/web',
      created: '2026-01-01T00:00:00Z',
      clusterIPs: ['10.96.0.10'],
      externalIPs: [],
      loadBalancerIPs: [],
      sourceRanges: [],
      internalPolicy: 'Cluster',
      externalPolicy: 'Cluster',
      ports: [
        {
          name: '',
          protocol: 'tcp',
          port: 80,
          nodePort: 30080,
          endpoints: [endpointView('10.244.1.2', { node: 'here' })],
        },
      ],
    })
  })

  test.each([
    ['headless', { clusterIP: 'None' }, {}],
    ['without an address', { clusterIP: '' }, {}],
    ['ExternalName with an address', { type: 'ExternalName' }, {}],
    ['of the other family', { clusterIP: 'fd00::1' }, {}],
    ['served by another proxy', {}, { 'service.kubernetes.io/service-proxy-name': 'other' }],
    ['labelled headless', {}, { 'service.kubernetes.io/headless': '' }],
  ])('but not if it is %s', (_why, spec, labels) => {
    const a = agent()
    expect(a.put(service(spec, labels), slice('s1'))).toEqual([])
    expect(a.view()).toBeUndefined()
  })

  test('until it is deleted, or given to another proxy', () => {
    const a = agent()
    a.put(service({}), slice('s1'))
    expect(a.put(service({}, { 'service.kubernetes.io/service-proxy-name': 'other' }))).toEqual(['default/web'])
    expect(a.view()).toBeUndefined()
    a.put(service({}))
    expect(a.targets()).toEqual([['10.244.1.2:8080 local']])
    expect(a.put('services default/web')).toEqual(['default/web'])
    expect(a.view()).toBeUndefined()
  })
})

describe('endpoints', () => {
  const ports = [
    { name: 'http', port: 80 },
    { name: 'dns', port: 53, protocol: 'UDP' },
  ]
  test('join a port by name and protocol; the number is the slice port', () => {
    const a = agent()
    a.put(service({ ports }), slice('s1', { ports: [{ name: 'http', port: 8080, protocol: 'TCP' }, { name: 'dns', port: 5353, protocol: 'TCP' }] }))
    expect(a.targets()).toEqual([['10.244.1.2:8080 local'], []])
  })

  test('are the union over slices, one of each address and port, the local copy first', () => {
    const a = agent()
    a.put(service({}), slice('s1', { endpoints: [{ addresses: ['10.244.1.2'] }, { addresses: ['10.244.2.9', '10.244.2.10'], nodeName: 'node2' }] }), slice('s2'))
    expect(a.targets()).toEqual([['10.244.1.2:8080 local', '10.244.2.9:8080']])
  })

  test('default to ready and serving, not terminating', () => {
    const a = agent()
    const conditions = { ready: false, serving: true, terminating: true }
    a.put(service({}), slice('s1', { endpoints: [{ addresses: ['10.244.1.2'] }, { addresses: ['10.244.1.3'], conditions }] }))
    expect(a.view()!.ports[0]!.endpoints.map(({ ready, serving, terminating }) => ({ ready, serving, terminating }))).toEqual([
      { ready: true, serving: true, terminating: false },
      conditions,
    ])
  })

  test.each([
    ['of the other family', { addressType: 'IPv6', endpoints: [{ addresses: ['fd00::2'] }] }, {}],
    ['named by DNS', { addressType: 'FQDN', endpoints: [{ addresses: ['example.com'] }] }, {}],
    ['without a port number', { ports: [{ name: '' }] }, {}],
    ['of another proxy', {}, { 'service.kubernetes.io/service-proxy-name': 'other' }],
  ])('do not count if they are %s', (_why, rest, labels) => {
    const a = agent()
    a.put(service({}), slice('s1', rest as Partial<EndpointSlice>, labels))
    expect(a.targets()).toEqual([[]])
  })

  test('move when a slice moves to another service', () => {
    const a = agent()
    a.put(service({}), slice('s1'))
    expect(a.put(slice('s1', {}, { 'kubernetes.io/service-name': 'other' }))).toEqual(['default/web'])
    expect(a.targets()).toEqual([[]])
  })

  test('of a slice without a service are ignored', () => {
    const a = agent()
    const lost = slice('s1')
    delete lost.metadata.labels
    expect(a.put(service({}), lost)).toEqual(['default/web'])
    expect(a.targets()).toEqual([[]])
    expect(a.last().problems).toEqual([{ what: 'endpoint slice has no label kubernetes.io/service-name and so belongs to no service', value: 'default/s1' }])
  })

  test('one of a shape that nobody can read is left out and named, and harms no other', () => {
    const a = agent()
    const broken = { ...service({ ports: [{ port: 80, protocol: 6 }] }), metadata: meta('broken') } as unknown as Service
    expect(a.put(broken, service({}), slice('s1'))).toEqual(['default/web'])
    expect(a.targets()).toEqual([['10.244.1.2:8080 local']])
    expect(a.last().problems).toMatchObject([{ service: 'default/broken', what: 'service or one of its endpoint slices has a shape that cannot be read' }])
    expect(a.put(slice('s1', { ports: [{ port: 8080, protocol: 6 }] as never })), 'what was served is not any more').toEqual(['default/web'])
    expect([a.view(), a.last().problems.map((p) => p.service)]).toEqual([undefined, ['default/web']])
    a.put(slice('s1'))
    expect([a.targets(), a.last().problems]).toEqual([[['10.244.1.2:8080 local']], []])
  })

  test('without a node name may be anywhere', () => {
    const a = agent()
    a.put(service({}), slice('s1', { endpoints: [{ addresses: ['10.244.1.2'] }, { addresses: ['10.244.1.3'], nodeName: 'node2' }] }))
    expect(a.view()!.ports[0]!.endpoints.map(({ node: place }) => place)).toEqual(['unknown', 'elsewhere'])
  })

  test('with an empty list of addresses are skipped, and odd texts are made canonical', () => {
    const a = agent()
    a.put(service({}), slice('s1', { endpoints: [{ addresses: [] }, { addresses: ['010.244.001.2'] }, { addresses: ['fd00::1'] }] }))
    expect(a.targets()).toEqual([['10.244.1.2:8080', 'fd00::1:8080']])
  })
})

describe('what a service says beside its ports', () => {
  test('is split by family', () => {
    const both = service({
      clusterIPs: ['10.96.0.10', 'fd00:10:96::A'],
      externalIPs: ['198.18.0.1', '2001:DB8::1', '', '198.18.0.1'],
      loadBalancerSourceRanges: ['10.0.0.0/8', '2001:db8::/32'],
    })
    for (const [family, clusterIPs, externalIPs] of [['ip', ['10.96.0.10'], ['198.18.0.1']], ['ip6', ['fd00:10:96::a'], ['2001:db8::1']]] as const) {
      const a = agent(family)
      a.put(both)
      expect(a.view()).toMatchObject({ clusterIPs, externalIPs, sourceRanges: ['10.0.0.0/8', '2001:db8::/32'] })
    }
  })

  test('counts load balancer IPs that are to be short-circuited', () => {
    const a = agent()
    const ingress = [{ ip: '203.0.113.1' }, { ip: '203.0.113.2', ipMode: 'Proxy' }, { ip: '203.0.113.3', ipMode: 'VIP' }, { hostname: 'lb.example' }]
    a.put({ ...service({ type: 'LoadBalancer' }), status: { loadBalancer: { ingress } } } as Service)
    expect(a.view()!.loadBalancerIPs).toEqual(['203.0.113.1', '203.0.113.3'])
  })

  test.each([
    [{ type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 }, { externalPolicy: 'Local', healthCheckNodePort: 32_000 }],
    [{ type: 'NodePort', externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 }, { externalPolicy: 'Local' }],
    [{ type: 'LoadBalancer', healthCheckNodePort: 32_000 }, { externalPolicy: 'Cluster' }],
    [{ internalTrafficPolicy: 'Local' }, { internalPolicy: 'Local' }],
    [{ sessionAffinity: 'ClientIP' }, { affinitySeconds: 10_800 }],
    [{ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }, { affinitySeconds: 5 }],
    [{ sessionAffinity: 'None', sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }, {}],
  ])('%j', (spec, part) => {
    const a = agent()
    a.put(service(spec))
    const { externalPolicy, internalPolicy, healthCheckNodePort, affinitySeconds } = a.view()!
    const said = { externalPolicy, internalPolicy, healthCheckNodePort, affinitySeconds }
    expect(said).toEqual({ externalPolicy: 'Cluster', internalPolicy: 'Cluster', healthCheckNodePort: undefined, affinitySeconds: undefined, ...part })
  })
})

test('hints follow the node, whatever comes first', () => {
  const hinted = slice('s1', { endpoints: [{ addresses: ['10.244.1.2'], hints: { forZones: [{ name: 'b' }, { name: 'a' }] } }, { addresses: ['10.244.1.3'], hints: { forZones: [{ name: 'b' }], forNodes: [{ name: 'node1' }] } }] } as Partial<EndpointSlice>)
  const a = agent()
  const hints = () => a.view()!.ports[0]!.endpoints.map(({ zoneHint, nodeHint }) => `${zoneHint} ${nodeHint}`)
  a.put(service({}), hinted)
  expect(hints()).toEqual(['elsewhere none', 'elsewhere here'])
  expect(a.put(node('a'))).toEqual(['default/web'])
  expect(hints()).toEqual(['here none', 'elsewhere here'])
  expect(a.put(node('a'))).toEqual([])
  a.put(node('b'))
  expect(hints()).toEqual(['here none', 'here here'])
  a.put(node())
  expect(hints()).toEqual(['elsewhere none', 'elsewhere here'])
})

test('slices tell when their change happened; those of the first sync are no news', () => {
  const annotated = (time: string) => {
    const found = slice('s1')
    return { ...found, metadata: { ...found.metadata, annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': time } } } as EndpointSlice
  }
  const a = agent()
  a.put(service({}), annotated('2026-01-01T00:00:01.5Z'))
  expect(a.last().triggers).toEqual([])
  a.put(annotated('2026-01-01T00:00:02Z'))
  expect(a.last().triggers).toEqual([Date.parse('2026-01-01T00:00:02Z')])
  a.put(annotated('2026-01-01T00:00:02Z'))
  expect(a.last().triggers).toEqual([])
  a.put(annotated('soon'))
  expect(a.last().triggers).toEqual([])
})
