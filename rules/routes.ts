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
  const fit = (what: string, addresses: readonly string[]): readonly string[] =>
    addresses.filter((address) => {
      const fault = unicastFault(family, address)
      if (fault) complain(`${what} ${fault}`, address)
      return !fault
    })
  const fronts: Fronts = {
    clusterIPs: fit('cluster IP', service.clusterIPs),
    loadBalancerIPs: fit('load balancer IP', service.loadBalancerIPs),
    externalIPs: fit('external IP', service.externalIPs),
    sources: sourcesOf(family, service, complain),
  }
  const routes = new Map<FrontKey, Route>()
  for (const port of service.ports) {
    if (!protocols.has(port.protocol)) {
      complain('protocol is none of TCP, UDP, SCTP', String(port.protocol))
      continue
    }
    const chosen = select(port.endpoints.filter((e) => isUsable(family, e, complain)))
    for (const route of portRoutes({ service, port, fronts, chosen, config, complain })) {
      const key = frontKey(route.front)
      const other = routes.get(key)
      if (!other) routes.set(key, route)
      // An external IP that is a load balancer IP, too, is one front.
      else if (other.portName !== port.name) complain('the service lists a port twice', key)
    }
  }
  return { clusterIPs: fronts.clusterIPs, routes: [...routes.values()], problems }
}

type Complain = (what: string, value: string) => void

const protocols: ReadonlySet<string> = new Set<Protocol>(['tcp', 'udp', 'sctp'])

interface Fronts {
  readonly clusterIPs: readonly string[]
  readonly loadBalancerIPs: readonly string[]
  readonly externalIPs: readonly string[]
  readonly sources: readonly string[] | undefined
}

interface PortWork {
  readonly service: ServiceView
  readonly port: ServicePortView
  readonly fronts: Fronts
  readonly chosen: Selection
  readonly config: NodeConfig
  readonly complain: Complain
}

function* portRoutes({ service, port, fronts, chosen, config, complain }: PortWork): Generator<Route> {
  const { protocol } = port
  const common = { portName: port.name, ...(service.affinitySeconds !== undefined && { affinitySeconds: service.affinitySeconds }) }
  const external = {
    ...common,
    endpoints: chosen.cluster,
    otherwise: chosen.exist ? ('drop' as const) : ('reject' as const),
    ...(service.externalPolicy === 'Local' ? ({ outsiders: chosen.local, masquerade: 'node' } as const) : ({ masquerade: 'all' } as const)),
  }
  if (isPort(port.port)) {
    for (const address of fronts.clusterIPs) {
      yield {
        ...common,
        front: { kind: 'cluster-ip', address, protocol, port: port.port },
        endpoints: service.internalPolicy === 'Local' ? chosen.local : chosen.cluster,
        otherwise: chosen.exist ? 'drop' : 'reject',
        masquerade: 'strangers',
      }
    }
    for (const address of fronts.loadBalancerIPs) {
      const sources = fronts.sources && withNode(fronts.sources, address, config)
      yield { ...external, front: { kind: 'load-balancer-ip', address, protocol, port: port.port }, ...(sources && { sources }) }
    }
    for (const address of fronts.externalIPs) yield { ...external, front: { kind: 'external-ip', address, protocol, port: port.port } }
  } else complain('port is out of range', String(port.port))
  if (port.nodePort === undefined) return
  if (isPort(port.nodePort)) yield { ...external, front: { kind: 'node-port', protocol, port: port.nodePort } }
  else complain('node port is out of range', String(port.nodePort))
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
