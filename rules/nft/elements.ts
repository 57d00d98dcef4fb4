/** The routes of one service as elements of the table's sets. */
import { anyAddress, canonicalCIDR } from '../address.ts'
import type { EndpointView, Family, Problem, ServiceKey } from '../model.ts'
import type { Front, Route, ServiceRoutes } from '../routes.ts'
import { classId, memberNumbers, mostMembers, portNumber } from './affinity.ts'
import type { PlacedElement, SetName } from './model.ts'
import { extensionName, keyOf, serviceComment, setNames } from './names.ts'
import { mostEndpoints, slotsOf } from './slots.ts'

/** What a service wants in the table. */
export interface Placement {
  /** Each once; no other service has one of them. */
  readonly own: readonly PlacedElement[]
  /** Each once, but other services may want it, too; it is in the kernel as long as one of them does. */
  readonly shared: readonly PlacedElement[]
  readonly slots: readonly Slots[]
}

export const nothing: Placement = { own: [], shared: [], slots: [] }

/** The slots of one front, up to tens of thousands of elements of one set, of which a change concerns a few: not written out. */
export interface Slots {
  readonly set: SetName
  readonly front: string
  readonly comment: string
  /** Where each slot leads to. */
  readonly endpoints: readonly EndpointView[]
}

export function placementOf(family: Family, service: ServiceKey, { clusterIPs, routes }: ServiceRoutes): Placement {
  const placed: Placing = { own: [], slots: [] }
  const shared = new Map<string, PlacedElement>()
  const share = (element: PlacedElement): void => void shared.set(`${element.set} ${element.key}`, element)
  for (const address of clusterIPs) {
    placed.own.push({ set: setNames.clusterIPs, key: address, comment: serviceComment(service, '') })
    share({ set: setNames.serviceRanges, key: rangeOf(family, address) })
  }
  for (const route of routes) {
    const front = frontText(family, route.front)
    const comment = serviceComment(service, route.portName)
    placeRoute(placed, { route, front, comment })
    const isAddress = route.front.kind === 'external-ip' || route.front.kind === 'load-balancer-ip'
    if (isAddress && route.endpoints.length > 0) share({ set: setNames.externalRanges, key: rangeOf(family, route.front.address) })
    for (const { address, node } of everyone(route)) {
      if (node !== 'elsewhere') share({ set: setNames.hairpin, key: `${address} . ${address}` })
    }
  }
  for (const group of affinityGroups(routes)) placeAffinity(placed, share, { family, service, group })
  return { ...placed, shared: [...shared.values()] }
}

/** The first slot tells whose it is; to name the service in each of them would take more room than the addresses. */
export function slotElement({ set, front, comment, endpoints }: Slots, i: number): PlacedElement {
  const { address, port } = endpoints[i]!
  const [key, value] = [`${front} . ${i}`, `${address} . ${port}`]
  return i === 0 ? { set, key, value, comment } : { set, key, value }
}

/** Endpoints beyond what the slots, or the numbers for affinity, can name. */
export function excesses(service: ServiceKey, { routes }: ServiceRoutes): readonly Problem[] {
  return routes.flatMap(({ endpoints, affinitySeconds, portName }) => {
    const problem = (what: string): Problem => ({ service, what, value: `${portName}: ${endpoints.length}` })
    if (endpoints.length > mostEndpoints) return problem(`only ${mostEndpoints} endpoints of a port are used`)
    if (affinitySeconds !== undefined && endpoints.length > mostMembers) return problem(`clients stay with ${mostMembers} endpoints of a port only`)
    return []
  })
}

/**
 * The range of addresses, 16,384 of IPv4 and 65,536 of IPv6, in which a cluster IP or an external one lies. Packets to other ranges
 * look nothing up, and those to a service find this in a few words that many services share, where its own element was long forgotten
 * by the caches.
 */
function rangeOf(family: Family, address: string): string {
  if (family === 'ip6') return canonicalCIDR(family, `${address}/112`)!
  const [first, second, third] = address.split('.')
  return `${first}.${second}.${Number(third) & 0xc0}.0/18`
}

