/** What one service puts into the kernel. */
import type { EndpointView, Family, Problem, Protocol, ServiceKey } from '../model.ts'
import type { PlacedElement } from '../nft/model.ts'
import { keyOf, serviceComment } from '../nft/names.ts'
import type { Route, ServiceRoutes } from '../routes.ts'
import { outsidersVirtual, sameClaim, virtualsOf, type Claim } from './claims.ts'
import type { HostFacts } from './host.ts'
import type { RealKey, Settings, VirtualKey } from './model.ts'
import { chainNames, markText, setNames, socketText, virtualOf } from './names.ts'

export interface WantedServer {
  readonly settings: Settings
  readonly protocol: Protocol
  readonly reals: ReadonlySet<RealKey>
}

/** Something that several services may need at once. */
export type Shared = { readonly kind: 'address' | 'hairpin'; readonly address: string }

export interface Content {
  /** Each belongs to one service alone. */
  readonly elements: readonly PlacedElement[]
  readonly servers: ReadonlyMap<VirtualKey, WantedServer>
  readonly shared: readonly Shared[]
  readonly problems: readonly Problem[]
}

export interface ContentWork {
  readonly family: Family
  readonly scheduler: string
  readonly service: ServiceKey
  readonly routes: ServiceRoutes
  readonly host: HostFacts
  /** Whose a claimed virtual server is; undefined where nobody claims it. */
  readonly owner: (virtual: VirtualKey) => Claim | undefined
}

export const noContent: Content = { elements: [], servers: new Map(), shared: [], problems: [] }

export function contentOf(work: ContentWork): Content {
  const { service, routes, host } = work
  const elements: PlacedElement[] = []
  const servers = new Map<VirtualKey, WantedServer>()
  const problems: Problem[] = []
  const addresses = new Set(routes.clusterIPs)
  const hairpins = new Set<string>()
  for (const route of routes.routes) {
    const { front, portName, outsiders = [] } = route
    if (front.kind !== 'node-port') addresses.add(front.address)
    for (const { address, node } of [...route.endpoints, ...outsiders])
      if (node !== 'elsewhere' && !host.owned.has(address)) hairpins.add(address)
    const mark = markFor(work, route, problems)
    if (mark !== undefined && !servers.has(mark)) {
      elements.push({ set: setNames.marks, key: markNumber(mark), comment: serviceComment(service, portName) })
      servers.set(mark, serverFor(work, route, outsiders, 'mark'))
    }
    for (const { virtual, address } of virtualsOf(route, host)) {
      const owner = work.owner(virtual)
      if (owner && !sameClaim(owner, { service, portName, rank: front.kind === 'node-port' ? 1 : 0 })) {
        const what = `the node port is an external address of service ${owner.service} here`
        if (front.kind === 'node-port') problems.push({ service, what, value: virtual })
        continue
      }
      elements.push(...elementsFor({ service, route, address, mark }))
      servers.set(virtual, serverFor(work, route, route.endpoints, 'address'))
    }
  }
  return {
    elements,
    servers,
    shared: [
      ...[...addresses].filter((address) => !host.owned.has(address)).map((address): Shared => ({ kind: 'address', address })),
      ...[...hairpins].map((address): Shared => ({ kind: 'hairpin', address })),
    ],
    problems,
  }
}

/** The mark for outsiders of a route; undefined if it needs none, or another service port has the same. */
function markFor({ service, owner }: ContentWork, route: Route, problems: Problem[]): VirtualKey | undefined {
  const mark = outsidersVirtual(service, route)
  if (mark === undefined) return undefined
  const holder = owner(mark)
  if (!holder || sameClaim(holder, { service, portName: route.portName, rank: 0 })) return mark
  const what = `external traffic policy Local: clients outside the cluster are dropped, as ${holder.service} has the mark; rename the port`
  problems.push({ service, what, value: route.portName })
  return undefined
}

/**
 * Persistence of a server by mark would keep the port that the client asked for (ip_vs_sched_persist in the kernel), so there
 * affinity is a hash of the client's address. It needs no timeout.
 */
function serverFor({ scheduler }: ContentWork, route: Route, endpoints: readonly EndpointView[], kind: 'mark' | 'address'): WantedServer {
  const { affinitySeconds, front } = route
  const settings = affinitySeconds === undefined ? scheduler : kind === 'mark' ? 'mh' : `${scheduler} persistent ${affinitySeconds}`
  return { settings, protocol: front.protocol, reals: new Set(endpoints.map(({ address, port }) => socketText(address, port))) }
}

interface FrontWork {
  readonly service: ServiceKey
  readonly route: Route
  readonly address: string
  readonly mark: VirtualKey | undefined
}

function elementsFor({ service, route, address, mark }: FrontWork): readonly PlacedElement[] {
  const { front, portName, sources } = route
  const key = keyOf(address, front.protocol, front.port)
  const elements: PlacedElement[] = [{ set: setNames.services, key, value: verdictOf(route), comment: serviceComment(service, portName) }]
  if (mark !== undefined) elements.push({ set: setNames.outsiders, key, value: markNumber(mark) })
  if (sources) {
    elements.push({ set: setNames.restricted, key })
    for (const range of sources) elements.push({ set: setNames.sourceRanges, key: `${key} . ${range}` })
  }
  return elements
}

/** A virtual server without real servers refuses by itself. */
function verdictOf({ endpoints, otherwise, outsiders, front, masquerade }: Route): string {
  if (endpoints.length === 0) return otherwise === 'drop' ? 'drop' : 'accept'
  if (outsiders || masquerade === 'node') return `goto ${chainNames.externalLocal}`
  return `goto ${front.kind === 'cluster-ip' ? chainNames.clusterIP : chainNames.external}`
}

function markNumber(mark: VirtualKey): string {
  const virtual = virtualOf(mark)
  return virtual.kind === 'mark' ? markText(virtual.mark) : ''
}
