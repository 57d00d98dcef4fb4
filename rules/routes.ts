/**
 * What one service asks of a node, as routes: packets to this front go to these endpoints. This is where the Service API is
 * decided, once for all modes; a mode only writes it down in the words of its kernel.
 */
import { cidrContains, canonicalCIDR, disjointCIDRs, isOtherFamily, isPort, unicastFault } from './address.ts'
import type { EndpointView, Family, NodeConfig, Problem, Protocol, ServicePortView, ServiceView } from './model.ts'
import { select, type Selection } from './select.ts'

/** Where packets arrive. A NodePort has no address of its own: it is a port on the node's addresses. */
export type Front =
  | { readonly kind: 'cluster-ip' | 'load-balancer-ip' | 'external-ip'; readonly address: string; readonly protocol: Protocol; readonly port: number }
  | { readonly kind: 'node-port'; readonly protocol: Protocol; readonly port: number }

/** Two fronts with the same key cannot both be served: `10.96.0.1 tcp 80`, `* tcp 30080`. */
export type FrontKey = string

export interface Route {
  readonly front: Front
  readonly portName: string
  /** Who serves pods and the node itself; everybody, where `outsiders` is absent. */
  readonly endpoints: readonly EndpointView[]
  /** External traffic policy Local: who serves clients that are neither a pod nor the node. If empty, they are dropped. */
  readonly outsiders?: readonly EndpointView[]
  /** What becomes of packets where `endpoints` is empty: no node has one (reject), or policy leaves none here (drop). */
  readonly otherwise: 'reject' | 'drop'
  /**
   * Whose source is hidden from the endpoint. `strangers`: of sources that are no pods (of all with masqueradeAll, of none
   * where pods cannot be told). `all`: everyone's. `node`: that of the node itself.
   * The chosen endpoint itself is masqueraded in any case (hairpin).
   */
  readonly masquerade: 'strangers' | 'all' | 'node'
  readonly affinitySeconds?: number
  /** Only these sources may enter (canonical, disjoint CIDRs); absent: everyone. */
  readonly sources?: readonly string[]
}

export interface ServiceRoutes {
  /** Cluster IPs that are fit to be served; every port of theirs that no route has is refused. */
  readonly clusterIPs: readonly string[]
  /** At most one for each front key. */
  readonly routes: readonly Route[]
  readonly problems: readonly Problem[]
}

export function frontKey(front: Front): FrontKey {
  return `${front.kind === 'node-port' ? '*' : front.address} ${front.protocol} ${front.port}`
}

/** Loopback and link-local endpoints, wrong ports and the like are left out and become problems. */
export function routesOf(family: Family, service: ServiceView, config: NodeConfig): ServiceRoutes {
  const problems: Problem[] = []
  const complain: Complain = (what, value) => void problems.push({ service: service.key, what, value })
  const addresses = addressesOf(family, service, complain)
  const sources = sourcesOf(family, service, complain)
  const routes = new Map<FrontKey, Route>()
  for (const port of service.ports) {
    const fronts = frontsOf(port, addresses, complain)
    const chosen = select(port.endpoints.filter((e) => isUsable(family, e, complain)))
    const { inside, outside } = rolesOf(service, port, chosen)
    for (const front of fronts) {
      const key = frontKey(front)
      const other = routes.get(key)
      // An external IP that is a load balancer IP, too, is one front.
      if (other) {
        if (other.portName !== port.name) complain('the service lists a port twice', key)
      } else if (front.kind === 'cluster-ip') routes.set(key, { ...inside, front })
      else if (front.kind === 'load-balancer-ip' && sources) routes.set(key, { ...outside, front, sources: withNode(sources, front.address, config) })
      else routes.set(key, { ...outside, front })
    }
  }
  return { clusterIPs: addresses.clusterIPs, routes: [...routes.values()], problems }
}

/** What a service asks for that another one may have: the fronts of its routes, some of them perhaps more than once. */
export function claimsOf(family: Family, service: ServiceView): { readonly clusterIPs: readonly string[]; readonly fronts: readonly Front[] } {
  const addresses = addressesOf(family, service, silent)
  return { clusterIPs: addresses.clusterIPs, fronts: service.ports.flatMap((port) => frontsOf(port, addresses, silent)) }
}

