/** What others ask about services from this node: load balancers (health checks) and dashboards (ports without endpoints). */
import { select } from '../../rules/select.ts'
import type { Family, ServiceKey, ServiceView } from '../../rules/model.ts'

/** A service of type LoadBalancer with the policy Local: its load balancers ask nodes at this port. */
export interface HealthCheck {
  readonly service: { readonly namespace: string; readonly name: string }
  readonly port: number
  /** Addresses of ready endpoints on this node, over all ports; of the family that has more. */
  readonly localEndpoints: number
}

/** Service ports that have endpoints, but none here, where the policy says Local. */
export interface Unserved {
  readonly internal: number
  readonly external: number
}

interface Tally {
  readonly healthCheckNodePort: number | undefined
  readonly localEndpoints: number
  readonly unserved: Unserved
}

export interface Tallies {
  take(family: Family, changed: ReadonlySet<ServiceKey>, views: ReadonlyMap<ServiceKey, ServiceView>): void
  /** What is different since the last time that it was asked for; absent: nothing. */
  changes(): { readonly healthChecks?: readonly HealthCheck[]; readonly unserved?: Unserved }
}

export function createTallies(): Tallies {
  const tallies = new Map<Family, Map<ServiceKey, Tally>>([['ip', new Map()], ['ip6', new Map()]])
  let told = { health: '', unserved: '' }
  const total = (): Unserved => {
    let [internal, external] = [0, 0]
    for (const family of tallies.values()) {
      for (const { unserved } of family.values()) {
        internal += unserved.internal
        external += unserved.external
      }
    }
    return { internal, external }
  }
  const checks = (): readonly HealthCheck[] => {
    const found = new Map<ServiceKey, { readonly port: number; readonly localEndpoints: number }>()
    for (const family of tallies.values()) {
      for (const [key, { healthCheckNodePort: port, localEndpoints }] of family) {
        if (port === undefined) continue
        // An endpoint of both families is one endpoint.
        found.set(key, { port, localEndpoints: Math.max(localEndpoints, found.get(key)?.localEndpoints ?? 0) })
      }
    }
    return [...found].map(([key, check]) => {
      const [namespace = '', name = ''] = key.split('/')
      return { service: { namespace, name }, ...check }
    })
  }
  return {
    take(family, changed, views) {
      const mine = tallies.get(family)!
      for (const key of changed) {
        const tally = tallyOf(views.get(key))
        if (tally) mine.set(key, tally)
        else mine.delete(key)
      }
    },
    changes() {
      const [healthChecks, unserved] = [checks(), total()]
      const now = { health: JSON.stringify(healthChecks), unserved: JSON.stringify(unserved) }
      const before = told
      told = now
      return { ...(now.health !== before.health && { healthChecks }), ...(now.unserved !== before.unserved && { unserved }) }
    },
  }
}

/** Undefined for services of which nobody asks. */
function tallyOf(view: ServiceView | undefined): Tally | undefined {
  if (!view || (view.internalPolicy === 'Cluster' && view.externalPolicy === 'Cluster')) return undefined
  const isExternal = (nodePort: number | undefined): boolean =>
    view.externalPolicy === 'Local' && (nodePort !== undefined || view.externalIPs.length + view.loadBalancerIPs.length > 0)
  const localAddresses = new Set<string>()
  let [internal, external] = [0, 0]
  for (const { endpoints, nodePort } of view.ports) {
    for (const { node, ready, address } of endpoints) if (node === 'here' && ready) localAddresses.add(address)
    const { local, exist } = select(endpoints)
    if (!exist || local.length > 0) continue
    if (view.internalPolicy === 'Local') internal++
    if (isExternal(nodePort)) external++
  }
  return { healthCheckNodePort: view.healthCheckNodePort, localEndpoints: localAddresses.size, unserved: { internal, external } }
}
