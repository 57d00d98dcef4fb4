import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { decodeHubFrame, encode } from '../../api/codec.ts'
import type { SetFrame } from '../../api/frames.ts'
import type { EndpointSlice, KubeObject } from '../../api/objects.ts'
import { createTrim } from './trim.ts'

const metadata = {
  name: 'web', namespace: 'default', uid: 'u', resourceVersion: '7', creationTimestamp: '2026-01-01T00:00:00Z',
  labels: { app: 'web', 'kubernetes.io/service-name': 'web' },
  annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{…}', 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' },
  managedFields: [{ manager: 'kubectl' }],
}
const kept = {
  name: 'web', namespace: 'default', uid: 'u', resourceVersion: '7', creationTimestamp: '2026-01-01T00:00:00Z',
  labels: { 'kubernetes.io/service-name': 'web' },
  annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' },
}
const object = (rest: object): KubeObject => ({ apiVersion: 'v1', metadata, ...rest }) as unknown as KubeObject

test('of a service, what routing and names read is kept', () => {
  const spec = {
    type: 'LoadBalancer', clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], externalIPs: ['198.18.0.1'], externalTrafficPolicy: 'Local',
    healthCheckNodePort: 31_000, internalTrafficPolicy: 'Cluster', loadBalancerSourceRanges: ['10.0.0.0/8'], publishNotReadyAddresses: true,
    sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 9 } },
  }
  const port = { name: 'http', port: 80, nodePort: 30_080, protocol: 'TCP' }
  const status = { loadBalancer: { ingress: [{ ip: '203.0.113.1', ipMode: 'VIP' }] } }
  const service = object({ kind: 'Service', spec: { ...spec, selector: { app: 'web' }, ports: [{ ...port, targetPort: 8080 }] }, status: { ...status, conditions: [] } })
  const { clusterIPs: _sameAsClusterIP, ...rest } = spec
  expect(createTrim()('services', service)).toEqual({ apiVersion: 'v1', kind: 'Service', metadata: kept, spec: { ...rest, ports: [port] }, status })
})

test('of a slice, first addresses, conditions that say anything, places and hints', () => {
  const leaving = { ready: false, serving: true, terminating: true }
  const hints = { forZones: [{ name: 'a' }] }
  const slice = object({
    kind: 'EndpointSlice', addressType: 'IPv4', ports: [{ name: 'http', port: 8080, protocol: 'TCP', appProtocol: 'h2c' }],
    endpoints: [
      { addresses: ['10.244.1.2', '10.244.1.3'], conditions: { ready: true, serving: true, terminating: false }, nodeName: 'node1', zone: 'a', hints, targetRef: { kind: 'Pod', name: 'web-1' } },
      { addresses: ['10.244.1.4'], conditions: leaving, hostname: 'web-2' },
      { addresses: [] },
    ],
  })
  expect(createTrim()('endpointslices.discovery.k8s.io', slice)).toEqual({
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: kept, addressType: 'IPv4', ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: [{ addresses: ['10.244.1.2'], nodeName: 'node1', hints }, { addresses: ['10.244.1.4'], conditions: leaving, hostname: 'web-2' }, { addresses: [] }],
  })
})

test('other objects stay as they are', () => {
  const node = object({ kind: 'Node' })
  expect(createTrim()('nodes', node)).toBe(node)
})

test('what comes again in many objects is one object', () => {
  const trim = createTrim()
  const slice = () =>
    structuredClone(object({ endpoints: [{ addresses: ['10.244.1.2'], conditions: { ready: false }, nodeName: 'node1', hints: { forZones: [{ name: 'a' }] } }] }))
  const [one, other] = [1, 2].map(() => (trim('endpointslices.discovery.k8s.io', slice()) as EndpointSlice).endpoints![0]!)
  expect(one!.hints).toBe(other!.hints)
  expect(one!.conditions).toBe(other!.conditions)
})

test('of the frame that an object came in nothing else is kept', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const trim = createTrim()
  const frames = 512
  const selector = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`filler-${i}`, 'x'.repeat(50)]))
  const bytes = encode({ kind: 'set', revision: 1, resource: 'services', object: object({ kind: 'Service', spec: { clusterIP: '10.96.100.100', selector } }) })
  collect()
  const before = process.memoryUsage().heapUsed
  const held = Array.from({ length: frames }, () => trim('services', (decodeHubFrame(bytes) as SetFrame).object))
  collect()
  expect(process.memoryUsage().heapUsed - before).toBeLessThan((frames * bytes.length) / 8)
  expect(held).toHaveLength(frames)
})
