/** Builders of what the rules room takes: views of services, frozen through and through. */
import fc from 'fast-check'
import type { EndpointView, NodeConfig, NodeView, ServiceKey, ServicePortView, ServiceView } from '../../rules/model.ts'

/** An endpoint that is ready, remote, on port 8080. */
export function endpointView(address: string, part: Partial<EndpointView> = {}): EndpointView {
  return frozen({ address, port: 8080, local: false, ready: true, serving: true, terminating: false, ...part })
}

/** TCP port 80, named `http`, without endpoints. */
export function portView(part: Partial<ServicePortView> = {}): ServicePortView {
  return frozen({ name: 'http', protocol: 'tcp', port: 80, endpoints: [], ...part })
}

/** `default/web` at 10.96.0.1 with one `portView`. */
export function serviceView(part: Partial<ServiceView> = {}): ServiceView {
  const created = '2026-01-01T00:00:00Z'
  return frozen({ key: 'default/web', created, clusterIPs: ['10.96.0.1'], ports: [portView()], ...part })
}

/** Pods in 10.244.0.0/16, NodePorts on 192.0.2.1. */
export const nodeConfig: NodeConfig = frozen({ clusterCIDRs: ['10.244.0.0/16'], nodePortAddresses: ['192.0.2.1'] })

export function nodeView(services: readonly ServiceView[], config: NodeConfig = nodeConfig): NodeView {
  return Object.freeze({ config: frozen(config), services: frozenMap(services.map((service) => [service.key, service] as const)) })
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
  local: fc.boolean(),
  ready: fc.boolean(),
  serving: fc.boolean(),
  terminating: fc.boolean(),
})

const ports: fc.Arbitrary<ServicePortView> = fc.record(
  {
    name: fc.constantFrom('', 'http', 'dns'),
    protocol: fc.constantFrom('tcp', 'udp'),
    port: fc.constantFrom(80, 53, 65_536),
    nodePort: fc.constantFrom(30_001, 30_002, 0),
    endpoints: fc.array(endpoints, { maxLength: 5 }),
  },
  { requiredKeys: ['name', 'protocol', 'port', 'endpoints'] },
)

const serviceKeys = ['default/a', 'default/b', 'default/c', 'kube-system/dns'] as const

export const arbitraryService: fc.Arbitrary<ServiceView> = fc
  .record({
    key: fc.constantFrom(...serviceKeys),
    created: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', ''),
    clusterIPs: fc.uniqueArray(fc.constantFrom('10.96.0.1', '10.96.0.2', '10.96.0.3', '10.96.0', 'None'), { maxLength: 2 }),
    ports: fc.array(ports, { maxLength: 3 }),
  })
  .map(frozen)

const arbitraryConfig: fc.Arbitrary<NodeConfig> = fc
  .record({
    clusterCIDRs: fc.subarray(['10.244.0.0/16', '10.244.1.0/24', '10.245.7.7/16', '10.1.0.1/32', '10.0.0.0/40']),
    nodePortAddresses: fc.subarray(['192.0.2.1', '198.51.100.7', '192.0.2']),
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
