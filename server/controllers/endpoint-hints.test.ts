import { describe, expect, test } from 'vitest'
import type { Node, Service } from '../../api/objects.ts'
import type { Endpoint } from './endpoint-groups.ts'
import { wantsShares, withHints, zoneShares, type ZoneShares } from './endpoint-hints.ts'

const service = (spec: object, annotations: Record<string, string> = {}): Service => ({ metadata: { name: 'web', annotations }, spec }) as unknown as Service
const auto = service({}, { 'service.kubernetes.io/topology-mode': 'Auto' })
const endpoint = (name: string, zone: string | undefined, ready = true): Endpoint => ({
  addresses: [name],
  conditions: { ready, serving: ready, terminating: false },
  nodeName: `node-${name}`,
  ...(zone && { zone }),
})
/** `a a b` is two endpoints in zone a and one in b, `-` one without a zone, in capitals one that is not ready. */
const endpoints = (zones: string) => zones.split(' ').map((z, i) => endpoint(String(i), z === '-' ? undefined : z.toLowerCase(), z === z.toLowerCase()))
/** The same words for what they are meant for; `.` for no hint. */
const zonesOf = (all: readonly Endpoint[]) => all.map((e) => e.hints?.forZones?.map((z) => z.name).join('+') ?? '.').join(' ')
const shares = (of: Record<string, number>): (() => ZoneShares) => () => new Map(Object.entries(of))
const unknown = (): undefined => undefined

describe('the distribution of a service', () => {
  test.each([
    ['PreferClose', 'a b b', 'a b b'],
    ['PreferSameZone', 'a b b', 'a b b'],
    ['PreferSameNode', 'a b', 'a b'],
    [undefined, 'a b', '. .'],
    ['PreferClose', 'a B -', 'a . .'],
  ])('%s gives %s the zones %s', (trafficDistribution, zones, expected) => {
    expect(zonesOf(withHints(service({ trafficDistribution }), endpoints(zones), unknown))).toBe(expected)
  })
  test('by node names the node, and the zone where it is known', () => {
    const hinted = withHints(service({ trafficDistribution: 'PreferSameNode' }), endpoints('a - A'), unknown)
    expect(hinted.map((e) => e.hints)).toEqual([
      { forZones: [{ name: 'a' }], forNodes: [{ name: 'node-0' }] },
      { forNodes: [{ name: 'node-1' }] },
      undefined,
    ])
  })
})

describe('the annotation Auto', () => {
  test.each([
    ['even zones, even endpoints', 'a a b b', { a: 0.5, b: 0.5 }, 'a a b b'],
    ['a zone without endpoints gets some of another', 'a a a a', { a: 0.5, b: 0.5 }, 'a a b b'],
    ['three to one', 'a a b b', { a: 0.75, b: 0.25 }, 'a a b a'],
    ['a little uneven', 'a a a a a b b b b b b', { a: 0.5, b: 0.5 }, 'a a a a a b b b b b b'],
    ['endpoints that are not ready do not count', 'a B a a a B', { a: 0.5, b: 0.5 }, 'a . a b b .'],
    ['too few for all zones', 'a b', { a: 0.34, b: 0.33, c: 0.33 }, '. .'],
    ['too few to be fair', 'a a b', { a: 0.5, b: 0.5 }, '. . .'],
    ['a single zone', 'a a', { a: 1 }, '. .'],
    ['an endpoint without a zone', 'a b - b', { a: 0.5, b: 0.5 }, '. . . .'],
    ['a zone without nodes', 'x x a b', { a: 0.5, b: 0.5 }, 'a b a b'],
  ])('%s', (_what, zones, of, expected) => {
    expect(zonesOf(withHints(auto, endpoints(zones), shares(of as never)))).toBe(expected)
  })
  test('gives none where the zones are not known', () => {
    expect(zonesOf(withHints(auto, endpoints('a b'), unknown))).toBe('. .')
  })
  test('goes before the distribution, by either name', () => {
    const older = service({ trafficDistribution: 'PreferClose' }, { 'service.kubernetes.io/topology-aware-hints': 'auto' })
    expect(zonesOf(withHints(older, endpoints('a a a a'), shares({ a: 0.5, b: 0.5 })))).toBe('a a b b')
    expect(wantsShares(older)).toBe(true)
    expect(wantsShares(service({}, { 'service.kubernetes.io/topology-mode': 'Disabled', 'service.kubernetes.io/topology-aware-hints': 'Auto' }))).toBe(false)
  })
})

describe('the shares of zones', () => {
  const node = (zone: string | undefined, cpu: string, { ready = 'True', role = '' } = {}): Node =>
    ({
      metadata: { name: 'n', labels: { ...(zone && { 'topology.kubernetes.io/zone': zone }), ...(role && { [`node-role.kubernetes.io/${role}`]: '' }) } },
      status: { allocatable: { cpu }, conditions: [{ type: 'Ready', status: ready }] },
    }) as unknown as Node
  const textOf = (nodes: Node[]) => [...(zoneShares(nodes) ?? [['none', 0]])].map(([zone, share]) => `${zone} ${share}`)
  test.each([
    ['go by CPUs', [node('b', '2'), node('a', '1500m'), node('a', '500m')], ['a 0.5', 'b 0.5']],
    ['leave out nodes that take no work', [node('a', '1'), node('b', '1'), node('b', '2', { ready: 'Unknown' }), node(undefined, '9', { role: 'control-plane' })], ['a 0.5', 'b 0.5']],
    ['are not known where a node has no zone', [node('a', '1'), node(undefined, '1')], ['none 0']],
    ['are not known where there are no nodes', [], ['none 0']],
  ])('%s', (_what, nodes, expected) => {
    expect(textOf(nodes)).toEqual(expected)
  })
})
