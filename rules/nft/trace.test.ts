import { describe, expect, test } from 'vitest'
import { endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import type { Journey, Packet } from '../packet.ts'
import { outcomes as outcomesOn, rulesetOf, trace } from './index.ts'
import type { Listing } from './model.ts'

const here = endpointView('10.244.0.2', { node: 'here' })
const there = endpointView('10.244.1.2', { port: 9090 })
const onNode = endpointView('192.0.2.1', { node: 'here', port: 6443 })
const services = [
  serviceView({ ports: [portView({ nodePort: 30_080, endpoints: [here, there] }), portView({ name: 'idle', port: 81, nodePort: 30_081 })] }),
  serviceView({ key: 'default/api', clusterIPs: ['10.96.0.2'], ports: [portView({ name: 'https', port: 443, endpoints: [onNode] })] }),
]
const listing = rulesetOf('ip', nodeView(services))

const pod = '10.244.0.9'
const node = '192.0.2.1'
const outsider = '203.0.113.5'
const web = '10.96.0.1'
const host = { addresses: [node, '127.0.0.1'] }
const outcomes = (held: Listing, packet: Packet) => outcomesOn(held, host, packet)

/** `tcp 10.96.0.1:80` from a source; the node's own packets enter at output. */
function packet(source: string, to: string): Packet {
  const [, protocol, destination, port] = /^(\w+) ([\d.]+)(?::(\d+))?$/.exec(to)!
  return {
    hook: source === node ? 'output' : 'prerouting',
    ...(source !== node && { inputInterface: 'eth0' }),
    source,
    destination: destination!,
    protocol: protocol as Packet['protocol'],
    ...(port !== undefined && { sourcePort: 40_000, destinationPort: Number(port) }),
  }
}

function told({ fate, masqueraded }: Journey): string {
  const end = fate.kind === 'translated' ? `${fate.address}:${fate.port}` : fate.kind === 'refused' ? `refused ${fate.answer}` : fate.kind
  return masqueraded ? `${end} masqueraded` : end
}

test.each([
  { case: 'pod to cluster IP keeps its address', from: pod, to: `tcp ${web}:80`, ends: ['10.244.0.2:8080', '10.244.1.2:9090'] },
  { case: 'node to cluster IP', from: node, to: `tcp ${web}:80`, ends: ['10.244.0.2:8080 masqueraded', '10.244.1.2:9090 masqueraded'] },
  { case: 'outsider to cluster IP', from: outsider, to: `tcp ${web}:80`, ends: ['10.244.0.2:8080 masqueraded', '10.244.1.2:9090 masqueraded'] },
  { case: 'hairpin is masqueraded, the way to the other endpoint is not', from: '10.244.0.2', to: `tcp ${web}:80`, ends: ['10.244.0.2:8080 masqueraded', '10.244.1.2:9090'] },
  { case: 'pod to node port', from: pod, to: `tcp ${node}:30080`, ends: ['10.244.0.2:8080 masqueraded', '10.244.1.2:9090 masqueraded'] },
  { case: 'outsider to node port', from: outsider, to: `tcp ${node}:30080`, ends: ['10.244.0.2:8080 masqueraded', '10.244.1.2:9090 masqueraded'] },
  { case: 'node to its own node port', from: node, to: `tcp ${node}:30080`, ends: ['10.244.0.2:8080 masqueraded', '10.244.1.2:9090 masqueraded'] },
  { case: 'an endpoint on the node itself is not behind postrouting', from: outsider, to: 'tcp 10.96.0.2:443', ends: ['192.0.2.1:6443'] },
  { case: 'no endpoints', from: pod, to: `tcp ${web}:81`, ends: ['refused tcp-reset'] },
  { case: 'no endpoints, from the node', from: node, to: `tcp ${web}:81`, ends: ['refused tcp-reset'] },
  { case: 'a port that the service does not have', from: outsider, to: `tcp ${web}:82`, ends: ['refused tcp-reset'] },
  { case: 'another protocol', from: pod, to: `udp ${web}:80`, ends: ['refused port-unreachable'] },
  { case: 'ping', from: pod, to: `icmp ${web}`, ends: ['refused port-unreachable'] },
  { case: 'a node port without endpoints', from: outsider, to: `tcp ${node}:30081`, ends: ['refused tcp-reset'] },
  { case: 'its number under another protocol', from: outsider, to: `udp ${node}:30081`, ends: ['passed'] },
  { case: 'the service port on the node', from: outsider, to: `tcp ${node}:80`, ends: ['passed'] },
  { case: 'the node port on the cluster IP', from: pod, to: `tcp ${web}:30080`, ends: ['refused tcp-reset'] },
  { case: 'the node port on another address', from: pod, to: 'tcp 127.0.0.1:30080', ends: ['passed'] },
  { case: 'pod to pod', from: pod, to: 'tcp 10.244.1.2:9090', ends: ['passed'] },
])('$case', ({ from, to, ends }) => {
  expect(outcomes(listing, packet(from, to)).map(told).toSorted()).toEqual(ends.toSorted())
})

test('where no range of pods is known, nothing is masqueraded on the way to a cluster IP', () => {
  const blind = rulesetOf('ip', nodeView(services, nodeConfigOf({ pods: { kind: 'none' } })))
  expect(outcomes(blind, packet(outsider, `tcp ${web}:80`)).map(told)).toEqual(['10.244.0.2:8080', '10.244.1.2:9090'])
  expect(outcomes(blind, packet(outsider, `tcp ${node}:30080`)).map(told)).toEqual(['10.244.0.2:8080 masqueraded', '10.244.1.2:9090 masqueraded'])
})

test('an external IP may be the cluster IP of another service: its ports are more exact, and keep their own policy', () => {
  const shared = rulesetOf('ip', nodeView([
    serviceView({ key: 'default/web', clusterIPs: [web], ports: [portView({ endpoints: [there] })] }),
    serviceView({ key: 'default/guest', clusterIPs: ['10.96.0.77'], externalIPs: [web], externalPolicy: 'Local', ports: [portView({ port: 81, endpoints: [here] })] }),
  ]))
  const from = (source: string, port: number) => outcomes(shared, packet(source, `tcp ${web}:${port}`)).map(told)
  expect([from(outsider, 80), from(outsider, 81), from(pod, 80), from(pod, 81), from(outsider, 82)]).toEqual([
    ['10.244.1.2:9090 masqueraded'], ['10.244.0.2:8080'], ['10.244.1.2:9090'], ['10.244.0.2:8080'], ['refused tcp-reset'],
  ])
})

test('a trace names what it met, and chance chooses the endpoint', () => {
  const journey = trace(listing, host, packet(node, `tcp ${web}:80`), { random: () => 0.99 })
  expect(journey.steps).toEqual([
    { place: 'nat-output', text: 'ip saddr != @pod-ranges ip daddr @cluster-ips meta mark set meta mark | 0x00004000' },
    { place: 'cluster-ips', text: '10.96.0.1' },
    { place: 'nat-output', text: 'ip daddr @service-ranges ip daddr != @external-ranges jump endpoints' },
    { place: 'service-ranges', text: '10.96.0.0/18' },
    { place: 'endpoints', text: 'dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 2 map @endpoints-2' },
    { place: 'endpoints-2', text: '10.96.0.1 . tcp . 80 . 1 : 10.244.1.2 . 9090' },
    { place: 'learn-output', text: 'ct state new ct status dnat goto learn' },
    { place: 'untranslated-output', text: 'ct state new goto untranslated' },
    { place: 'untranslated', text: 'ct status dnat return' },
    { place: 'nat-postrouting', text: 'meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random' },
  ])
  expect(told(trace(listing, host, packet(node, `tcp ${web}:80`), { random: () => 0 }))).toBe('10.244.0.2:8080 masqueraded')
})

describe('a client that is remembered', () => {
  const sticky = (...endpoints: readonly ReturnType<typeof endpointView>[]): Listing =>
    rulesetOf('ip', nodeView([serviceView({ affinitySeconds: 90, ports: [portView({ nodePort: 30_080, endpoints })] })]))
  const at = (to: string, memory: Map<string, string>, chance: number, held = sticky(here, there)): string =>
    told(trace(held, host, packet(pod, to), { random: () => chance, memory }))

  test('stays with its endpoint, on all fronts of the service port', () => {
    const memory = new Map<string, string>()
    expect(at(`tcp ${web}:80`, memory, 0.9)).toBe('10.244.1.2:9090')
    expect(at(`tcp ${web}:80`, memory, 0)).toBe('10.244.1.2:9090')
    expect(at(`tcp ${node}:30080`, memory, 0)).toBe('10.244.1.2:9090 masqueraded')
    expect(memory.size).toBe(1)
  })

  test('goes to another one when that is gone, and stays there when it comes back', () => {
    const memory = new Map<string, string>()
    expect(at(`tcp ${web}:80`, memory, 0.9)).toBe('10.244.1.2:9090')
    expect(at(`tcp ${web}:80`, memory, 0, sticky(here))).toBe('10.244.0.2:8080')
    expect(at(`tcp ${web}:80`, memory, 0.9)).toBe('10.244.0.2:8080')
  })

  test('keeps its endpoint while others come', () => {
    const memory = new Map<string, string>()
    expect(at(`tcp ${web}:80`, memory, 0.9)).toBe('10.244.1.2:9090')
    const more = Array.from({ length: 20 }, (_, n) => endpointView(`10.244.2.${n}`))
    for (const chance of [0, 0.3, 0.6]) expect(at(`tcp ${web}:80`, memory, chance, sticky(here, there, ...more))).toBe('10.244.1.2:9090')
  })
})

describe('what others changed', () => {
  const withRule = (chain: string, text: string): Listing => ({
    ...listing,
    chains: new Map([...listing.chains, [chain, { ...listing.chains.get(chain)!, rules: [text, ...(listing.chains.get(chain)?.rules ?? [])] }]]),
  })
  const met = packet(pod, `tcp ${web}:80`)

  test('is followed where it is known', () => {
    expect(outcomes(withRule('nat-prerouting', 'ip daddr @cluster-ips drop'), met).map(told)).toEqual(['dropped'])
    expect(outcomes(withRule('nat-prerouting', 'ip daddr != @cluster-ips drop'), met).map(told)).toEqual(['10.244.0.2:8080', '10.244.1.2:9090'])
    expect(outcomes(withRule('endpoints', 'return'), met).map(told)).toEqual(['refused tcp-reset'])
    expect(outcomes(withRule('nat-prerouting', 'jump refuse'), met).map(told)).toEqual(['refused tcp-reset'])
    expect(outcomes(withRule('untranslated-prerouting', 'accept'), packet(pod, `tcp ${web}:81`)).map(told)).toEqual(['passed'])
  })

  test('jump comes back, goto does not', () => {
    const roads = (verdict: string): Listing => {
      const changed = withRule('nat-prerouting', `${verdict} aside`)
      return { ...changed, chains: new Map([...changed.chains, ['aside', { name: 'aside', rules: [] }]]) }
    }
    expect(outcomes(roads('jump'), met).map(told)).toEqual(['10.244.0.2:8080', '10.244.1.2:9090'])
    expect(outcomes(roads('goto'), met).map(told)).toEqual(['refused tcp-reset'])
  })

  test('what one NAT chain has translated, a later one of the same hook does not meet', () => {
    const base = 'type nat hook prerouting priority -98; policy accept;'
    const late = (rules: readonly string[]): Listing => ({
      ...listing, chains: new Map([...listing.chains, ['late', { name: 'late', base, rules }]]),
    })
    expect(outcomes(late(['drop']), met).map(told)).toEqual(['10.244.0.2:8080', '10.244.1.2:9090'])
    expect(outcomes(late(['drop']), packet(pod, `tcp ${web}:81`)).map(told)).toEqual(['dropped'])
  })

  test('a missing endpoint element leaves its share of packets untranslated, and they are refused', () => {
    const endpoints = new Map(listing.elements.get('endpoints-2'))
    endpoints.delete('10.96.0.1 . tcp . 80 . 1')
    const torn = { ...listing, elements: new Map([...listing.elements, ['endpoints-2', endpoints]]) }
    expect(outcomes(torn, met).map(told)).toEqual(['10.244.0.2:8080', 'refused tcp-reset'])
  })

  test.each([
    ['nat-prerouting', 'tcp dport 80 dnat to 10.0.0.1'],
    ['nat-postrouting', 'ip saddr 10.0.0.0/8 log masquerade'],
    ['refuse', 'reject with icmp admin-prohibited'],
    ['refuse', 'goto nowhere'],
    ['nat-prerouting', 'ip daddr @unheard-of accept'],
  ])('an unknown rule in %s is an error: %s', (chain, text) => {
    expect(() => outcomes(withRule(chain, text), packet(pod, `tcp ${web}:81`))).toThrow(expect.objectContaining({ code: 'RULES_UNREADABLE' }))
  })

  test('an unknown hook text is an error', () => {
    const chains = new Map([...listing.chains, ['x', { name: 'x', base: 'type filter hook ingress device "eth0" priority 0; policy accept;', rules: [] }]])
    expect(() => trace({ ...listing, chains }, host, met, { random: () => 0 })).toThrow(expect.objectContaining({ code: 'RULES_UNREADABLE' }))
  })
})