type Complain = (what: string, value: string) => void
const silent: Complain = () => {}

const protocols: ReadonlySet<string> = new Set<Protocol>(['tcp', 'udp', 'sctp'])

type Addresses = Pick<ServiceView, 'clusterIPs' | 'loadBalancerIPs' | 'externalIPs'>

function addressesOf(family: Family, { clusterIPs, loadBalancerIPs, externalIPs }: ServiceView, complain: Complain): Addresses {
  const fit = (what: string, addresses: readonly string[]): readonly string[] =>
    addresses.filter((address) => {
      const fault = unicastFault(family, address)
      if (fault) complain(`${what} ${fault}`, address)
      return !fault
    })
  return { clusterIPs: fit('cluster IP', clusterIPs), loadBalancerIPs: fit('load balancer IP', loadBalancerIPs), externalIPs: fit('external IP', externalIPs) }
}

function frontsOf({ protocol, port, nodePort }: ServicePortView, addresses: Addresses, complain: Complain): readonly Front[] {
  const fronts: Front[] = []
  if (!protocols.has(protocol)) {
    complain('protocol is none of TCP, UDP, SCTP', String(protocol))
    return fronts
  }
  if (isPort(port)) {
    for (const address of addresses.clusterIPs) fronts.push({ kind: 'cluster-ip', address, protocol, port })
    for (const address of addresses.loadBalancerIPs) fronts.push({ kind: 'load-balancer-ip', address, protocol, port })
    for (const address of addresses.externalIPs) fronts.push({ kind: 'external-ip', address, protocol, port })
  } else complain('port is out of range', String(port))
  if (nodePort !== undefined) {
    if (isPort(nodePort)) fronts.push({ kind: 'node-port', protocol, port: nodePort })
    else complain('node port is out of range', String(nodePort))
  }
  return fronts
}

type Role = Omit<Route, 'front' | 'sources'>

/** What the fronts of one port have in common: its cluster IPs, and those for clients from outside. */
function rolesOf({ affinitySeconds, internalPolicy, externalPolicy }: ServiceView, { name }: ServicePortView, chosen: Selection): { readonly inside: Role; readonly outside: Role } {
  const common = { portName: name, otherwise: chosen.exist ? 'drop' : 'reject', ...(affinitySeconds !== undefined && { affinitySeconds }) } as const
  return {
    inside: { ...common, endpoints: internalPolicy === 'Local' ? chosen.local : chosen.cluster, masquerade: 'strangers' },
    outside: {
      ...common,
      endpoints: chosen.cluster,
      ...(externalPolicy === 'Local' ? ({ outsiders: chosen.local, masquerade: 'node' } as const) : ({ masquerade: 'all' } as const)),
    },
  }
}

/** loadBalancerSourceRanges of this family; undefined where none is left, which lets everyone in. */
function sourcesOf(family: Family, service: ServiceView, complain: Complain): readonly string[] | undefined {
  const mine = service.sourceRanges.flatMap((text) => {
    const cidr = canonicalCIDR(family, text)
    if (cidr === undefined && text.trim() !== '' && !isOtherFamily(family, text)) complain('load balancer source range is no CIDR', text)
    return cidr ?? []
  })
  if (mine.length > 0) return disjointCIDRs(family, mine)
  if (service.sourceRanges.length > 0 && service.loadBalancerIPs.length > 0)
    complain('no load balancer source range is of this IP family, so everyone may enter', service.sourceRanges.join(','))
  return undefined
}

/** Packets of the node to a load balancer IP may carry that address as their source, when the load balancer returned them. */
function withNode(sources: readonly string[], address: string, config: NodeConfig): readonly string[] {
  const allowed = config.nodeAddresses.some((node) => sources.some((range) => cidrContains(range, node)))
  return allowed && !sources.some((range) => cidrContains(range, address)) ? [...sources, address] : sources
}

function isUsable(family: Family, endpoint: EndpointView, complain: Complain): boolean {
  const fault = unicastFault(family, endpoint.address)
  if (fault) complain(`endpoint address ${fault}`, endpoint.address)
  else if (!isPort(endpoint.port)) complain('endpoint port is out of range', `${endpoint.address}:${endpoint.port}`)
  else return true
  return false
}
