/** Which endpoints of a port count. */
import type { EndpointView, Hint } from './model.ts'

/** The sets of endpoints between which traffic policies choose. */
export interface Selection {
  /** For the policy Cluster. */
  readonly cluster: readonly EndpointView[]
  /** For the policy Local: those on this node. */
  readonly local: readonly EndpointView[]
  /** Whether any node has one that could be used. Without one traffic is refused, whatever the policy says. */
  readonly exist: boolean
}

/**
 * Ready endpoints; if there is none, those that are terminating but still serve (KEP-1669). Endpoints that are neither
 * ready nor terminating never count. One address and port counts once, as local if any of its entries is local. Topology
 * hints narrow the cluster's ready endpoints alone. The order does not depend on the order of the input.
 */
export function select(endpoints: readonly EndpointView[]): Selection {
  const ready = endpoints.filter((e) => e.ready)
  const leaving = endpoints.filter((e) => !e.ready && e.serving && e.terminating)
  const here = (e: EndpointView): boolean => e.node === 'here'
  const readyHere = ready.filter(here)
  return {
    cluster: distinct(ready.length > 0 ? hinted(ready) : leaving),
    local: distinct(readyHere.length > 0 ? readyHere : leaving.filter(here)),
    exist: ready.length + leaving.length > 0,
  }
}

/** Hints for nodes count before hints for zones (KEP-3015, KEP-2433); each kind counts only if every endpoint has one. */
function hinted(ready: readonly EndpointView[]): readonly EndpointView[] {
  return narrowed(ready, (e) => e.nodeHint) ?? narrowed(ready, (e) => e.zoneHint) ?? ready
}

function narrowed(ready: readonly EndpointView[], hint: (e: EndpointView) => Hint): readonly EndpointView[] | undefined {
  if (!ready.every((e) => hint(e) !== 'none')) return undefined
  const meant = ready.filter((e) => hint(e) === 'here')
  return meant.length > 0 ? meant : undefined
}

/** In order of address and port, each of them once: the local one, else the first. */
export function distinct(endpoints: readonly EndpointView[]): readonly EndpointView[] {
  if (endpoints.every((endpoint, i) => i === 0 || byPlace(endpoints[i - 1]!, endpoint) < 0)) return endpoints
  const ordered = endpoints.toSorted((a, b) => byPlace(a, b) || Number(b.node === 'here') - Number(a.node === 'here'))
  return ordered.filter((endpoint, i) => i === 0 || byPlace(ordered[i - 1]!, endpoint) < 0)
}

function byPlace(a: EndpointView, b: EndpointView): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port
}
