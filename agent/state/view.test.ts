import { describe, expect, test } from 'vitest'
import type { EndpointSlice, KubeObject, Service } from '../../api/objects.ts'
import type { ServiceView } from '../../rules/model.ts'
import { createTables } from './tables.ts'
import { createViewBuilder } from './view.ts'

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

function agent() {
  const tables = createTables()
  const builder = createViewBuilder({ node: 'node1', family: 'ip' })
  const put = (...objects: readonly (KubeObject | Service | EndpointSlice | string)[]) => {
    for (const object of objects) {
      if (typeof object === 'string') {
        const [resource, key] = object.split(' ') as ['services', string]
        tables.take({ kind: 'delete', resource, revision: ++revision, key })
      } else {
        const resource = object.kind === 'Service' ? 'services' : 'endpointslices.discovery.k8s.io'
        tables.take({ kind: 'set', resource, revision, object: object as KubeObject })
      }
    }
    return [...builder.take(tables.take({ kind: 'sync', revision: ++revision })!)]
  }
  const view = (): ServiceView | undefined => builder.view({ clusterCIDRs: [], nodePortAddresses: [] }).services.get('default/web')
  const targets = () => view()?.ports.map((p) => p.endpoints.map((e) => `${e.address}:${e.port}${e.local ? ' local' : ''}`))
  return { put, view, targets }
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
      ports: [
        {
          name: '',
          protocol: 'tcp',
          port: 80,
          nodePort: 30080,
          endpoints: [{ address: '10.244.1.2', port: 8080, local: true, ready: true, serving: true, terminating: false }],
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
  })
})
