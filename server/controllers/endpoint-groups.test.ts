import { describe, expect, test } from 'vitest'
import type { Pod, Service } from '../../api/objects.ts'
import type { Family } from '../admit/ranges.ts'
import { endpointKey, endpointsIn, familiesOf, type FamilyEndpoints, type Surroundings } from './endpoint-groups.ts'

const born = '2026-01-01T00:00:00Z'
const service = (ports: object[], more: object = {}): Service =>
  ({ metadata: { name: 'web', namespace: 'default', uid: 's', creationTimestamp: born }, spec: { selector: { app: 'web' }, ports, ...more } }) as unknown as Service

interface PodWish {
  readonly ips?: string[]
  readonly ready?: boolean
  readonly readyAt?: string
  readonly deletedAt?: string
  readonly phase?: string
  readonly port?: number
  readonly spec?: object
}
const pod = (name: string, ip: string | undefined, w: PodWish = {}): Pod =>
  ({
    metadata: { name, namespace: 'default', uid: name, ...(w.deletedAt && { deletionTimestamp: w.deletedAt, deletionGracePeriodSeconds: 30 }) },
    spec: { nodeName: 'node1', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: w.port ?? 8080 }] }], ...w.spec },
    status: {
      phase: w.phase ?? 'Running',
      podIP: ip,
      ...(w.ips && { podIPs: w.ips.map((i) => ({ ip: i })) }),
      conditions: [{ type: 'Ready', status: (w.ready ?? true) ? 'True' : 'False', ...(w.readyAt && { lastTransitionTime: w.readyAt }) }],
    },
  }) as unknown as Pod

const nowhere: Surroundings = { zoneOf: () => undefined, shares: () => undefined }
const inV4 = (s: Service, pods: readonly Pod[], around = nowhere) => endpointsIn('IPv4', s, pods, around)
const only = (f: FamilyEndpoints) => f.groups[0]!.endpoints[0]!
const texts = ({ groups }: FamilyEndpoints) =>
  groups.map((g) => `${g.ports.map((p) => `${p.name}:${p.port}/${p.protocol}`).join(' ')} -> ${g.endpoints.map((e) => e.addresses[0]).join(' ')}`)

