/** The tracer against what routes.ts says: two roads from a Service object to the fate of a packet. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arbitraryChange, changedView, endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import { canonicalCIDR, cidrContains } from '../address.ts'
import { openLedger, reseat } from '../ledger.ts'
import type { EndpointView, NodeConfig, NodeView, ServiceView } from '../model.ts'
import type { Host, Packet } from '../packet.ts'
import type { Route } from '../routes.ts'
import { hostFacts } from './host.ts'
import { outcomes, rulesetOf, type Listing } from './index.ts'

const hostAddresses = ['127.0.0.1', '192.0.2.1', '198.18.0.2']
const host: Host = { addresses: hostAddresses }

interface Expected {
  readonly fates: readonly string[]
  readonly masqueraded: readonly string[]
}

/** What routes.ts says becomes of a packet to a virtual address or a node port; undefined where it is none. */
function expected(view: NodeView, packet: Packet): Expected | undefined {
  const { config } = view
  const seats = reseat(openLedger('ip'), view, 'all')
  const all = [...view.services.keys()].map((key) => seats.after(key)!)
  const explicit = all.flatMap(({ routes }) => routes).find(({ front }) => front.kind !== 'node-port' && isAt(front.address, front, packet))
  const { nodePortAddresses } = hostFacts('ip', hostAddresses, config)
  const nodePort = all.flatMap(({ routes }) => routes).find(({ front }) => front.kind === 'node-port' && nodePortAddresses.some((a) => isAt(a, front, packet)))
  const route = explicit ?? nodePort
  if (!route) {
    const bound = new Set(all.flatMap(({ clusterIPs, routes }) => [...clusterIPs, ...routes.flatMap(({ front }) => (front.kind === 'node-port' ? [] : front.address))]))
    return bound.has(packet.destination) && !hostAddresses.includes(packet.destination) ? { fates: ['refused'], masqueraded: [] } : undefined
  }
  // Whether an endpoint is here is a matter of its address, whatever one service says: its hairpin is masqueraded for all.
  const here = new Set(all.flatMap(({ routes }) => routes.flatMap(({ endpoints, outsiders = [] }) => [...endpoints, ...outsiders].filter(({ node }) => node !== 'elsewhere').map(({ address }) => address))))
  return ruling(route, config, packet, here)
}

function ruling(route: Route, config: NodeConfig, packet: Packet, here: ReadonlySet<string>): Expected {
  const { pods } = config
  const node = packet.hook === 'output'
  const pod = pods.kind === 'cidrs'
    ? pods.cidrs.some((cidr) => canonicalCIDR('ip', cidr) !== undefined && cidrContains(canonicalCIDR('ip', cidr)!, packet.source))
    : pods.kind === 'interface' && (pods.match === 'exact' ? packet.inputInterface === pods.name : packet.inputInterface?.startsWith(pods.name) === true)
  if (route.sources && !route.sources.some((range) => cidrContains(range, packet.source))) return one('dropped')
  if (route.endpoints.length === 0) return one(route.otherwise === 'drop' ? 'dropped' : 'refused')
  const outsider = route.outsiders !== undefined && !pod && !node
  const chosen: readonly EndpointView[] = outsider ? route.outsiders! : route.endpoints
  if (chosen.length === 0) return one('dropped')
  // Sources of the node are virtual addresses where the destination is one (`packets` sees to that), and then always hidden.
  const hidden = {
    strangers: config.masqueradeAll || (pods.kind !== 'none' && !pod) || (node && packet.source === packet.destination && !hostAddresses.includes(packet.source)),
    all: true,
    node: node && !pod,
  }[route.masquerade] || (node && packet.source === packet.destination && !hostAddresses.includes(packet.source))
  return {
    fates: chosen.map(({ address, port }) => `${address}:${port}`).sort(),
    masqueraded: chosen
      .filter(({ address }) => (!hostAddresses.includes(address) || node) && (hidden || (address === packet.source && here.has(address) && !hostAddresses.includes(address))))
      .map(({ address, port }) => `${address}:${port}`)
      .sort(),
  }
}

