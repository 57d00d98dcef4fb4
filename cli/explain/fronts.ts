/** Where packets can come to a service: what the API says that it has. Pure. */
import type { Node, Service, ServicePort } from '../../api/objects.ts'
import { keyOf } from '../../api/objects.ts'
import { canonicalAddress, familyOf } from '../../rules/address.ts'
import type { Protocol } from '../../rules/model.ts'
import { addressOf, type Cluster, clusterIPsOf, podIPsOf } from '../cluster.ts'
import { CliError } from '../error.ts'
import { few, listed, serviceNamed } from '../named.ts'
import type { Target } from './target.ts'

export interface Front {
  readonly kind: 'cluster-ip' | 'node-port' | 'load-balancer-ip' | 'external-ip'
  /** Of a node port: the address of the node that is asked. */
  readonly address: string
  readonly protocol: Protocol
  readonly port: number
  /** Empty where the service has one port without a name; absent where it has no such port at all. */
  readonly portName?: string
}

/** A service and those of its fronts that are asked about; without a service, an address that none has. */
export interface Question {
  readonly service?: Service
  readonly fronts: readonly Front[]
}

/** `10.96.0.10:80/TCP` */
export function frontText({ address, port, protocol }: Front): string {
  return `${socketText(address, port)}/${protocol.toUpperCase()}`
}

export function socketText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** All addresses of a node by which others reach it. */
export function nodeAddresses(node: Node): readonly string[] {
  const all = (node.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => canonical(address))
  return all.length > 0 ? all : [addressOf(node) ?? []].flat()
}

/**
 * What a target means on a node.
 * @throws CliError STORE_NOT_FOUND where nobody serves the target, USAGE for a service that is not there
 */
export function questionsOf(cluster: Cluster, target: Target, node: Node): readonly Question[] {
  if (target.kind === 'service') {
    const service = serviceNamed(cluster, target.namespace === undefined ? target.name : `${target.namespace}/${target.name}`)
    const fronts = frontsOf(service, node)
    if (fronts.length === 0) throw noVirtualIP(service)
    return [{ service, fronts }]
  }
  const asked = (front: Front): boolean =>
    target.kind === 'node-port'
      ? front.kind === 'node-port' && front.port === target.port
      : front.address === target.address && (target.port === undefined || front.port === target.port)
  const found = cluster.services
    .map((service) => ({ service, fronts: frontsOf(service, node).filter(asked) }))
    .filter(({ fronts }) => fronts.length > 0)
  if (found.length > 0) return found
  if (target.kind === 'address' && target.port !== undefined) return unlisted(cluster, { ...target, port: target.port }, node)
  throw nobody(cluster, target)
}

/** In the order of the service: port by port, its cluster IPs first. Nothing for a service without a virtual IP. */
export function frontsOf(service: Service, node: Node): readonly Front[] {
  const { spec, status } = service
  if (!spec || spec.type === 'ExternalName' || otherProxyOf(service) !== undefined) return []
  const clusterIPs = clusterIPsOf(service).map(canonical)
  const balancers = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) => (ip && ipMode !== 'Proxy' ? canonical(ip) : []))
  const families = new Set(clusterIPs.map(familyOf))
  const nodes = nodeAddresses(node).filter((address) => families.has(familyOf(address)))
  const external = (spec.externalIPs ?? []).map(canonical).filter((address) => !balancers.includes(address))
  if (clusterIPs.length === 0) return []
  return (spec.ports ?? []).flatMap((port) => {
    const common = { protocol: protocolOf(port), portName: port.name ?? '' }
    const at = (kind: Front['kind'], addresses: readonly string[], number: number): readonly Front[] =>
      addresses.map((address) => ({ kind, address, port: number, ...common }))
    return [
      ...at('cluster-ip', clusterIPs, port.port),
      ...(port.nodePort ? at('node-port', nodes, port.nodePort) : []),
      ...at('load-balancer-ip', balancers, port.port),
      ...at('external-ip', external, port.port),
    ]
  })
}

/** Who else was asked to serve a service: then this node's rules have nothing of it. */
const otherProxyOf = ({ metadata }: Service): string | undefined => metadata.labels?.['service.kubernetes.io/service-proxy-name']

export function protocolOf({ protocol }: Pick<ServicePort, 'protocol'>): Protocol {
  return (protocol ?? 'TCP').toLowerCase() as Protocol
}

const canonical = (text: string): string => canonicalAddress(familyOf(text), text) ?? text

/** A port that the API does not name: the kernel may have something to say about it all the same. */
function unlisted(cluster: Cluster, { address, port }: { readonly address: string; readonly port: number }, node: Node): readonly Question[] {
  const owner = cluster.services.map((service) => ({ service, front: frontsOf(service, node).find((front) => front.address === address) })).find(({ front }) => front)
  const kind = owner?.front?.kind ?? (nodeAddresses(node).includes(address) ? 'node-port' : 'cluster-ip')
  const fronts = (['tcp', 'udp'] as const).map((protocol): Front => ({ kind, address, protocol, port }))
  return [{ ...(owner && kind !== 'node-port' && { service: owner.service }), fronts }]
}

function noVirtualIP(service: Service): CliError {
  const { type, externalName } = service.spec ?? {}
  if (type === 'ExternalName')
    return new CliError('STORE_NOT_FOUND', `${keyOf(service)} is an ExternalName: it has no virtual IP`, `DNS answers with ${externalName}`)
  const other = otherProxyOf(service)
  if (other !== undefined) return new CliError('STORE_NOT_FOUND', `${keyOf(service)} is served by another proxy, ${other}`, 'its label service.kubernetes.io/service-proxy-name says so')
  return new CliError('STORE_NOT_FOUND', `${keyOf(service)} is headless: it has no virtual IP`, 'DNS answers with the addresses of its pods')
}

/** Nobody has the target. @param target an address or a node port */
export function nobody(cluster: Cluster, target: Exclude<Target, { kind: 'service' }>): CliError {
  const { services, pods, nodes } = cluster
  if (target.kind === 'node-port') {
    const known = services.flatMap((service) => (service.spec?.ports ?? []).flatMap(({ nodePort }) => (nodePort ? `${nodePort} (${keyOf(service)})` : [])))
    return new CliError('STORE_NOT_FOUND', `no service has the node port ${target.port}`, known.length > 0 ? `those that there are: ${few([...new Set(known)])}` : 'no service has node ports')
  }
  const pod = pods.find((candidate) => podIPsOf(candidate).includes(target.address))
  const node = nodes.find((candidate) => nodeAddresses(candidate).includes(target.address))
  const text = target.port === undefined ? target.address : socketText(target.address, target.port)
  const advice = node
    ? `it is the address of ${node.metadata.name}; a node port of it has the form ${socketText(target.address, 30080)}`
    : pod
      ? `it is the pod ${keyOf(pod)}: no virtual IP stands in front of it`
      : `those that there are: ${listed(services)}`
  return new CliError('STORE_NOT_FOUND', `no service has ${text}`, advice)
}
