import { describe, expect, test } from 'vitest'
import type { EndpointSlice, Service } from '../../api/objects.ts'
import { endpointKey, type Endpoint, type FamilyEndpoints } from './endpoint-groups.ts'
import { planSlices, type SlicePlan } from './endpoint-slices.ts'
import { endpointsObject } from './endpoints-object.ts'

const born = '2026-01-01T00:00:00Z'
const service = (more: { spec?: object; labels?: Record<string, string> } = {}): Service =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', uid: 's', creationTimestamp: born, ...(more.labels && { labels: more.labels }) },
    spec: { clusterIP: '10.96.0.10', ...more.spec },
  }) as unknown as Service
const ports = [{ name: '', protocol: 'TCP', port: 80 }] as const
const endpoint = (i: number, ready = true): Endpoint => ({
  addresses: [`10.0.${Math.floor(i / 250)}.${(i % 250) + 1}`],
  conditions: { ready, serving: ready, terminating: false },
  nodeName: 'node1',
  targetRef: { kind: 'Pod', name: `p${i}`, namespace: 'default', uid: `u${i}` },
})
const many = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => endpoint(from + i))
const inV4 = (endpoints: readonly Endpoint[], since: Record<number, string> = {}): FamilyEndpoints => ({
  family: 'IPv4',
  groups: [{ ports, endpoints }],
  since: new Map(Object.entries(since).map(([i, at]) => [endpointKey(endpoint(Number(i))), Date.parse(at)])),
})
const labels = { 'kubernetes.io/service-name': 'web', 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' }
const slice = (name: string, endpoints: readonly Endpoint[], more: object = {}): EndpointSlice =>
  ({ metadata: { name, namespace: 'default', labels }, addressType: 'IPv4', endpoints, ports, ...more }) as unknown as EndpointSlice
const sizes = ({ create, update, remove }: SlicePlan) =>
  [...update.map((u) => `${u.name} ${u.endpoints.length}`), ...create.map((c) => `new ${(c['endpoints'] as []).length}`), ...remove.map((name) => `${name} goes`)].join(', ')
const plan = (wanted: readonly FamilyEndpoints[], present: readonly EndpointSlice[] = []) => sizes(planSlices(service(), wanted, present))

describe('slices', () => {
  test.each([
    ['of a service without endpoints: one that is empty', [], [], 'new 0'],
    ['of a hundred endpoints: one', many(0, 100), [], 'new 100'],
    ['of more: as many as are needed', many(0, 250), [], 'new 100, new 100, new 50'],
    ['that are right stay as they are', many(0, 150), [slice('a', many(0, 100)), slice('b', many(100, 150))], ''],
    ['change alone where one endpoint comes', many(0, 151), [slice('a', many(0, 100)), slice('b', many(100, 150))], 'b 51'],
    ['change alone where one goes', many(1, 150), [slice('a', many(0, 100)), slice('b', many(100, 150))], 'a 99'],
    ['are filled up before there is another', many(0, 160), [slice('a', many(0, 60)), slice('b', many(100, 150))], 'a 100, b 60'],
    ['that are empty go', many(0, 100), [slice('a', many(0, 100)), slice('b', many(100, 150))], 'b goes'],
    ['but for the last one', [], [slice('a', many(0, 100)), slice('b', many(100, 150))], 'a 0, b goes'],
    ['of other ports go', many(0, 1), [slice('a', many(0, 1), { ports: [{ name: '', protocol: 'TCP', port: 81 }] })], 'new 1, a goes'],
    ['of another family go', many(0, 1), [slice('a', [], { addressType: 'IPv6' })], 'new 1, a goes'],
    ['that are larger than they should be are divided', many(0, 130), [slice('a', many(0, 130))], 'a 100, new 30'],
  ])('%s', (_what, wanted, present, expected) => {
    expect(plan([inV4(wanted)], present)).toBe(expected)
  })
  test('are of each family by itself', () => {
    const v6: FamilyEndpoints = { ...inV4([]), family: 'IPv6' }
    const { create } = planSlices(service(), [inV4(many(0, 1)), v6], [])
    expect(create.map((c) => c['addressType'])).toEqual(['IPv4', 'IPv6'])
  })
  test('of a service that has no endpoints any more go', () => {
    expect(plan([], [slice('a', many(0, 1))])).toBe('a goes')
  })
  test('hold two pods of one address apart', () => {
    const [one] = many(0, 1)
    const two = { ...one!, conditions: { ready: false, serving: false, terminating: false }, targetRef: { ...one!.targetRef!, uid: 'other' } }
    expect(planSlices(service(), [inV4([one!, two])], [slice('a', [one!])]).update[0]!.endpoints).toEqual([one, two])
  })
})

describe('labels', () => {
  const labelsOf = (s: Service) => (planSlices(s, [inV4([])], []).create[0]!['metadata'] as { labels: object }).labels
  test('are those of the service and ours', () => {
    expect(labelsOf(service({ labels: { app: 'web', 'kubernetes.io/service-name': 'else' } }))).toEqual({ app: 'web', ...labels })
  })
  test('say that a service is headless', () => {
    expect(labelsOf(service({ spec: { clusterIP: 'None' } }))).toEqual({ 'service.kubernetes.io/headless': '', ...labels })
    expect(labelsOf(service({ labels: { 'service.kubernetes.io/headless': '' } })), 'and no one else does').toEqual(labels)
  })
  test('follow those of the service', () => {
    const { update } = planSlices(service({ labels: { app: 'web' } }), [inV4(many(0, 1))], [slice('a', many(0, 1))])
    expect(update.map((u) => u.labels)).toEqual([{ app: 'web', ...labels }])
  })
})

describe('the time that triggered a change', () => {
  const trigger = (wanted: FamilyEndpoints, present: readonly EndpointSlice[]) => {
    const { create, update } = planSlices(service(), [wanted], present)
    const annotations = create.map((c) => (c['metadata'] as { annotations?: Record<string, string> }).annotations?.['endpoints.kubernetes.io/last-change-trigger-time'])
    return [...update.map((u) => u.trigger), ...annotations]
  }
  test.each([
    ['the earliest of the new endpoints', inV4(many(0, 3), { 0: '2026-02-01T00:00:09Z', 1: '2026-02-01T00:00:05Z', 2: '2026-02-01T00:00:01Z' }), [slice('a', many(2, 3))], ['2026-02-01T00:00:05Z']],
    ['that of an endpoint that became ready', inV4(many(0, 1), { 0: '2026-02-01T00:00:09Z' }), [slice('a', [endpoint(0, false)])], ['2026-02-01T00:00:09Z']],
    ['not known where endpoints only went', inV4(many(0, 1), { 0: '2026-02-01T00:00:09Z' }), [slice('a', many(0, 2))], [undefined]],
    ["the service's own for its first, empty slice", inV4([]), [], [born]],
  ])('is %s', (_what, wanted, present, expected) => {
    expect(trigger(wanted, present)).toEqual(expected)
  })
})

describe('Endpoints', () => {
  type Subset = { addresses?: { ip: string; hostname?: string }[]; notReadyAddresses?: { ip: string }[]; ports: object[] }
  const subsetsOf = (endpoints: readonly Endpoint[]) => (endpointsObject(service(), [{ ports, endpoints }])['subsets'] ?? []) as Subset[]
  test('have addresses, notReadyAddresses, and nothing of what is going', () => {
    const going = { ...endpoint(2), conditions: { ready: false, serving: true, terminating: true } }
    const [subset] = subsetsOf([{ ...endpoint(0), hostname: 'db-0' }, endpoint(1, false), going])
    expect(subset).toMatchObject({ addresses: [{ ip: '10.0.0.1', hostname: 'db-0' }], notReadyAddresses: [{ ip: '10.0.0.2' }], ports: [{ protocol: 'TCP', port: 80 }] })
    expect([subset!.addresses!.length, subset!.notReadyAddresses!.length]).toEqual([1, 1])
    expect(subsetsOf([])).toEqual([])
  })
  test('hold a thousand addresses, the ready ones first, and say where there were more', () => {
    const [subset] = subsetsOf([...Array.from({ length: 10 }, (_, i) => endpoint(2000 + i, false)), ...many(0, 995)])
    expect([subset!.addresses!.length, subset!.notReadyAddresses!.length]).toEqual([995, 5])
    const annotations = (endpoints: readonly Endpoint[]) => (endpointsObject(service(), [{ ports, endpoints }])['metadata'] as { annotations?: object }).annotations
    expect(annotations(many(0, 1001))).toEqual({ 'endpoints.kubernetes.io/over-capacity': 'truncated' })
    expect(annotations(many(0, 1000))).toBeUndefined()
  })
})
