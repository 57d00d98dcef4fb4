/**
 * Who has which virtual server, where the ledger of fronts cannot tell: a NodePort on an address of the host may be some
 * service's external IP and port, and two service ports may come to the same mark. Only such virtual servers are claimed here.
 */
import type { ServiceKey } from '../model.ts'
import type { Route } from '../routes.ts'
import type { HostFacts } from './host.ts'
import type { VirtualKey } from './model.ts'
import { markOf, virtualKey } from './names.ts'

export interface Claim {
  readonly virtual: VirtualKey
  readonly service: ServiceKey
  readonly portName: string
  /** NodePorts come after explicit addresses. */
  readonly rank: 0 | 1
}

export type Claims = ReadonlyMap<VirtualKey, readonly Claim[]>

export interface Place {
  readonly address: string
  readonly virtual: VirtualKey
}

/** The virtual servers of a route by address: one, or for a NodePort one on each address. */
export function virtualsOf({ front }: Route, { nodePortAddresses }: HostFacts): readonly Place[] {
  const { protocol, port } = front
  const addresses = front.kind === 'node-port' ? nodePortAddresses : [front.address]
  return addresses.map((address) => ({ address, virtual: virtualKey({ kind: 'address', address, protocol, port }) }))
}

/** The virtual server for outsiders; undefined where they are served as everybody, or not at all. */
export function outsidersVirtual(service: ServiceKey, { front, portName, outsiders }: Route): VirtualKey | undefined {
  if (!outsiders || outsiders.length === 0) return undefined
  return virtualKey({ kind: 'mark', mark: markOf(service, portName, front.protocol) })
}

export function claimsOf(service: ServiceKey, routes: readonly Route[], host: HostFacts): readonly Claim[] {
  const claims = new Map<string, Claim>()
  for (const route of routes) {
    const { portName } = route
    const rank = route.front.kind === 'node-port' ? 1 : 0
    for (const { virtual, address } of virtualsOf(route, host)) {
      if (host.owned.has(address)) claims.set(`${virtual} ${rank}`, { virtual, service, portName, rank })
    }
    const mark = outsidersVirtual(service, route)
    // A service port claims its mark once for all of its fronts.
    if (mark !== undefined) claims.set(`${mark} ${portName}`, { virtual: mark, service, portName, rank: 0 })
  }
  return [...claims.values()]
}

export interface Contest {
  /** All claims to the virtual servers that were looked at; an empty list where none is left. */
  readonly claims: Claims
  /** Further services that may have gained or lost a virtual server. */
  readonly drawn: ReadonlySet<ServiceKey>
}

export function contest(known: Claims, before: readonly Claim[], after: readonly Claim[]): Contest {
  const claims = new Map<VirtualKey, readonly Claim[]>()
  const drawn = new Set<ServiceKey>()
  const leaving = new Set(before.map(claimText))
  for (const { virtual } of [...before, ...after]) {
    if (claims.has(virtual)) continue
    const staying = (known.get(virtual) ?? []).filter((claim) => !leaving.has(claimText(claim)))
    for (const { service } of staying) drawn.add(service)
    claims.set(virtual, staying)
  }
  for (const claim of after) claims.set(claim.virtual, [...claims.get(claim.virtual)!, claim].sort(byRight))
  return { claims, drawn }
}

/** Whose a virtual server is, among those that claim it. */
export function winner(virtual: VirtualKey, ...claims: readonly Claims[]): Claim | undefined {
  return claims.find((some) => some.has(virtual))?.get(virtual)?.[0]
}

export function sameClaim(a: Claim | undefined, b: Omit<Claim, 'virtual'>): boolean {
  return a !== undefined && a.service === b.service && a.portName === b.portName && a.rank === b.rank
}

const claimText = ({ virtual, rank, service, portName }: Claim): string => `${virtual} ${rank} ${service} ${portName}`

function byRight(a: Claim, b: Claim): number {
  return claimText(a) < claimText(b) ? -1 : 1
}
