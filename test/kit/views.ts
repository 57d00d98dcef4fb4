/** Builders of what the rules room takes: views of services, frozen through and through. */
import fc from 'fast-check'
import type { EndpointView, Family, NodeConfig, NodeView, PodSources, ServiceKey, ServicePortView, ServiceView } from '../../rules/model.ts'

/** An endpoint that is ready, remote, on port 8080. */
export function endpointView(address: string, part: Partial<EndpointView> = {}): EndpointView {
  return frozen({ address, port: 8080, node: 'elsewhere', ready: true, serving: true, terminating: false, zoneHint: 'none', nodeHint: 'none', ...part })
}

/** TCP port 80, named `http`, without endpoints. */
export function portView(part: Partial<ServicePortView> = {}): ServicePortView {
  return frozen({ name: 'http', protocol: 'tcp', port: 80, endpoints: [], ...part })
}

/** `default/web` at 10.96.0.1 with one `portView`. */
export function serviceView(part: Partial<ServiceView> = {}): ServiceView {
  return frozen({
    key: 'default/web',
    created: '2026-01-01T00:00:00Z',
    clusterIPs: ['10.96.0.1'],
    externalIPs: [],
    loadBalancerIPs: [],
    sourceRanges: [],
    internalPolicy: 'Cluster',
    externalPolicy: 'Cluster',
    ports: [portView()],
    ...part,
  })
}

/** Pods in 10.244.0.0/16, NodePorts on 192.0.2.1. */
export function nodeConfigOf(part: Partial<NodeConfig> = {}): NodeConfig {
  return frozen({
    pods: { kind: 'cidrs', cidrs: ['10.244.0.0/16'] },
    masqueradeAll: false,
    masqueradeBit: 14,
    nodePortAddresses: ['192.0.2.1'],
    localhostNodePorts: false,
    nodeAddresses: ['192.0.2.1'],
    dropInvalid: true,
    ...part,
  })
}

export const nodeConfig: NodeConfig = nodeConfigOf()

export function nodeView(services: readonly ServiceView[], config: NodeConfig = nodeConfig): NodeView {
  return Object.freeze({ config: frozen(config), services: frozenMap(services.map((service) => [service.key, service] as const)) })
}

/** Everything that a service can ask for, in all protocols. */
export function fullView(family: Family): NodeView {
  const is4 = family === 'ip'
  const address = (four: string, six: string): string => (is4 ? four : six)
  const pod = (n: number) => endpointView(address(`10.244.${n >> 8}.${n & 255}`, `fd00:244::${n.toString(16)}`), { node: n % 3 === 0 ? 'here' : 'elsewhere' })
  const pods = (count: number, first = 1) => Array.from({ length: count }, (_, n) => pod(first + n))
  const services = [
    serviceView({
      key: `${'n'.repeat(63)}/${'s'.repeat(63)}`,
      clusterIPs: [address('10.96.0.1', 'fd00:10:96::1'), address('10.96.0.2', 'fd00:10:96:0:1::2')],
      externalIPs: [address('198.18.0.1', '2001:db8:1::5')],
      loadBalancerIPs: [address('203.0.113.1', '2001:db8:2:3:4:5:6:7')],
      sourceRanges: address('0.0.0.0/0 198.51.100.0/24', '::/0 2001:db8::/32 2001:db8:9::1/128').split(' '),
      externalPolicy: 'Local',
      affinitySeconds: 86_399,
      ports: (['tcp', 'udp', 'sctp'] as const).flatMap((protocol, i) => [
        portView({ name: 'p'.repeat(63), protocol, nodePort: 30_000 + i, endpoints: pods(1 + i * 10) }),
        portView({ name: '', protocol, port: 81, nodePort: 30_100 + i }),
      ]),
    }),
    ...Array.from({ length: 40 }, (_, n) =>
      serviceView({
        key: `default/s${n}`,
        clusterIPs: [address(`10.97.0.${n}`, `fd00:10:97::${n.toString(16)}`)],
        ...(n % 5 === 0 && { externalIPs: [address(`198.18.1.${n}`, `2001:db8:3::${n.toString(16)}`)] }),
        internalPolicy: n % 4 === 0 ? 'Local' : 'Cluster',
        ...(n % 2 === 0 && { affinitySeconds: 10_800 + (n % 8) }),
        ports: [portView({ port: 1 + n * 1_600, endpoints: pods(n % 7, n) })],
      }),
    ),
  ]
  return nodeView(
    services,
    nodeConfigOf({
      pods: { kind: 'cidrs', cidrs: address('10.244.0.0/16 10.9.8.7 10.9.8.16/30', 'fd00:244::/64 fd00:9::7').split(' ') },
      nodePortAddresses: [address('0.0.0.0/0', '::/0')],
    }),
  )
}

/** A map that throws when it is written to. */
export function frozenMap<K, V>(entries: Iterable<readonly [K, V]>): ReadonlyMap<K, V> {
  const map = new Map(entries)
  const refuse = (): never => {
    throw new TypeError('a frozen map was written to')
  }
  return Object.freeze(Object.assign(map, { set: refuse, delete: refuse, clear: refuse }))
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(frozen)
    Object.freeze(value)
  }
  return value
}

// ── chance ──────────────────────────────────────────────────────────────────