interface Placing {
  readonly own: PlacedElement[]
  readonly slots: Slots[]
}

interface RouteWork {
  readonly route: Route
  readonly front: string
  readonly comment: string
}

function placeRoute({ own, slots }: Placing, { route, front, comment }: RouteWork): void {
  const { endpoints, outsiders, otherwise, sources } = route
  const isExternal = route.front.kind !== 'cluster-ip'
  if (endpoints.length === 0) {
    if (otherwise === 'drop') own.push({ set: setNames.dropped, key: front, comment })
    // Of a cluster IP everything is refused that is not translated.
    else if (isExternal) own.push({ set: setNames.refused, key: front, comment })
  } else {
    if (isExternal) own.push({ set: outsiders ? setNames.externalLocal : setNames.external, key: front, comment })
    slots.push(slotsFor('endpoints', endpoints, { front, comment }))
    if (outsiders && outsiders.length > 0) slots.push(slotsFor('outsiders', outsiders, { front, comment }))
  }
  if (!sources) return
  own.push({ set: setNames.restricted, key: front, comment })
  for (const range of sources) own.push({ set: setNames.sourceRanges, key: `${front} . ${range}` })
}

function slotsFor(kind: 'endpoints' | 'outsiders', all: readonly EndpointView[], { front, comment }: Omit<RouteWork, 'route'>): Slots {
  const endpoints = slotsOf(all.length > mostEndpoints ? all.slice(0, mostEndpoints) : all)
  return { set: extensionName({ kind, number: endpoints.length }), front, comment, endpoints }
}

/** Routes of one service port with affinity: a client is remembered for all of its fronts. */
type AffinityGroup = readonly [Route, ...Route[]]

function affinityGroups(routes: readonly Route[]): readonly AffinityGroup[] {
  const groups = new Map<string, [Route, ...Route[]]>()
  for (const route of routes) {
    if (route.affinitySeconds === undefined || route.endpoints.length === 0) continue
    const id = `${route.portName} ${route.front.protocol}`
    const group = groups.get(id)
    if (group) group.push(route)
    else groups.set(id, [route])
  }
  return [...groups.values()]
}

interface AffinityWork {
  readonly family: Family
  readonly service: ServiceKey
  readonly group: AffinityGroup
}

function placeAffinity({ own }: Placing, share: (element: PlacedElement) => void, { family, service, group }: AffinityWork): void {
  const [{ portName, affinitySeconds, front: first }] = group
  const port = portNumber(service, portName, first.protocol)
  const members = new Map(group.flatMap(everyone).map((e) => [`${e.address} . ${e.port}`, e]))
  const numbers = memberNumbers(port, [...members.keys()].toSorted().map((name) => members.get(name)!))
  const set = extensionName({ kind: 'affinity-members', number: affinitySeconds! })
  for (const [name, number] of numbers) share({ set, key: `${classId(port)} . ${name}`, value: classId(number) })
  for (const { front, endpoints, outsiders = [] } of group) {
    const key = frontText(family, front)
    own.push({ set: setNames.affinityIds, key, value: classId(port), comment: serviceComment(service, portName) })
    const recall = (into: SetName, { address, port: at }: EndpointView): void => {
      const value = `${address} . ${at}`
      const number = numbers.get(value)
      if (number !== undefined) own.push({ set: into, key: `${key} . ${classId(number)}`, value })
    }
    for (const endpoint of endpoints) recall(setNames.rememberedEndpoints, endpoint)
    for (const endpoint of outsiders) recall(setNames.rememberedOutsiders, endpoint)
  }
}

function everyone({ endpoints, outsiders }: Route): readonly EndpointView[] {
  return outsiders ? [...endpoints, ...outsiders] : endpoints
}

function frontText(family: Family, front: Front): string {
  return keyOf(front.kind === 'node-port' ? anyAddress[family] : front.address, front.protocol, front.port)
}
