/** Services from their first to their last day: what they are given, keep, and give back, on a cluster of two families. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KubeObject, Service, ServiceSpec } from '../../api/objects.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, refOf, refusalOf, type Inside } from '../../test/kit/registry.ts'
import type { Draft } from './registry.ts'

let inside: Inside
beforeEach(async () => {
  inside = await openInside({ serviceCIDR: '10.96.0.0/16,fd00:10:96::/112', random: () => 0 })
})
afterEach(() => inside.close())

const named = (name: string, spec: object = {}) => kit.service({ metadata: { name }, spec: spec as never })
const specOf = (object: KubeObject) => (object as Service).spec!
const make = async (name: string, spec: object = {}) => specOf(await inside.make('services', named(name, spec)))
const patched = (name: string, more: object, subresource?: 'status') =>
  inside.registry.update(
    refOf('services', named(name)),
    (c) => (subresource ? { ...c, ...more } : { ...c, spec: { ...(c.spec as ServiceSpec), ...more } }),
    subresource && { subresource },
  )
const patch = async (name: string, more: object) => specOf(await patched(name, more))
const replace = async (name: string, spec: object) =>
  specOf(await inside.registry.update(refOf('services', named(name)), () => named(name, spec) as Draft))
const faults = async (promise: Promise<unknown>) => (await refusalOf(promise)).details?.causes?.map((c) => `${c.field}: ${c.message}`)
const both = { ipFamilyPolicy: 'RequireDualStack' }
const ports = (...nodePorts: (number | undefined)[]) =>
  nodePorts.map((nodePort, i) => ({ name: `p${i}`, port: 80 + i, ...(nodePort && { nodePort }) }))

describe('addresses of both families', () => {
  test('are given to who asks for them, the first one as `clusterIP`', async () => {
    expect(await make('a', both)).toMatchObject({
      clusterIP: '10.96.1.1',
      clusterIPs: ['10.96.1.1', 'fd00:10:96::101'],
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
    })
    expect(await make('b', { ...both, ipFamilies: ['IPv6'] })).toMatchObject({ clusterIP: 'fd00:10:96::102', clusterIPs: ['fd00:10:96::102', '10.96.1.2'] })
    expect(await make('c')).toMatchObject({ clusterIPs: ['10.96.1.3'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' })
    expect(await make('d', { ipFamilies: ['IPv6'] })).toMatchObject({ clusterIPs: ['fd00:10:96::103'], ipFamilyPolicy: 'SingleStack' })
  })
  test('can be asked for, each once, in any spelling', async () => {
    expect(await make('a', { ...both, clusterIPs: ['10.96.0.7', 'fd00:10:96::7'] })).toMatchObject({ clusterIPs: ['10.96.0.7', 'fd00:10:96::7'] })
    expect(await faults(make('b', { ...both, clusterIPs: ['10.96.0.8', 'FD00:10:96:0::7'] }))).toEqual([
      'spec.clusterIPs[1]: Invalid value: "FD00:10:96:0::7": provided IP is already allocated',
    ])
    expect(await faults(make('b', { ...both, clusterIPs: ['10.96.0.8', 'fd00:10:97::7'] }))).toEqual([
      'spec.clusterIPs[1]: Invalid value: "fd00:10:97::7": failed to allocate IP fd00:10:97::7: the provided IP is not in the valid range. The range of valid IPs is fd00:10:96::/112',
    ])
    // What the refused ones had taken is free; only the first address of the first range is kept.
    await make('b', { ...both, clusterIPs: ['10.96.0.8', 'fd00:10:96::1'] })
  })
  test('of a policy that is set later come and go, and the first one stays', async () => {
    const { clusterIP } = await make('a')
    const dual = await patch('a', { ipFamilyPolicy: 'PreferDualStack' })
    expect(dual).toMatchObject({ clusterIP, clusterIPs: [clusterIP, 'fd00:10:96::101'], ipFamilies: ['IPv4', 'IPv6'] })
    expect(await replace('a', { ports: [{ port: 81 }] }), 'a client that does not speak of it').toMatchObject({ clusterIPs: dual.clusterIPs, ipFamilyPolicy: 'PreferDualStack' })
    expect(await patch('a', { ipFamilyPolicy: 'SingleStack' })).toMatchObject({ clusterIPs: [clusterIP], ipFamilies: ['IPv4'] })
    expect(await make('b', { ipFamilies: ['IPv6'], clusterIP: 'fd00:10:96::101' }), 'the second is free').toMatchObject({ clusterIP: 'fd00:10:96::101' })
  })
  test('do not change', async () => {
    const { clusterIPs } = await make('a', both)
    expect((await faults(patch('a', { clusterIPs: [clusterIPs![0], 'fd00:10:96::9'] })))?.[0]).toContain('spec.clusterIPs[1]: Invalid value: ["10.96.1.1","fd00:10:96::9"]: may not change once set')
    expect((await faults(patch('a', { clusterIP: '10.96.0.9' })))?.[0]).toContain('spec.clusterIPs[0]: Invalid value: ["10.96.0.9"]: may not change once set')
    expect((await faults(patch('a', { ipFamilies: ['IPv6', 'IPv4'] })))?.[0]).toContain('spec.clusterIPs[0]: Invalid value: "10.96.1.1": expected an IPv6 value')
    expect((await faults(patch('a', { clusterIPs: [clusterIPs![0]] })))?.[0]).toContain("must be 'SingleStack' to release the secondary cluster IP")
  })
  test('go with the type, and with the service', async () => {
    const { clusterIPs } = await make('a', both)
    const elsewhere = await patch('a', { type: 'ExternalName', externalName: 'db.example.com', clusterIP: '' })
    expect([elsewhere.clusterIP, elsewhere.clusterIPs, elsewhere.ipFamilies, elsewhere.ipFamilyPolicy]).toEqual([undefined, undefined, undefined, undefined])
    await make('b', { ...both, clusterIPs })
    await inside.registry.remove(refOf('services', named('b')))
    await make('c', { ...both, clusterIPs })
    expect((await patch('a', { type: 'ClusterIP' })).clusterIPs, 'another one').toEqual(['10.96.1.2'])
  })
  test('are not for a headless service, which has the families of its endpoints', async () => {
    expect(await make('a', { clusterIP: 'None', ...both })).toMatchObject({ clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv4', 'IPv6'] })
    expect(await make('b', { clusterIP: 'None', selector: undefined })).toMatchObject({ clusterIPs: ['None'], ipFamilyPolicy: 'RequireDualStack' })
    expect(await patch('a', { ipFamilyPolicy: 'SingleStack' })).toMatchObject({ clusterIPs: ['None'], ipFamilies: ['IPv4'] })
  })
})

describe('node ports', () => {
  test('are one for each protocol: another service may have the number by another', async () => {
    await make('tcp', { type: 'NodePort', ports: [{ port: 53, nodePort: 30053 }] })
    await make('udp', { type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', nodePort: 30053 }] })
    await make('sctp', { type: 'NodePort', ports: [{ port: 53, protocol: 'SCTP', nodePort: 30053 }] })
    expect(await faults(make('again', { type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', nodePort: 30053 }] }))).toEqual([
      'spec.ports[0].nodePort: Invalid value: 30053: provided port is already allocated',
    ])
    await inside.registry.remove(refOf('services', named('udp')))
    await make('again', { type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', nodePort: 30053 }] })
    expect(await faults(patch('tcp', { ports: [{ port: 53, protocol: 'UDP', nodePort: 30053 }] })), 'having it by TCP does not help').toHaveLength(1)
    expect(await faults(make('tcp2', { type: 'NodePort', ports: ports(30053) })), 'the one by TCP is still held').toHaveLength(1)
  })
  test('that nobody asks for have a number of their own, while there are some', async () => {
    await inside.close()
    inside = await openInside({ nodePorts: [30000, 30001] })
    const udp = (name: string, spec: object = {}) => make(name, { type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', ...spec }] })
    await make('tcp', { type: 'NodePort', ports: ports(30000) })
    expect((await udp('a')).ports![0]!.nodePort).toBe(30001)
    expect((await udp('b')).ports![0]!.nodePort).toBe(30000)
    expect((await faults(udp('c')))?.[0]).toContain('no node port is left')
  })
  test('stay with the name of their port, whatever else of it changes', async () => {
    const [first, second] = (await make('a', { type: 'NodePort', ports: ports(undefined, undefined) })).ports!
    const after = await replace('a', { type: 'NodePort', ports: [{ name: 'p1', port: 8080 }, { name: 'new', port: 80 }, { name: 'other', port: 9090 }] })
    expect(after.ports!.slice(0, 2).map((p) => p.nodePort)).toEqual([second!.nodePort, first!.nodePort])
    expect([first!.nodePort, second!.nodePort]).not.toContain(after.ports![2]!.nodePort)
  })
  test('stay when a type that has them becomes another one, and go with one that has none', async () => {
    const made = await make('a', { type: 'LoadBalancer', ports: ports(30500) })
    expect((await patch('a', { type: 'NodePort' })).ports).toEqual(made.ports)
    expect((await patch('a', { type: 'LoadBalancer' })).ports).toEqual(made.ports)
    expect((await patch('a', { type: 'ClusterIP', ports: [...made.ports!, { name: 'b', port: 90 }] })).ports!.map((p) => p.nodePort)).toEqual([undefined, undefined])
    await make('b', { type: 'NodePort', ports: ports(30500) })
    expect(await faults(patch('a', { ports: ports(30501) }))).toEqual([
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP' or 'ExternalName'; set `type` to 'NodePort' or 'LoadBalancer'",
    ])
  })
  test('of a balancer that wants none any more stay until its client takes them out', async () => {
    await make('a', { type: 'LoadBalancer', ports: ports(30500) })
    expect((await patch('a', { allocateLoadBalancerNodePorts: false })).ports![0]!.nodePort).toBe(30500)
    expect((await patch('a', { ports: ports(undefined) })).ports![0]).not.toHaveProperty('nodePort')
    await make('b', { type: 'NodePort', ports: ports(30500) })
  })
})

describe('a balancer', () => {
  const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }
  const ingress = (...list: object[]) => ({ status: { loadBalancer: { ingress: list } } })
  const statusOf = (object: KubeObject) => object.status as Service['status']

  test('with local traffic has a health port, also without node ports', async () => {
    const { healthCheckNodePort, ports: own } = await make('a', { ...local, allocateLoadBalancerNodePorts: false })
    expect(healthCheckNodePort).toBe(30086)
    expect(own![0]).not.toHaveProperty('nodePort')
    expect(await faults(make('b', { ...local, healthCheckNodePort }))).toEqual(['spec.healthCheckNodePort: Invalid value: 30086: provided port is already allocated'])
    expect((await replace('a', local)).healthCheckNodePort, 'a client that does not speak of it').toBe(30086)
    expect(await faults(patch('a', { healthCheckNodePort: 30200 }))).toEqual(['spec.healthCheckNodePort: Invalid value: 30200: field is immutable'])
  })
  test.each([
    ['policy', { externalTrafficPolicy: 'Cluster' }],
    ['type', { type: 'NodePort' }],
    ['type', { type: 'ClusterIP' }],
  ])('loses its health port with the %s', async (_what, change) => {
    await make('a', { ...local, healthCheckNodePort: 30200 })
    expect(await patch('a', change)).not.toHaveProperty('healthCheckNodePort')
    await make('b', { ...local, healthCheckNodePort: 30200 })
  })
  test('loses with its type what only balancers have', async () => {
    await make('a', { ...local, loadBalancerClass: 'example.com/x' })
    await patched('a', ingress({ ip: '203.0.113.7' }), 'status')
    const after = await patched('a', { type: 'ClusterIP' })
    expect(Object.keys(specOf(after))).not.toEqual(expect.arrayContaining(['loadBalancerClass']))
    expect([specOf(after).externalTrafficPolicy, specOf(after).allocateLoadBalancerNodePorts]).toEqual([undefined, undefined])
    expect(after.status).toEqual({ loadBalancer: {} })
  })
  test('is told its addresses by the status, and their mode is VIP unless told', async () => {
    await make('a', { type: 'LoadBalancer' })
    const told = await patched('a', ingress({ ip: '203.0.113.7' }, { ip: '2001:db8::7', ipMode: 'Proxy' }, { hostname: 'lb.example.com' }), 'status')
    expect(statusOf(told)?.loadBalancer?.ingress).toEqual([
      { ip: '203.0.113.7', ipMode: 'VIP' },
      { ip: '2001:db8::7', ipMode: 'Proxy' },
      { hostname: 'lb.example.com' },
    ])
    expect(statusOf(await patched('a', { externalTrafficPolicy: 'Local' }))?.loadBalancer?.ingress, 'a change of the spec').toHaveLength(3)
    expect(await faults(patched('a', ingress({ ip: 'x' }), 'status'))).toEqual([
      'status.loadBalancer.ingress[0].ip: Invalid value: "x": must be an IP address (such as 203.0.113.7 or 2001:db8::7)',
    ])
  })
  test('is what has an ingress: others are told where such an address goes', async () => {
    await make('a')
    expect((await faults(patched('a', ingress({ ip: '203.0.113.7' }), 'status')))?.[0]).toContain('addresses of other services go into `spec.externalIPs`')
  })
  test('may share its addresses, and external ones, with others', async () => {
    for (const name of ['a', 'b']) {
      await make(name, { type: 'LoadBalancer', externalIPs: ['192.0.2.1'], loadBalancerIP: '203.0.113.7' })
      await patched(name, ingress({ ip: '203.0.113.7' }), 'status')
    }
  })
})