/** From small pools, so that services fight for addresses and ports; now and then malformed. */
const endpoints: fc.Arbitrary<EndpointView> = fc.record({
  address: fc.constantFrom('10.244.0.2', '10.244.0.3', '10.244.1.2', '192.0.2.1', '127.0.0.1', '10.244.0.300'),
  port: fc.constantFrom(8080, 9090, 0),
  node: fc.constantFrom('here', 'elsewhere', 'unknown'),
  ready: fc.boolean(),
  serving: fc.boolean(),
  terminating: fc.boolean(),
  zoneHint: fc.constantFrom('none', 'here', 'elsewhere'),
  nodeHint: fc.constantFrom('none', 'here', 'elsewhere'),
})

/** Enough for slots to be shared. */
const crowd: readonly EndpointView[] = Array.from({ length: 20 }, (_, n) =>
  endpointView(`10.244.3.${n + 1}`, { node: n % 5 === 0 ? 'here' : 'elsewhere' }),
)

const ports: fc.Arbitrary<ServicePortView> = fc.record(
  {
    name: fc.constantFrom('', 'http', 'dns'),
    protocol: fc.constantFrom('tcp', 'udp'),
    port: fc.constantFrom(80, 53, 65_536),
    nodePort: fc.constantFrom(30_001, 30_002, 0),
    endpoints: fc.oneof(
      { weight: 9, arbitrary: fc.array(endpoints, { maxLength: 5 }) },
      { weight: 1, arbitrary: fc.subarray([...crowd], { minLength: 16 }) },
    ),
  },
  { requiredKeys: ['name', 'protocol', 'port', 'endpoints'] },
)

const serviceKeys = ['default/a', 'default/b', 'default/c', 'kube-system/dns'] as const

export const arbitraryService: fc.Arbitrary<ServiceView> = fc
  .record({
    externalIPs: fc.subarray(['198.18.0.1', '198.18.0.2', '10.96.0.2', '127.0.0.9']),
    loadBalancerIPs: fc.subarray(['203.0.113.1', '198.18.0.1']),
    sourceRanges: fc.subarray(['198.51.100.0/24', ' 192.0.2.0/24', '198.51.100.128/25', '2001:db8::/32', 'nonsense']),
    internalPolicy: fc.constantFrom('Cluster', 'Local'),
    externalPolicy: fc.constantFrom('Cluster', 'Local'),
    affinity: fc.constantFrom(undefined, undefined, 10_800, 90),
    key: fc.constantFrom(...serviceKeys),
    created: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', ''),
    clusterIPs: fc.uniqueArray(fc.constantFrom('10.96.0.1', '10.96.0.2', '10.96.0.3', '10.96.0', 'None'), { maxLength: 2 }),
    ports: fc.array(ports, { maxLength: 3 }),
  })
  .map(({ affinity, ...service }) => frozen({ ...service, ...(affinity !== undefined && { affinitySeconds: affinity }) }))

const cidrs = fc.subarray(['10.244.0.0/16', '10.244.1.0/24', '10.245.7.7/16', '10.1.0.1/32', '10.0.0.0/40'], { minLength: 1 })

const arbitraryConfig: fc.Arbitrary<NodeConfig> = fc
  .record({
    pods: fc.oneof(
      { weight: 4, arbitrary: cidrs.map((list): PodSources => ({ kind: 'cidrs', cidrs: list })) },
      fc.constantFrom<PodSources[]>({ kind: 'none' }, { kind: 'interface', name: 'cni0', match: 'exact' }, { kind: 'interface', name: 'veth', match: 'prefix' }),
    ),
    masqueradeAll: fc.boolean(),
    masqueradeBit: fc.constantFrom(14, 14, 3),
    nodePortAddresses: fc.subarray(['192.0.2.1', '198.51.100.7', '192.0.2', '0.0.0.0/0', '192.0.2.0/24']),
    localhostNodePorts: fc.boolean(),
    nodeAddresses: fc.constantFrom(['192.0.2.1'], ['198.51.100.130']),
    dropInvalid: fc.boolean(),
  })
  .map(frozen)

/** One change of a cluster as a node sees it. */
export type ViewChange =
  | { readonly kind: 'set'; readonly service: ServiceView }
  | { readonly kind: 'delete'; readonly key: ServiceKey }
  | { readonly kind: 'configure'; readonly config: NodeConfig }

export const arbitraryChange: fc.Arbitrary<ViewChange> = fc.oneof(
  { weight: 8, arbitrary: arbitraryService.map((service) => ({ kind: 'set', service }) as const) },
  { weight: 3, arbitrary: fc.constantFrom(...serviceKeys).map((key) => ({ kind: 'delete', key }) as const) },
  { weight: 1, arbitrary: arbitraryConfig.map((config) => ({ kind: 'configure', config }) as const) },
)

/** The view after some changes, and the services that they name. */
export function changedView(
  view: NodeView,
  changes: readonly ViewChange[],
): { readonly view: NodeView; readonly changed: ReadonlySet<ServiceKey> } {
  const services = new Map(view.services)
  const changed = new Set<ServiceKey>()
  let { config } = view
  for (const change of changes) {
    if (change.kind === 'configure') config = change.config
    else if (change.kind === 'set') services.set(change.service.key, change.service)
    else services.delete(change.key)
    if (change.kind !== 'configure') changed.add(change.kind === 'set' ? change.service.key : change.key)
  }
  return { view: nodeView([...services.values()], config), changed }
}