const one = (fate: string): Expected => ({ fates: [fate], masqueraded: [] })
const isAt = (address: string, { protocol, port }: { protocol: string; port: number }, packet: Packet): boolean =>
  address === packet.destination && protocol === packet.protocol && port === packet.destinationPort

function traced(listing: Listing, packet: Packet): Expected | undefined {
  const journeys = outcomes(listing, host, packet)
  if (journeys.every(({ fate }) => fate.kind === 'passed')) return undefined
  const texts = journeys.map(({ fate, masqueraded }) => ({ masqueraded, text: fate.kind === 'translated' ? `${fate.address}:${fate.port}` : fate.kind }))
  const translated = journeys.map(({ fate }) => fate.kind === 'translated')
  return {
    fates: texts.map(({ text }) => text).sort(),
    masqueraded: texts.filter(({ masqueraded }, i) => masqueraded && translated[i]).map(({ text }) => text).sort(),
  }
}

const packets: fc.Arbitrary<Packet> = fc
  .record({
    from: fc.constantFrom('pod', 'endpoint', 'outside', 'allowed', 'node'),
    destination: fc.constantFrom('10.96.0.1', '10.96.0.2', '10.96.0.3', '198.18.0.1', '198.18.0.2', '203.0.113.1', '192.0.2.1', '192.0.2.77'),
    protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    destinationPort: fc.constantFrom(80, 53, 30_001, 30_002, 22),
    inputInterface: fc.constantFrom('cni0', 'veth12', 'eth0'),
  })
  .map(({ from, inputInterface, ...to }) => {
    if (from === 'node') {
      // The kernel takes the address itself as the source where it is local.
      const source = to.destination === '192.0.2.77' ? '192.0.2.1' : to.destination
      return { ...to, hook: 'output', source, sourcePort: 40_000 }
    }
    const source = { pod: '10.244.7.7', endpoint: '10.244.0.2', outside: '203.0.113.200', allowed: '198.51.100.9' }[from]
    return { ...to, hook: 'prerouting', source, inputInterface, sourcePort: 40_000 }
  })

test('a packet meets what routes.ts says', () => {
  fc.assert(
    fc.property(fc.array(arbitraryChange, { maxLength: 6 }), fc.array(packets, { minLength: 8, maxLength: 8 }), (changes, some) => {
      const { view } = changedView(nodeView([]), changes)
      // Ports of one name come to one mark; the API refuses them, and here one of them drops outsiders and says so.
      fc.pre([...view.services.values()].every(({ ports }) => new Set(ports.map(({ name }) => name)).size === ports.length))
      const listing = rulesetOf('ip', view, hostAddresses)
      for (const packet of some) {
        // A node's packet to an address that nobody has put on the node has the node's own address.
        const bound = listing.addresses.has(packet.destination) || hostAddresses.includes(packet.destination)
        const real = packet.hook === 'output' && !bound ? { ...packet, source: '192.0.2.1' } : packet
        expect(traced(listing, real)).toEqual(expected(view, real))
      }
    }),
    { numRuns: 500 },
  )
})

