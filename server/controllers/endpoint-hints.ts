/**
 * Which zones and nodes an endpoint is meant for (discovery/v1 EndpointHints). Proxies follow hints only where every ready
 * endpoint has one. Pure. Two ways:
 *
 * - `spec.trafficDistribution` (KEP-4444, KEP-3015): PreferClose and PreferSameZone give each endpoint its own zone,
 *   PreferSameNode its own node as well.
 * - the annotation `service.kubernetes.io/topology-mode: Auto` (KEP-2433), which goes before: each zone gets endpoints in
 *   proportion to the CPUs of its nodes, its own ones first. Where that would overload the endpoints of a zone by more than a
 *   fifth, or too little is known, there are no hints.
 */
import type { Node, Service } from '../../api/objects.ts'
import { cpuMillis } from '../../api/quantity.ts'
import type { Endpoint } from './endpoint-groups.ts'

/** The part of each zone in the cluster's CPUs; together 1. */
export type ZoneShares = ReadonlyMap<string, number>

export const zoneLabel = 'topology.kubernetes.io/zone'
const modeAnnotation = 'service.kubernetes.io/topology-mode'
/** Its name until Kubernetes 1.27. */
const olderAnnotation = 'service.kubernetes.io/topology-aware-hints'
const overload = 0.2

/** Whether the zones of the whole cluster matter to a service. */
export function wantsShares({ metadata }: Pick<Service, 'metadata'>): boolean {
  const mode = metadata.annotations?.[modeAnnotation] ?? metadata.annotations?.[olderAnnotation]
  return mode === 'Auto' || mode === 'auto'
}

/** @param shares asked for where they matter; undefined where the zones are not known */
export function withHints(service: Service, endpoints: readonly Endpoint[], shares: () => ZoneShares | undefined): readonly Endpoint[] {
  if (wantsShares(service)) return inProportion(endpoints, shares())
  const wish = service.spec?.trafficDistribution
  if (wish === 'PreferSameNode') return endpoints.map((e) => (e.conditions?.ready ? withOwnNode(e) : e))
  if (wish !== 'PreferClose' && wish !== 'PreferSameZone') return endpoints
  return endpoints.map((e) => (e.conditions?.ready && e.zone ? { ...e, hints: { forZones: [{ name: e.zone }] } } : e))
}

function withOwnNode(endpoint: Endpoint): Endpoint {
  const { zone, nodeName } = endpoint
  if (!zone && !nodeName) return endpoint
  return { ...endpoint, hints: { ...(zone && { forZones: [{ name: zone }] }), ...(nodeName && { forNodes: [{ name: nodeName }] }) } }
}

function inProportion(endpoints: readonly Endpoint[], shares: ZoneShares | undefined): readonly Endpoint[] {
  const ready = endpoints.filter((e) => e.conditions?.ready)
  const due = shares && leastOf(shares, ready.length)
  if (!due || ready.some((e) => !e.zone)) return endpoints
  const given = new Map<Endpoint, string>()
  const give = (endpoint: Endpoint, zone: string): void => {
    given.set(endpoint, zone)
    due.set(zone, due.get(zone)! - 1)
  }
  for (const endpoint of ready) if ((due.get(endpoint.zone!) ?? 0) > 0) give(endpoint, endpoint.zone!)
  for (const endpoint of ready) {
    if (given.has(endpoint)) continue
    // Beyond what every zone must have, an endpoint stays at home.
    const [poorest, missing] = [...due].reduce((a, b) => (b[1] > a[1] ? b : a))
    give(endpoint, missing <= 0 && due.has(endpoint.zone!) ? endpoint.zone! : poorest)
  }
  return endpoints.map((e) => {
    const zone = given.get(e)
    return zone === undefined ? e : { ...e, hints: { forZones: [{ name: zone }] } }
  })
}

/** How many endpoints each zone gets at least, undefined where there are too few to be fair. */
function leastOf(shares: ZoneShares, total: number): Map<string, number> | undefined {
  if (shares.size < 2) return undefined
  const least = new Map([...shares].map(([zone, share]) => [zone, Math.ceil((share * total) / (1 + overload) - 1e-9)] as const))
  return [...least.values()].reduce((a, b) => a + b, 0) <= total ? least : undefined
}

/** What of a node is looked at here. */
export function nodePlace({ metadata, status }: Node): { readonly zone: string | undefined; readonly cpuMillis: number } {
  const { labels = {} } = metadata
  const isWorker = !('node-role.kubernetes.io/control-plane' in labels)
  const isReady = status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false
  return { zone: labels[zoneLabel], cpuMillis: isWorker && isReady ? cpuMillis(status?.allocatable?.['cpu'] ?? '0') : 0 }
}

/** Of the nodes that take work. Undefined where one of them has no zone. */
export function zoneShares(nodes: readonly Node[]): ZoneShares | undefined {
  const places = nodes.map(nodePlace).filter((p) => p.cpuMillis > 0)
  const total = places.reduce((sum, p) => sum + p.cpuMillis, 0)
  if (total === 0 || places.some((p) => !p.zone)) return undefined
  const shares = new Map<string, number>()
  for (const { zone, cpuMillis: part } of places.toSorted((a, b) => (a.zone! < b.zone! ? -1 : 1)))
    shares.set(zone!, (shares.get(zone!) ?? 0) + part / total)
  return shares
}