describe('endpoints of a service', () => {
  test.each([
    ['a number', [{ port: 80, targetPort: 8080 }], [':8080/TCP -> 10.0.0.1 10.0.0.2']],
    ['no target', [{ port: 80 }], [':80/TCP -> 10.0.0.1 10.0.0.2']],
    ['a name that differs between pods', [{ name: 'w', port: 80, targetPort: 'http' }], ['w:8080/TCP -> 10.0.0.1', 'w:9090/TCP -> 10.0.0.2']],
    ['a name of the wrong protocol', [{ name: 'w', port: 80, targetPort: 'http', protocol: 'UDP' }], [' -> 10.0.0.1 10.0.0.2']],
  ])('whose target port is %s', (_what, ports, expected) => {
    expect(texts(inV4(service(ports), [pod('b', '10.0.0.2', { port: 9090 }), pod('a', '10.0.0.1')]))).toEqual(expected)
  })
  test('find a port by the name of a container that runs beside the others, not of one that ended', () => {
    const beside = (restartPolicy?: string) => ({ containers: [], initContainers: [{ name: 'i', restartPolicy, ports: [{ name: 'http', containerPort: 99 }] }] })
    const pods = [pod('a', '10.0.0.1', { spec: beside('Always') }), pod('b', '10.0.0.2', { spec: beside() })]
    expect(texts(inV4(service([{ port: 80, targetPort: 'http' }]), pods))).toEqual([':99/TCP -> 10.0.0.1', ' -> 10.0.0.2'])
  })
  test('carry the protocol of the application', () => {
    expect(inV4(service([{ port: 80, appProtocol: 'kubernetes.io/h2c' }]), [pod('a', '10.0.0.1')]).groups[0]!.ports).toEqual([
      { name: '', protocol: 'TCP', port: 80, appProtocol: 'kubernetes.io/h2c' },
    ])
  })
  test('leave out pods without an address, without a node, and pods that ended', () => {
    const gone = [pod('a', undefined), pod('b', '10.0.0.2', { phase: 'Succeeded' }), pod('c', '10.0.0.3', { spec: { nodeName: undefined } })]
    expect(texts(inV4(service([{ port: 80 }]), gone))).toEqual([':80/TCP -> '])
  })

  test.each([
    ['ready', {}, { ready: true, serving: true, terminating: false }],
    ['not ready', { ready: false }, { ready: false, serving: false, terminating: false }],
    ['being deleted', { deletedAt: born }, { ready: false, serving: true, terminating: true }],
    ['being deleted and not ready', { deletedAt: born, ready: false }, { ready: false, serving: false, terminating: true }],
  ])('say what a pod is that is %s', (_what, state, conditions) => {
    expect(only(inV4(service([{ port: 80 }]), [pod('a', '10.0.0.1', state)])).conditions).toEqual(conditions)
  })
  test.each([
    ['unready', { ready: false }, { ready: true, serving: false, terminating: false }],
    ['going', { deletedAt: born }, { ready: true, serving: true, terminating: true }],
  ])('are published %s where the service wants it so', (_what, state, conditions) => {
    const s = service([{ port: 80 }], { publishNotReadyAddresses: true })
    expect(only(inV4(s, [pod('a', '10.0.0.1', state)])).conditions).toEqual(conditions)
  })

  test('say on which node and in which zone they are, and what pod they are', () => {
    const around = { ...nowhere, zoneOf: (node: string) => `zone-of-${node}` }
    expect(only(inV4(service([{ port: 80 }]), [pod('a', '10.0.0.1')], around))).toEqual({
      addresses: ['10.0.0.1'],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: 'node1',
      zone: 'zone-of-node1',
      targetRef: { kind: 'Pod', name: 'a', namespace: 'default', uid: 'a' },
    })
  })
  test.each([
    ['below this service', { hostname: 'db-0', subdomain: 'web' }, 'db-0'],
    ['below another one', { hostname: 'db-0', subdomain: 'other' }, undefined],
    ['without one', { hostname: 'db-0' }, undefined],
  ])('have the host name of a pod %s', (_what, spec, expected) => {
    expect(only(inV4(service([{ port: 80 }]), [pod('a', '10.0.0.1', { spec })])).hostname).toBe(expected)
  })
  test('are two for two pods that share the address of their node', () => {
    const found = inV4(service([{ port: 80 }]), [pod('a', '10.0.0.1'), pod('b', '10.0.0.1', { ready: false })])
    expect(found.groups[0]!.endpoints.map((e) => [endpointKey(e), e.conditions?.ready])).toEqual([['10.0.0.1 a', true], ['10.0.0.1 b', false]])
  })
})

describe('address families', () => {
  const pods = [pod('a', '10.0.0.1', { ips: ['10.0.0.1', 'fd00::1'] }), pod('b', 'fd00::2', { ips: ['fd00::2'] }), pod('c', '10.0.0.3')]
  test.each<[Family, string]>([
    ['IPv4', ':80/TCP -> 10.0.0.1 10.0.0.3'],
    ['IPv6', ':80/TCP -> fd00::1 fd00::2'],
  ])('%s has the addresses of its own', (family, expected) => {
    expect(texts(endpointsIn(family, service([{ port: 80 }]), pods, nowhere))).toEqual([expected])
  })
  test('are those of the service', () => {
    expect(familiesOf(service([], { ipFamilies: ['IPv6', 'IPv4'] }))).toEqual(['IPv6', 'IPv4'])
    expect(familiesOf(service([]))).toEqual(['IPv4'])
  })
})

describe('the time of a change', () => {
  test.each([
    ['when the pod became ready', { readyAt: '2026-02-01T10:00:00Z' }, '2026-02-01T10:00:00Z'],
    ['when its deletion was asked for', { readyAt: '2026-02-01T10:00:00Z', deletedAt: '2026-02-01T12:00:30Z' }, '2026-02-01T12:00:00Z'],
    ['not before the service', { readyAt: '2025-12-01T10:00:00Z' }, born],
    ['not known where the pod does not say', {}, undefined],
  ])('is %s', (_what, state, expected) => {
    const { since } = inV4(service([{ port: 80 }]), [pod('a', '10.0.0.1', state)])
    expect(since.get('10.0.0.1 a')).toBe(expected && Date.parse(expected))
  })
})
