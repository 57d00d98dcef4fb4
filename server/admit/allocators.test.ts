import { afterEach, describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { keyOf, type KubeObject, type Service } from '../../api/objects.ts'
import type { StatusCause } from '../../api/status.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, refOf, refusalOf, type Inside, type InsideOptions } from '../../test/kit/registry.ts'
import { createAllocators, type Claim } from './allocators.ts'

let inside: Inside
const open = async (options: InsideOptions = {}): Promise<void> => {
  inside = await openInside({ random: () => 0, ...options })
}
afterEach(() => inside.close())

const named = (name: string, spec: object = {}) => kit.service({ metadata: { name }, spec: spec as never })
const make = async (name: string, spec: object = {}) => ((await inside.make('services', named(name, spec))) as Service).spec!
const refused = async (name: string, spec: object) =>
  (await refusalOf(inside.make('services', named(name, spec)))).details?.causes?.map((c) => `${c.field}: ${c.message}`)

describe('cluster IPs', () => {
  test('are given out one after the other, from the upper part of the range', async () => {
    await open()
    expect([(await make('a')).clusterIP, (await make('b')).clusterIP]).toEqual(['10.96.1.1', '10.96.1.2'])
  })
  test('are not given out again at once', async () => {
    await open()
    const first = await make('a')
    await inside.registry.remove(refOf('services', named('a')))
    expect((await make('a')).clusterIP).not.toBe(first.clusterIP)
  })
  test("are given out all, then refused, but for the one that is the hub's", async () => {
    await open({ serviceCIDR: '10.0.0.0/29' })
    const given: string[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e']) given.push((await make(name)).clusterIP!)
    expect(given).toHaveLength(5)
    expect(new Set(given)).toEqual(new Set(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']))
    expect(await refused('f', {})).toEqual([
      'spec.clusterIP: Invalid value: "": no address is left in the service range 10.0.0.0/29; delete services, or start the hub with a larger --service-cidr',
    ])
    expect((await make('kubernetes')).clusterIP).toBe('10.0.0.1')
    await inside.registry.remove(refOf('services', named('c')))
    expect((await make('f')).clusterIP).toBe(given[2])
  })
  test('can be asked for', async () => {
    await open()
    expect(await make('a', { clusterIP: '10.96.0.10' })).toMatchObject({ clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'] })
    expect(await refused('b', { clusterIP: '10.96.0.10' })).toEqual([
      'spec.clusterIP: Invalid value: "10.96.0.10": provided IP is already allocated',
    ])
    expect(await refused('b', { clusterIP: '10.96.0.1' })).toEqual([
      'spec.clusterIP: Invalid value: "10.96.0.1": provided IP is kept for the service default/kubernetes',
    ])
  })
  test.each(['10.95.255.255', '10.96.0.0', '10.111.255.255', '10.112.0.0', '192.0.2.1'])(
    'cannot be %s',
    async (clusterIP) => {
      await open()
      expect((await refused('a', { clusterIP }))?.[0]).toContain(
        'the provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/12',
      )
    },
  )
  test.each([
    ['a headless service', { clusterIP: 'None' }, 'None'],
    ['a name elsewhere', { type: 'ExternalName', externalName: 'db.example.com' }, undefined],
  ])('are not for %s', async (_what, spec, expected) => {
    await open()
    expect((await make('a', spec)).clusterIP).toBe(expected)
  })
  test('are different for all who ask at the same time', async () => {
    await open()
    const services = await Promise.all(Array.from({ length: 50 }, (_, i) => make(`s${i}`, { type: 'NodePort' })))
    expect(new Set(services.map((s) => s.clusterIP)).size).toBe(50)
    expect(new Set(services.map((s) => s.ports![0]!.nodePort)).size).toBe(50)
  })
  test('asked for at the same time are given once', async () => {
    await open()
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((name) => make(name, { clusterIP: '10.96.0.10' })))
    expect(outcomes.map((o) => o.status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  })
  test('that a refused request took are free', async () => {
    await open()
    await make('a', { type: 'NodePort', ports: [{ port: 1, nodePort: 30500 }] })
    expect(await refused('b', { type: 'NodePort', clusterIP: '10.96.0.10', ports: [{ port: 1, nodePort: 30500 }] })).toHaveLength(
      1,
    )
    await make('b', { clusterIP: '10.96.0.10' })
  })
  test('of stored services are known to whoever begins with the store', async () => {
    await open()
    await make('a', { type: 'NodePort', clusterIP: '10.96.0.10', ports: [{ port: 1, nodePort: 30500 }] })
    const later = createAllocators({ store: inside.store, random: () => 0 })
    const causes = later
      .claim()
      .fill(
        named('b', { type: 'NodePort', clusterIP: '10.96.0.10', ports: [{ port: 1, nodePort: 30500 }] }) as unknown as Service,
      )
    expect((causes as StatusCause[]).map((c) => c.field)).toEqual(['spec.clusterIP', 'spec.ports[0].nodePort'])
    later.close()
  })
  test('from a former range stay', async () => {
    await open()
    await make('a')
    const later = createAllocators({ store: inside.store, random: () => 0, serviceCIDR: '10.20.0.0/16' })
    const stored = inside.get('services', 'a', 'default') as Service
    expect(later.claim().fill(stored, stored)).toMatchObject({ spec: { clusterIP: stored.spec!.clusterIP } })
    later.close()
  })
})

describe('node ports', () => {
  const ports = (...nodePorts: (number | undefined)[]) => ({
    type: 'NodePort',
    ports: nodePorts.map((nodePort, i) => ({ name: `p${i}`, port: 80 + i, ...(nodePort && { nodePort }) })),
  })
  test('are given out above those that people ask for', async () => {
    await open()
    expect((await make('a', ports(undefined, undefined))).ports?.map((p) => p.nodePort)).toEqual([30086, 30087])
  })
  test('can be asked for once', async () => {
    await open()
    await make('a', ports(30000))
    expect(await refused('b', ports(30000))).toEqual([
      'spec.ports[0].nodePort: Invalid value: 30000: provided port is already allocated',
    ])
  })
  test.each([29999, 32768, 80])('cannot be %d', async (nodePort) => {
    await open()
    expect(await refused('a', ports(nodePort))).toEqual([
      `spec.ports[0].nodePort: Invalid value: ${nodePort}: provided port is not in the valid range. The range of valid ports is 30000-32767`,
    ])
  })
  test('run out', async () => {
    await open({ nodePorts: [30000, 30002] })
    await make('a', ports(undefined, undefined))
    expect(await refused('b', ports(undefined, undefined))).toEqual([
      'spec.ports[1].nodePort: Invalid value: 0: no node port is left in 30000-30002; delete services, or use `type` ClusterIP',
    ])
    await make('b', ports(undefined))
  })
  test('are the same for both protocols of one port', async () => {
    await open()
    const dns = [
      { name: 'tcp', port: 53, protocol: 'TCP', nodePort: 30053 },
      { name: 'udp', port: 53, protocol: 'UDP' },
    ]
    expect((await make('a', { type: 'NodePort', ports: dns })).ports?.map((p) => p.nodePort)).toEqual([30053, 30053])
    const [one, other] = (await make('b', { type: 'NodePort', ports: dns.map(({ nodePort: _given, ...port }) => port) })).ports!
    expect(other!.nodePort).toBe(one!.nodePort)
  })
  test('are not for a balancer that does not want them', async () => {
    await open()
    expect((await make('a', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false })).ports?.[0]).not.toHaveProperty(
      'nodePort',
    )
    expect((await make('b', { type: 'LoadBalancer' })).ports?.[0]?.nodePort).toBe(30086)
  })
})

describe('a claim', () => {
  const filled = (claim: Claim, name: string) => (claim.fill(named(name) as unknown as Service) as Service).spec!.clusterIP
  test('holds what it took until it is abandoned', async () => {
    await open({ serviceCIDR: '10.0.0.0/30' })
    const [one, two] = [inside.allocators.claim(), inside.allocators.claim()]
    expect(filled(one, 'a')).toBe('10.0.0.2')
    expect(two.fill(named('b') as unknown as Service)).toMatchObject([{ field: 'spec.clusterIP' }])
    one.abandon()
    expect(filled(two, 'b')).toBe('10.0.0.2')
  })
  test('filled again gives back what it took before', async () => {
    await open({ serviceCIDR: '10.0.0.0/30' })
    const claim = inside.allocators.claim()
    expect([filled(claim, 'a'), filled(claim, 'a'), filled(claim, 'a')]).toEqual(['10.0.0.2', '10.0.0.2', '10.0.0.2'])
  })
  test('that is settled holds until the store has told of its write', async () => {
    await open({ serviceCIDR: '10.0.0.0/30' })
    const claim = inside.allocators.claim()
    const clusterIP = filled(claim, 'a')
    claim.settle(inside.store.revision + 1)
    expect(inside.allocators.claim().fill(named('b') as unknown as Service)).toMatchObject([{ field: 'spec.clusterIP' }])
    const stored = kit.stored(named('a', { clusterIP }))
    await inside.store.write(refOf('services', stored), () => ({ put: stored }))
    expect(inside.allocators.claim().fill(named('b') as unknown as Service)).toMatchObject([{ field: 'spec.clusterIP' }])
    await inside.store.write(refOf('services', stored), () => ({ remove: true }))
    expect(filled(inside.allocators.claim(), 'b')).toBe(clusterIP)
  })
})

test.each(['10.96.0.0', '10.0.0.0/31', 'x', '10.0.0.0/16,10.1.0.0/16', 'fd00::/64'])('%s is no service range', async (serviceCIDR) => {
  await open()
  expect(() => createAllocators({ store: inside.store, random: () => 0, serviceCIDR })).toThrow(RangeError)
})

test('whatever is done to services, no two hold the same', async () => {
  const types = fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName')
  const step = fc.record({
    verb: fc.constantFrom('create', 'update', 'remove'),
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    type: types,
    nodePort: fc.constantFrom(undefined, undefined, 30000, 30001),
    clusterIP: fc.constantFrom(undefined, undefined, '10.0.0.2', '10.0.0.3', 'fd00::2'),
    policy: fc.constantFrom(undefined, 'SingleStack', 'PreferDualStack', 'RequireDualStack'),
    protocol: fc.constantFrom('TCP', 'UDP'),
  })
  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
  const specOf = ({ type, nodePort, clusterIP, policy, protocol }: Step) => ({
    type,
    ...(type === 'ExternalName' && { externalName: 'x.example' }),
    ...(clusterIP && type !== 'ExternalName' && { clusterIP }),
    ...(policy && type !== 'ExternalName' && { ipFamilyPolicy: policy }),
    ports: [{ port: 80, protocol, ...(nodePort && type !== 'ClusterIP' && type !== 'ExternalName' && { nodePort }) }],
  })
  await open()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.boolean(), async (steps, together) => {
      const hub = await openInside({ serviceCIDR: '10.0.0.0/29,fd00::/125', nodePorts: [30000, 30003] })
      const run = async (s: Step): Promise<unknown> => {
        const draft = named(s.name, specOf(s))
        const ref = refOf('services', draft)
        if (s.verb === 'create') return hub.registry.create(ref, draft).catch(() => {})
        if (s.verb === 'update') return hub.registry.update(ref, () => draft).catch(() => {})
        return hub.registry.remove(ref).catch(() => {})
      }
      if (together) await Promise.all(steps.map(run))
      else for (const s of steps) await run(s)
      const services = hub.store.list('services') as (KubeObject & Service)[]
      const ips = services.flatMap((s) => s.spec?.clusterIPs ?? [])
      const nodePorts = services.flatMap((s) => (s.spec?.ports ?? []).flatMap((p) => (p.nodePort ? [`${p.protocol}/${p.nodePort}`] : [])))
      for (const { spec } of services) expect([spec?.clusterIPs?.[0], spec?.clusterIPs?.length]).toEqual([spec?.clusterIP, spec?.ipFamilies?.length])
      expect(new Set(ips).size).toBe(ips.length)
      expect(new Set(nodePorts).size).toBe(nodePorts.length)
      // Everything that nobody holds can be had: nothing leaked.
      for (const s of services) await hub.registry.remove(refOf('services', s))
      expect(hub.store.list('services').map(keyOf)).toEqual([])
      for (let i = 0; i < 4; i++) await hub.make('services', named(`last${i}`, { type: 'NodePort', ipFamilyPolicy: 'RequireDualStack' }))
      await hub.close()
    }),
    { numRuns: 40 },
  )
})
