import { expect, test } from 'vitest'
import { encode } from '../../api/codec.ts'
import type { KubeObject } from '../../api/objects.ts'
import * as kit from '../../test/kit/objects.ts'
import { project } from './project.ts'

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'
const managedFields = [{ manager: 'kubectl', operation: 'Update', apiVersion: 'v1', time: '2026-01-01T00:00:00Z', fieldsType: 'FieldsV1' }]

test('leaves out field managers and what kubectl remembers, and keeps the other annotations', () => {
  const plain = kit.stored(kit.pod({ metadata: { annotations: { team: 'a' } } }))
  const full = kit.stored(kit.pod({ metadata: { annotations: { team: 'a', [lastApplied]: '{}' }, managedFields } }))
  expect(project('pods', full)).toEqual(plain)
  expect(full.metadata.managedFields).toHaveLength(1)
})

test('leaves no empty annotations behind', () => {
  const full = kit.stored(kit.pod({ metadata: { annotations: { [lastApplied]: '' } } }))
  expect(project('pods', full).metadata).not.toHaveProperty('annotations')
})

test('leaves out the images of a node, and nothing else of it', () => {
  const status = { capacity: { cpu: '2' }, images: [{ names: ['a'] }] }
  const node = kit.stored(kit.node({ status }))
  expect(project('nodes', node)).toEqual(kit.stored(kit.node({ status: { capacity: { cpu: '2' } } })))
})

test('of services and slices, leaves out what only controllers and people read', () => {
  const spec = { type: 'LoadBalancer', selector: { app: 'web' }, ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack', allocateLoadBalancerNodePorts: true, clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], ports: [{ name: 'http', port: 80, targetPort: 8080, appProtocol: 'http' }] } as const
  const read = { type: 'LoadBalancer', clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 80 }] }
  const ingress = [{ ip: '203.0.113.1' }]
  const { metadata } = kit.stored(kit.service())
  const service = (part: object) => ({ apiVersion: 'v1', kind: 'Service', metadata, ...part }) as KubeObject
  expect(project('services', service({ spec, status: { loadBalancer: { ingress }, conditions: [] } }))).toEqual(service({ spec: read, status: { loadBalancer: { ingress } } }))
  expect(project('services', service({ spec: { clusterIPs: ['10.96.0.1', 'fd00::1'] }, status: { loadBalancer: {} } }))).toEqual(service({ spec: { clusterIPs: ['10.96.0.1', 'fd00::1'] } }))
  const ready = { addresses: ['10.244.1.2'], nodeName: 'node1', hints: { forZones: [{ name: 'a' }] } }
  const leaving = { addresses: ['10.244.1.3'], conditions: { ready: false, serving: true, terminating: true }, hostname: 'web-1' }
  const slice = (part: object) => ({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType: 'IPv4', ...part }) as KubeObject
  const full = slice({
    endpoints: [{ ...ready, conditions: { ready: true, serving: true, terminating: false }, targetRef: { kind: 'Pod', name: 'web-1' }, zone: 'a' }, leaving],
    ports: [{ port: 8080, appProtocol: 'h2c' }],
  })
  expect(project('endpointslices.discovery.k8s.io', full)).toEqual(slice({ endpoints: [ready, leaving], ports: [{ port: 8080 }] }))
})

test('keeps the object itself where there is nothing to leave out', () => {
  for (const [resource, draft] of [['pods', kit.pod()], ['nodes', kit.node()]] as const) {
    const object = kit.stored(draft)
    expect(project(resource, object)).toBe(object)
  }
})

test('a change of a slice with three endpoints is a frame of well under one kilobyte', () => {
  const endpoint = (i: number) => ({
    addresses: [`10.244.1.${i}`],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: 'node1',
    targetRef: { kind: 'Pod', namespace: 'default', name: `web-6d4cf56db6-abcd${i}`, uid: '2b0c2a3e-5f4d-4c3b-8a29-1a2b3c4d5e6f' },
  })
  const slice = kit.stored(
    kit.endpointSlice({
      metadata: { managedFields, annotations: { [lastApplied]: 'x'.repeat(2_000) } },
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [1, 2, 3].map(endpoint),
    }),
  )
  const resource = 'endpointslices.discovery.k8s.io'
  const size = encode({ kind: 'set', resource, revision: 1_000_000, object: project(resource, slice) }).byteLength
  expect(size).toBeGreaterThan(400)
  expect(size).toBeLessThan(1_024)
})