describe('by name', () => {
  const local = (part: Partial<ServiceView> = {}): ServiceView =>
    serviceView({
      loadBalancerIPs: ['203.0.113.1'], externalPolicy: 'Local',
      ports: [portView({ nodePort: 30_001, endpoints: [endpointView('10.244.0.2', { node: 'here' }), endpointView('10.244.1.2')] })],
      ...part,
    })
  const packet = (part: Partial<Packet>): Packet =>
    ({ hook: 'prerouting', source: '10.244.0.9', destination: '203.0.113.1', protocol: 'tcp', destinationPort: 80, sourcePort: 40_000, ...part })
  const ends = (view: NodeView, part: Partial<Packet>) => traced(rulesetOf('ip', view, hostAddresses), packet(part))

  test('external traffic policy Local: outsiders stay here with their address, pods and the node go anywhere', () => {
    const view = nodeView([local()])
    expect(ends(view, { source: '198.51.100.9' })).toEqual({ fates: ['10.244.0.2:8080'], masqueraded: [] })
    expect(ends(view, {})).toEqual({ fates: ['10.244.0.2:8080', '10.244.1.2:8080'], masqueraded: [] })
    expect(ends(view, { hook: 'output', source: '203.0.113.1' })!.masqueraded).toHaveLength(2)
  })

  test('without a local endpoint outsiders are dropped, and the others are served', () => {
    const view = nodeView([local({ ports: [portView({ endpoints: [endpointView('10.244.1.2')] })] })])
    expect(ends(view, { source: '198.51.100.9' })!.fates).toEqual(['dropped'])
    expect(ends(view, {})!.fates).toEqual(['10.244.1.2:8080'])
  })

  test('the node is hidden behind a virtual address even where nobody can be told from pods', () => {
    const view = nodeView([local()], nodeConfigOf({ pods: { kind: 'none' } }))
    expect(ends(view, { hook: 'output', source: '10.96.0.1', destination: '10.96.0.1' })!.masqueraded).toHaveLength(2)
    expect(ends(view, { source: '198.51.100.9', destination: '10.96.0.1' })!.masqueraded).toEqual([])
  })

  test('an endpoint that is sent to itself sees the node', () => {
    expect(ends(nodeView([local()]), { source: '10.244.0.2' })!.masqueraded).toEqual(['10.244.0.2:8080'])
  })

  test('a port that no service has is refused on a virtual address, also to the node, and let through on the node', () => {
    const view = nodeView([local()])
    expect(ends(view, { destination: '10.96.0.1', destinationPort: 22 })!.fates).toEqual(['refused'])
    expect(ends(view, { hook: 'output', source: '10.96.0.1', destination: '10.96.0.1', destinationPort: 22 })!.fates).toEqual(['refused'])
    expect(ends(view, { destination: '192.0.2.1', destinationPort: 22 })).toBeUndefined()
  })

  test('the mark of outsiders is gone behind IPVS', () => {
    const listing = rulesetOf('ip', nodeView([local()]), hostAddresses)
    const [journey] = outcomes(listing, host, packet({ source: '198.51.100.9' }))
    expect(journey!.steps.map(({ place }) => place)).toContain('unmark')
  })

  test('what others changed is told as it is', () => {
    const listing = rulesetOf('ip', nodeView([local()]), hostAddresses)
    const chains = new Map(listing.table!.chains).set('front', { name: 'front', rules: ['drop'] })
    const [journey] = outcomes({ ...listing, table: { ...listing.table!, chains } }, host, packet({}))
    expect(journey!.fate).toEqual({ kind: 'dropped' })
    const odd = new Map(listing.table!.chains).set('front', { name: 'front', rules: ['ip ttl 1 drop'] })
    expect(() => outcomes({ ...listing, table: { ...listing.table!, chains: odd } }, host, packet({}))).toThrow(expect.objectContaining({ code: 'RULES_UNREADABLE' }))
  })

  test('IPv6', () => {
    const view = nodeView(
      [serviceView({ clusterIPs: ['fd00::1'], ports: [portView({ nodePort: 30_001, endpoints: [endpointView('fd01::2', { node: 'here' })] })] })],
      nodeConfigOf({ pods: { kind: 'cidrs', cidrs: ['fd01::/16'] }, nodePortAddresses: ['::/0'] }),
    )
    const listing = rulesetOf('ip6', view, ['::1', 'fe80::1', '2001:db8::1'])
    expect([...listing.servers.keys()]).toEqual(['tcp [fd00::1]:80', 'tcp [2001:db8::1]:30001'])
    const [journey] = outcomes(listing, { addresses: [] }, packet({ source: '2001:db8::9', destination: '2001:db8::1', destinationPort: 30_001 }))
    expect(journey).toMatchObject({ fate: { kind: 'translated', address: 'fd01::2', port: 8080 }, masqueraded: true })
  })
})

