import { describe, expect, test } from 'vitest'
import type { Pod, Service } from '../../api/objects.ts'
import { endpointsObject, groupByPorts } from './endpoint-groups.ts'

const service = (ports: object[], more: object = {}): Service =>
  ({ metadata: { name: 'web', namespace: 'default', uid: 's' }, spec: { selector: { app: 'web' }, ports, ...more } }) as unknown as Service
const pod = (name: string, ip: string | undefined, more: { ready?: boolean; deleting?: boolean; phase?: string; port?: number } = {}): Pod =>
  ({
    metadata: { name, namespace: 'default', uid: name, ...(more.deleting && { deletionTimestamp: '2026-01-01T00:00:00Z' }) },
    spec: { nodeName: 'node1', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: more.port ?? 8080 }] }] },
    status: { phase: more.phase ?? 'Running', podIP: ip, conditions: [{ type: 'Ready', status: (more.ready ?? true) ? 'True' : 'False' }] },
  }) as unknown as Pod
const addresses = (groups: ReturnType<typeof groupByPorts>) =>
  groups.map((g) => `${g.ports.map((p) => `${p.name}:${p.port}/${p.protocol}`).join(' ')} -> ${g.endpoints.map((e) => e.addresses[0]).join(' ')}`)

interface Subset {
  readonly addresses: readonly { readonly ip: string }[]
  readonly notReadyAddresses: readonly { readonly ip: string }[]
  readonly ports: readonly object[]
}

describe('endpoints of a service', () => {
  test.each([
    ['a number', [{ port: 80, targetPort: 8080 }], [':8080/TCP -> 10.0.0.1 10.0.0.2']],
    ['no target', [{ port: 80 }], [':80/TCP -> 10.0.0.1 10.0.0.2']],
    ['a name that differs between pods', [{ name: 'w', port: 80, targetPort: 'http' }], ['w:8080/TCP -> 10.0.0.1', 'w:9090/TCP -> 10.0.0.2']],
    ['a name of the wrong protocol', [{ name: 'w', port: 80, targetPort: 'http', protocol: 'UDP' }], [' -> 10.0.0.1 10.0.0.2']],
  ])('whose target port is %s', (_what, ports, expected) => {
    expect(addresses(groupByPorts(service(ports), [pod('b', '10.0.0.2', { port: 9090 }), pod('a', '10.0.0.1')]))).toEqual(expected)
  })

  test('leave out pods without an address and pods that ended', () => {
    const groups = groupByPorts(service([{ port: 80 }]), [pod('a', undefined), pod('b', '10.0.0.2', { phase: 'Succeeded' })])
    expect(addresses(groups)).toEqual([':80/TCP -> '])
  })

  test.each([
    ['ready', {}, { ready: true, serving: true, terminating: false }],
    ['not ready', { ready: false }, { ready: false, serving: false, terminating: false }],
    ['being deleted', { deleting: true }, { ready: false, serving: true, terminating: true }],
    ['being deleted and not ready', { deleting: true, ready: false }, { ready: false, serving: false, terminating: true }],
  ])('say what a pod is that is %s', (_what, state, conditions) => {
    expect(groupByPorts(service([{ port: 80 }]), [pod('a', '10.0.0.1', state)])[0]!.endpoints[0]!.conditions).toEqual(conditions)
  })

  test('are published unready where the service wants it so', () => {
    const groups = groupByPorts(service([{ port: 80 }], { publishNotReadyAddresses: true }), [pod('a', '10.0.0.1', { ready: false })])
    expect(groups[0]!.endpoints[0]!.conditions).toMatchObject({ ready: true, serving: false })
  })

  test('appear in Endpoints as addresses, notReadyAddresses, or not at all', () => {
    const s = service([{ port: 80 }])
    const pods = [pod('a', '10.0.0.1'), pod('b', '10.0.0.2', { ready: false }), pod('c', '10.0.0.3', { deleting: true })]
    const [subset] = endpointsObject(s, groupByPorts(s, pods), { apiVersion: 'v1', kind: 'Service', name: 'web', uid: 's' })['subsets'] as Subset[]
    expect(subset!.addresses.map((a) => a.ip)).toEqual(['10.0.0.1'])
    expect(subset!.notReadyAddresses.map((a) => a.ip)).toEqual(['10.0.0.2'])
    expect(subset!.ports).toEqual([{ protocol: 'TCP', port: 80 }])
    expect(endpointsObject(s, groupByPorts(s, []), { apiVersion: 'v1', kind: 'Service', name: 'web', uid: 's' })).not.toHaveProperty('subsets')
  })
})
