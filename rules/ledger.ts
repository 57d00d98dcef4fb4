/**
 * Who has which front. Several services may ask for the same address and port, or node port; the oldest of them has it, and
 * the next one takes over when it goes. Age is `creationTimestamp`, then the key: the same on every node and after every
 * restart. All modes keep one of these.
 */
import type { Family, NodeConfig, NodeView, Problem, ServiceKey, ServiceView } from './model.ts'
import { claimsOf, frontKey, routesOf, type FrontKey, type ServiceRoutes } from './routes.ts'

/** Routes are not kept: they follow from view and configuration, and 30,000 services would keep a lot of them. */
export interface Ledger {
  readonly family: Family
  /** Of the last settlement; undefined before the first one. */
  config: NodeConfig | undefined
  readonly views: Map<ServiceKey, ServiceView>
  /** Services that ask for a front, oldest first; one alone without an array around it. */
  readonly claims: Map<FrontKey, ServiceKey | readonly ServiceKey[]>
}

/** What becomes of a ledger. Nothing of it is kept until it is settled. */
export interface Reseating {
  /** Services of which something may be different: those that changed, and those that gained or lost a front by it. */
  readonly affected: ReadonlySet<ServiceKey>
  /** A service's routes and cluster IPs as they were settled last, without those that an older service has; undefined if there was none. */
  before(key: ServiceKey): ServiceRoutes | undefined
  /** The same as they should be; `problems` of it name the fronts that are taken. */
  after(key: ServiceKey): ServiceRoutes | undefined
  /** For `settle` alone. */
  readonly next: {
    readonly config: NodeConfig
    readonly views: ReadonlyMap<ServiceKey, ServiceView | undefined>
    readonly claims: ReadonlyMap<FrontKey, readonly ServiceKey[]>
  }
}

export function openLedger(family: Family): Ledger {
  return { family, config: undefined, views: new Map(), claims: new Map() }
}

/**
 * Costs what the changed services cost, whatever the ledger holds. Views are immutable: identity tells whether one changed.
 * @param changed services whose view may be another one, among them those that are gone; another configuration means all
 */
export function reseat(ledger: Ledger, view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>): Reseating {
  const { family, config: oldConfig } = ledger
  const moved = movedIn(ledger, view, changed)
  const claims = new Map<FrontKey, readonly ServiceKey[]>()
  const contested = new Set<FrontKey>()
  const ownersOf = (front: FrontKey): readonly ServiceKey[] => claims.get(front) ?? ownersIn(ledger, front)
  for (const [key, after] of moved) {
    for (const front of frontsOf(family, ledger.views.get(key))) {
      const others = ownersOf(front).filter((owner) => owner !== key)
      claims.set(front, others)
      if (others.length > 0) contested.add(front)
    }
    for (const front of frontsOf(family, after)) {
      const others = ownersOf(front)
      if (others.length > 0) contested.add(front)
      if (!others.includes(key)) claims.set(front, others.length > 0 ? [...others, key] : [key])
    }
  }
  const viewOf = (key: ServiceKey): ServiceView | undefined => (moved.has(key) ? moved.get(key) : ledger.views.get(key))
  const affected = new Set(moved.keys())
  /** Who asks for something that others ask for, too. */
  const rivals = new Set<ServiceKey>()
  for (const front of contested) {
    const owners = claims.get(front)!.toSorted((a, b) => byAge(viewOf(a)!, viewOf(b)!))
    claims.set(front, owners)
    for (const key of [...ownersIn(ledger, front), ...owners]) {
      affected.add(key)
      rivals.add(key)
    }
  }
  return {
    affected,
    before(key) {
      const service = ledger.views.get(key)
      return service && oldConfig && won(routesOf(family, service, oldConfig), key, (front) => ownersIn(ledger, front)[0])
    },
    after(key) {
      const service = viewOf(key)
      if (!service) return undefined
      const routes = routesOf(family, service, view.config)
      // All that a service asks for which moved is in `claims`.
      return moved.has(key) && !rivals.has(key) ? routes : won(routes, key, (front) => ownersOf(front)[0])
    },
    next: { config: view.config, views: moved, claims },
  }
}

/** Services whose view, or configuration, is another one than at the last settlement, with that view; undefined where they are gone. */
function movedIn(ledger: Ledger, view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>): ReadonlyMap<ServiceKey, ServiceView | undefined> {
  const everything = ledger.config !== view.config
  const moved = new Map<ServiceKey, ServiceView | undefined>()
  const look = (key: ServiceKey): void => {
    const service = view.services.get(key)
    if (everything || ledger.views.get(key) !== service) moved.set(key, service)
  }
  if (everything || changed === 'all') {
    for (const key of ledger.views.keys()) look(key)
    for (const key of view.services.keys()) look(key)
  } else for (const key of changed) look(key)
  return moved
}

/** Keeps what was planned, once the kernel has it. Updates the ledger in place: a copy would cost more than the change. */
export function settle(ledger: Ledger, { next }: Reseating): void {
  ledger.config = next.config
  for (const [key, service] of next.views) {
    if (service) ledger.views.set(key, service)
    else ledger.views.delete(key)
  }
  for (const [front, owners] of next.claims) {
    if (owners.length > 0) ledger.claims.set(front, owners.length === 1 ? owners[0]! : owners)
    else ledger.claims.delete(front)
  }
}

function won(all: ServiceRoutes, key: ServiceKey, owner: (front: FrontKey) => ServiceKey | undefined): ServiceRoutes {
  const problems: Problem[] = []
  const clusterIPs = all.clusterIPs.filter((address) => owner(addressKey(address)) === key)
  const routes = all.routes.filter((route) => {
    const front = frontKey(route.front)
    const holder = owner(front)
    if (holder === key) return true
    problems.push({ service: key, what: `${route.front.kind.replaceAll('-', ' ')} is already taken by the older service ${holder}`, value: front })
    return false
  })
  if (problems.length === 0 && clusterIPs.length === all.clusterIPs.length) return all
  return { clusterIPs, routes, problems: [...all.problems, ...problems] }
}

const none: readonly ServiceKey[] = []

function ownersIn(ledger: Ledger, front: FrontKey): readonly ServiceKey[] {
  const owners = ledger.claims.get(front)
  return owners === undefined ? none : typeof owners === 'string' ? [owners] : owners
}

/** They follow from a service's addresses and ports alone, not from its endpoints. */
function frontsOf(family: Family, service: ServiceView | undefined): readonly FrontKey[] {
  if (!service) return none
  const { clusterIPs, fronts } = claimsOf(family, service)
  return [...clusterIPs.map(addressKey), ...fronts.map(frontKey)]
}

/** A cluster IP as a whole: whoever has it refuses the ports that nobody serves. */
function addressKey(address: string): FrontKey {
  return `${address} * *`
}

/** A service without a readable time counts as the youngest. */
function byAge(a: ServiceView, b: ServiceView): number {
  const [x, y] = [Date.parse(a.created), Date.parse(b.created)].map((time) => (Number.isNaN(time) ? Infinity : time)) as [number, number]
  if (x !== y) return x < y ? -1 : 1
  return a.key < b.key ? -1 : 1
}
