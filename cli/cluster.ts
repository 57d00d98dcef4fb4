/** The cluster as `wherry status` and the lab's checks see it: read from the hub in one go, then pure. */
import type { NodeUsage } from '../api/frames.ts'
import { type ClusterStatus, hubPaths, type NodeLink } from '../api/hub.ts'
import { type EndpointSlice, keyOf, type Node, type Pod, type Service } from '../api/objects.ts'
import type { HubClient } from './hub.ts'
import type { ServiceMarks } from './ruleset/marks.ts'
import { formatTable } from './table.ts'

export interface Cluster {
  readonly status: ClusterStatus
  readonly nodes: readonly Node[]
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
  readonly pods: readonly Pod[]
}

export async function readCluster(hub: HubClient, signal: AbortSignal): Promise<Cluster> {
  const list = async <T>(path: string): Promise<readonly T[]> =>
    (await hub.json<{ readonly items: readonly T[] }>(path, signal)).items
  const [nodes, services, slices, pods] = await Promise.all([
    list<Node>('/api/v1/nodes'),
    list<Service>('/api/v1/services'),
    list<EndpointSlice>('/apis/discovery.k8s.io/v1/endpointslices'),
    list<Pod>('/api/v1/pods'),
  ])
  // Last: what the agents acknowledge is then at least as new as the objects.
  const status = await hub.json<ClusterStatus>(hubPaths.status, signal)
  return { status, nodes, services, slices, pods }
}

export function isReady(node: Node): boolean {
  return node.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true
}

export function addressOf(node: Node): string | undefined {
  return node.status?.addresses?.find((address) => address.type === 'InternalIP')?.address
}

/** Of both IP families, as far as the pod has them. */
export function podIPsOf({ status }: Pod): readonly string[] {
  return (status?.podIPs ?? [{ ip: status?.podIP }]).flatMap(({ ip }) => ip ?? [])
}

export function isPodReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true
}

export function slicesOf(cluster: Cluster, service: Service): readonly EndpointSlice[] {
  return cluster.slices.filter(
    ({ metadata }) =>
      metadata.namespace === service.metadata.namespace &&
      metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name,
  )
}

/** The revision at which a service last changed: itself or one of its slices. */
export function revisionOf(cluster: Cluster, service: Service): number {
  return Math.max(...[service, ...slicesOf(cluster, service)].map(({ metadata }) => Number(metadata.resourceVersion)))
}

/** The connected nodes whose kernel has accepted the service as it is now. */
export function liveOn(cluster: Cluster, service: Service): readonly NodeLink[] {
  const revision = revisionOf(cluster, service)
  return cluster.status.nodes.filter((link) => link.connected && !link.failed && link.applied >= revision)
}

/** What to look for in a node's rules. */
export function marksOf(cluster: Cluster, service: Service): ServiceMarks {
  const endpoints = slicesOf(cluster, service)
    .flatMap((slice) => slice.endpoints ?? [])
    .flatMap((endpoint) => endpoint.addresses)
  return {
    key: keyOf(service),
    addresses: [
      ...clusterIPsOf(service),
      ...(service.spec?.externalIPs ?? []),
      ...(service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []),
      ...endpoints,
    ],
    nodePorts: (service.spec?.ports ?? []).map((port) => port.nodePort).filter((port) => port !== undefined),
  }
}

/** The text of `wherry status`. */
export function describeCluster(cluster: Cluster, server: string): string {
  const { status } = cluster
  const newest = Math.max(0, ...cluster.services.map((service) => revisionOf(cluster, service)))
  const nodes = cluster.nodes.map((node) =>
    nodeRow(
      node,
      status.nodes.find((link) => link.name === node.metadata.name),
      newest,
    ),
  )
  const services = cluster.services.map((service) => serviceRow(cluster, service))
  const failures = status.nodes
    .filter((link) => link.failed)
    .map((link) => `${link.name}: kernel refused, ${link.failed!.code}: ${link.failed!.message}\n`)
  return [
    `Hub ${server}, version ${status.version}, revision ${status.revision}\n\n`,
    formatTable(['NODE', 'READY', 'ADDRESS', 'CPU', 'MEMORY', 'LINK', 'RECEIVED', 'APPLIED', 'RULES'], nodes),
    '\n',
    formatTable(['SERVICE', 'CLUSTER-IP', 'PORTS', 'ENDPOINTS', 'LIVE'], services),
    ...(failures.length === 0 ? [] : ['\n', ...failures]),
  ].join('')
}

function nodeRow(node: Node, link: NodeLink | undefined, newest: number): readonly string[] {
  return [
    node.metadata.name,
    isReady(node) ? 'yes' : 'no',
    addressOf(node) ?? '-',
    cpuText(link?.usage),
    memoryText(link?.usage),
    linkText(link),
    String(link?.received ?? '-'),
    String(link?.applied ?? '-'),
    rulesText(link, newest),
  ]
}

function linkText(link: NodeLink | undefined): string {
  if (link?.connected) return 'up'
  return link?.aside ? 'aside' : 'down'
}

function rulesText(link: NodeLink | undefined, newest: number): string {
  if (link?.failed) return 'failed'
  if (!link?.connected) return 'unknown'
  return link.applied >= newest ? 'live' : 'behind'
}

function serviceRow(cluster: Cluster, service: Service): readonly string[] {
  const endpoints = slicesOf(cluster, service).flatMap((slice) => slice.endpoints ?? [])
  const addresses = (list: typeof endpoints): number => new Set(list.flatMap((endpoint) => endpoint.addresses)).size
  const ready = endpoints.filter((endpoint) => endpoint.conditions?.ready !== false)
  return [
    keyOf(service),
    clusterIPsOf(service).join(',') || 'None',
    portsText(service),
    `${addresses(ready)}/${addresses(endpoints)} ready`,
    `${liveOn(cluster, service).length} of ${cluster.nodes.length} nodes`,
  ]
}

export function clusterIPsOf(service: Service): readonly string[] {
  const { clusterIP, clusterIPs } = service.spec ?? {}
  return (clusterIPs ?? (clusterIP ? [clusterIP] : [])).filter((ip) => ip !== 'None')
}

/** `80:30080/TCP,80:30081/UDP`, as kubectl writes it. */
export function portsText(service: Service): string {
  const ports = service.spec?.ports ?? []
  return ports.map((port) => `${port.port}${port.nodePort ? `:${port.nodePort}` : ''}/${port.protocol ?? 'TCP'}`).join(',') || '-'
}

function cpuText(usage: NodeUsage | undefined): string {
  if (!usage) return '-'
  return `${(usage.cpuMillis / 1000).toFixed(2)} of ${Math.round(usage.cpuCapacityMillis / 100) / 10}`
}

function memoryText(usage: NodeUsage | undefined): string {
  if (!usage) return '-'
  const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)}`
  return `${mebibytes(usage.memoryBytes)} of ${mebibytes(usage.memoryCapacityBytes)} MiB`
}
