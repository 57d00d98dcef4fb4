/** Which endpoints of a port count. */
import type { EndpointView } from './model.ts'

/** The sets of endpoints between which traffic policies choose. */
export interface Selection {
  /** For the policy Cluster: every node's endpoints. */
  readonly cluster: readonly EndpointView[]
}

/**
 * Ready endpoints; if there is none, those that are terminating but still serve (KEP-1669). Endpoints that are neither
 * ready nor terminating never count. One address and port counts once, as local if any of its entries is local. The order
 * does not depend on the order of the input.
 */
export function select(endpoints: readonly EndpointView[]): Selection {
  const ready = endpoints.filter((e) => e.ready)
  return { cluster: distinct(ready.length > 0 ? ready : endpoints.filter((e) => e.serving && e.terminating)) }
}

function distinct(endpoints: readonly EndpointView[]): readonly EndpointView[] {
  const found = new Map<string, EndpointView>()
  for (const endpoint of endpoints) {
    const key = `${endpoint.address} ${endpoint.port}`
    if (endpoint.local || !found.has(key)) found.set(key, endpoint)
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint)
}
