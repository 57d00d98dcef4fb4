/** What the hub leaves out of an object is nothing that an agent would have kept. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTrim } from '../../agent/state/trim.ts'
import { decodeHubFrame, encode, encodeSeveral } from '../../api/codec.ts'
import type { KubeObject } from '../../api/objects.ts'
import { endpointsChange } from '../../server/hub/delta.ts'
import { project } from '../../server/hub/project.ts'
import { createTables } from '../../agent/state/tables.ts'

const text = fc.constantFrom('a', 'b', '10.96.0.1', 'a text that is long enough to be cut out of another one')
const flag = fc.boolean()
const number = fc.integer({ min: 1, max: 65_535 })
/** Any of the fields, or none of them. */
const some = (fields: Readonly<Record<string, fc.Arbitrary<unknown>>>) => fc.record(fields, { requiredKeys: [] })
const texts = fc.array(text, { maxLength: 3 })
const names = (...known: readonly string[]) => some(Object.fromEntries([...known, 'other'].map((name) => [name, text])))

const metadata = fc.record(
  {
    name: fc.constant('web'), namespace: fc.constant('default'), uid: fc.constant('2b0c2a3e-5f4d-4c3b-8a29-1a2b3c4d5e6f'), resourceVersion: fc.constant('7'),
    creationTimestamp: text, generation: number, managedFields: fc.constant([{ manager: 'kubectl' }]), finalizers: texts,
    labels: names('kubernetes.io/service-name', 'service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'),
    annotations: names('endpoints.kubernetes.io/last-change-trigger-time', 'kubectl.kubernetes.io/last-applied-configuration'),
  },
  { requiredKeys: ['name', 'namespace', 'uid', 'resourceVersion'] },
)
const port = some({ name: text, protocol: text, port: number, nodePort: number, targetPort: number, appProtocol: text })
const serviceSpec = some({
  type: text, clusterIP: text, clusterIPs: texts, externalIPs: texts, externalName: text, externalTrafficPolicy: text, healthCheckNodePort: number,
  internalTrafficPolicy: text, loadBalancerSourceRanges: texts, publishNotReadyAddresses: flag, sessionAffinity: text, selector: names('app'),
  sessionAffinityConfig: some({ clientIP: some({ timeoutSeconds: number }) }), ipFamilies: texts, ipFamilyPolicy: text,
  allocateLoadBalancerNodePorts: flag, loadBalancerIP: text, trafficDistribution: text, ports: fc.array(port, { maxLength: 3 }),
})
const status = some({ loadBalancer: some({ ingress: fc.array(some({ ip: text, ipMode: text, hostname: text }), { maxLength: 2 }) }), conditions: fc.constant([]) })
const service = fc.record({ apiVersion: fc.constant('v1'), kind: fc.constant('Service'), metadata, spec: serviceSpec, status }, { requiredKeys: ['apiVersion', 'kind', 'metadata'] })

const endpoint = fc.record(
  {
    addresses: texts, conditions: some({ ready: flag, serving: flag, terminating: flag }), hostname: text, nodeName: text, zone: text,
    hints: some({ forZones: fc.array(fc.record({ name: text })), forNodes: fc.array(fc.record({ name: text })) }), targetRef: some({ kind: text, name: text }), deprecatedTopology: names('zone'),
  },
  { requiredKeys: ['addresses'] },
)
const endpoints = fc.array(endpoint, { maxLength: 4 })
const slice = fc.record(
  { apiVersion: fc.constant('discovery.k8s.io/v1'), kind: fc.constant('EndpointSlice'), metadata, addressType: text, endpoints, ports: fc.array(port, { maxLength: 2 }) },
  { requiredKeys: ['apiVersion', 'kind', 'metadata', 'addressType'] },
)

test.each([
  ['services', service],
  ['endpointslices.discovery.k8s.io', slice],
] as const)('of %s', (resource, objects) => {
  fc.assert(
    fc.property(objects, (drawn) => {
      const object = drawn as unknown as KubeObject
      const frame = encode({ kind: 'set', resource, revision: 7, object: project(resource, object) })
      const read = decodeHubFrame(encodeSeveral([frame, frame]))
      if (read.kind !== 'several' || read.frames[1]?.kind !== 'set') throw new Error('it is another frame')
      expect(createTrim()(resource, read.frames[1].object)).toEqual(createTrim()(resource, object))
    }),
    { numRuns: 400 },
  )
})

test('of endpoints that change', () => {
  const resource = 'endpointslices.discovery.k8s.io'
  fc.assert(
    fc.property(slice, endpoints, (drawn, after) => {
      const before = drawn as unknown as KubeObject
      const object = { ...before, endpoints: after, metadata: { ...before.metadata, resourceVersion: '8' } } as unknown as KubeObject
      const frame = endpointsChange({ type: 'MODIFIED', resource, revision: 8, object, previous: before })
      const tables = createTables()
      for (const each of [{ kind: 'reset' }, { kind: 'set', resource, revision: 7, object: project(resource, before) }, { kind: 'sync', revision: 7 }] as const) tables.take(each)
      tables.take(frame!)
      const { endpoints: held } = tables.get(resource, 'default/web')!
      expect(held ?? []).toEqual((createTrim()(resource, object) as { endpoints?: unknown }).endpoints)
    }),
    { numRuns: 200 },
  )
})
