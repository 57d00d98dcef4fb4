/**
 * What should become of a packet, by walking services from the oldest and reading their routes: slow, obvious, and without a
 * word of any mode. Tracers of all modes are compared with it.
 */
import { cidrContains } from '../../rules/address.ts'
import type { Family, NodeConfig, NodeView, ServiceView } from '../../rules/model.ts'
import type { Host, Journey, Packet } from '../../rules/packet.ts'
import { frontKey, routesOf, type Route } from '../../rules/routes.ts'

/** `passed`, `refused`, `dropped`, or `to 10.244.0.2:8080` with ` hidden` where the endpoint sees the node's address. */
export type Verdict = string

/** All that may become of the packet, sorted. */
export function expectedVerdicts(family: Family, view: NodeView, host: Host, packet: Packet): readonly Verdict[] {
  const { routes, clusterIPs } = winners(family, view)
  const { destination, protocol, destinationPort } = packet
  // Whether an endpoint is here is a matter of its address, whatever one service says: its hairpin is masqueraded for all.
  const here = new Set([...routes.values()].flatMap(({ endpoints, outsiders = [] }) => [...endpoints, ...outsiders].filter(({ node }) => node !== 'elsewhere').map(({ address }) => address)))
  const place: Place = { config: view.config, host, here }
  const route = routes.get(`${destination} ${protocol} ${destinationPort}`)
  if (route) return fates(route, place, packet)
  if (clusterIPs.has(destination)) return ['refused']
  const nodePort = routes.get(`* ${protocol} ${destinationPort}`)
  if (nodePort && takesNodePorts(view.config, host, destination)) return fates(nodePort, place, packet)
  // NodePorts on 127.0.0.1 open a way that others must not take.
  return view.config.localhostNodePorts && packet.hook === 'prerouting' && destination.startsWith('127.') ? ['dropped'] : ['passed']
}

/** The same words for what a tracer found. */
export function verdictsOf(journeys: readonly Journey[]): readonly Verdict[] {
  const words = journeys.map(({ fate, masqueraded }) => {
    if (fate.kind !== 'translated') return fate.kind
    return `to ${fate.address}:${fate.port}${masqueraded ? ' hidden' : ''}`
  })
  return [...new Set(words)].toSorted()
}

function winners(family: Family, view: NodeView) {
  const routes = new Map<string, Route>()
  const clusterIPs = new Set<string>()
  const age = ({ created }: ServiceView): number => (Number.isNaN(Date.parse(created)) ? Infinity : Date.parse(created))
  const byAge = (a: ServiceView, b: ServiceView): number => (age(a) === age(b) ? (a.key < b.key ? -1 : 1) : age(a) < age(b) ? -1 : 1)
  for (const service of [...view.services.values()].toSorted(byAge)) {
    const found = routesOf(family, service, view.config)
    for (const address of found.clusterIPs) clusterIPs.add(address)
    for (const route of found.routes) if (!routes.has(frontKey(route.front))) routes.set(frontKey(route.front), route)
  }
  return { routes, clusterIPs }
}

function takesNodePorts(config: NodeConfig, host: Host, destination: string): boolean {
  if (!host.addresses.includes(destination)) return false
  if (destination === '::1' || (destination.startsWith('127.') && !config.localhostNodePorts)) return false
  return config.nodePortAddresses.some((range) => cidrContains(range, destination))
}

interface Place {
  readonly config: NodeConfig
  readonly host: Host
  /** Addresses of endpoints that may be on this node. */
  readonly here: ReadonlySet<string>
}

function fates(route: Route, { config, host, here }: Place, packet: Packet): readonly Verdict[] {
  const { source } = packet
  if (route.sources && !route.sources.some((range) => cidrContains(range, source))) return ['dropped']
  const isPod = comesFromPod(config, packet)
  const isNode = host.addresses.includes(source)
  const chosen = route.outsiders && !isPod && !isNode ? route.outsiders : route.endpoints
  if (route.endpoints.length === 0) return [route.otherwise === 'drop' ? 'dropped' : 'refused']
  if (chosen.length === 0) return ['dropped']
  const words = chosen.map(({ address, port }) => {
    const asked = { all: true, node: isNode && !isPod, strangers: config.masqueradeAll || (config.pods.kind !== 'none' && !isPod) }
    const wants = asked[route.masquerade] || (source === address && here.has(address))
    // What ends on the node itself leaves through no interface.
    const leaves = packet.hook === 'output' || !host.addresses.includes(address)
    return `to ${address}:${port}${wants && leaves ? ' hidden' : ''}`
  })
  return [...new Set(words)].toSorted()
}

function comesFromPod({ pods }: NodeConfig, { source, inputInterface }: Packet): boolean {
  if (pods.kind === 'cidrs') return pods.cidrs.some((cidr) => cidrContains(cidr, source))
  if (pods.kind === 'none' || inputInterface === undefined) return false
  return pods.match === 'exact' ? inputInterface === pods.name : inputInterface.startsWith(pods.name)
}
