/** The routes of one service as entries of chains: what the service alone is the reason for. */
import { isPort } from '../address.ts'
import type { EndpointView, Family, NodeConfig, ServiceKey, ServiceView } from '../model.ts'
import { frontKey, type Front, type Route, type ServiceRoutes } from '../routes.ts'
import type { Layout } from './layout.ts'
import type { Rule } from './model.ts'
import { affinityName, allowedName, chainNames, insideName, placeOf, serviceComment, type Place } from './names.ts'
import { addressLeaf, portLeaf, portTrees, trees } from './tree.ts'
import {
  addressWords, chanceWords, commentWords, endpointText, masquerade, portWords, recallWords, reject, rememberWords, setMark, sourceIsLocal,
} from './words.ts'

/** Some rules of a chain. Two services may have the same entry; it is there once. */
export interface Entry {
  readonly place: Place
  /** Entries of a chain stand in the order of these. */
  readonly order: string
  readonly rules: readonly Rule[]
}

export interface Node {
  readonly family: Family
  readonly config: NodeConfig
  readonly layout: Layout
}

export function entriesOf(node: Node, view: ServiceView, { clusterIPs, routes }: ServiceRoutes): readonly Entry[] {
  const service = view.key
  const entries: Entry[] = []
  for (const route of routes) {
    const work = workFor(node, service, route)
    const refusals = [...refusalsOf(work)]
    entries.push(...translations(work, refusals.length > 0))
    if (refusals.length > 0) entries.push({ place: refuseLeaf(route.front), order: work.order, rules: named(work, refusals) })
  }
  for (const address of clusterIPs) {
    const rule = `${addressWords('-d', node.family, address)}${commentWords(serviceComment(service, ''))}${reject(node.family)}`
    // Behind all fronts of the address.
    entries.push({ place: addressLeaf(trees.refuse, address), order: `${address} ~`, rules: [rule] })
  }
  entries.push(...hairpins(node, routes), ...healthCheck(view))
  return entries
}

interface Work {
  readonly node: Node
  readonly service: ServiceKey
  readonly route: Route
  readonly order: string
  /** Matches the destination; a source in front of it is the first word of a rule. */
  readonly front: string
  /** The end of `front`. */
  readonly ports: string
  readonly comment: string
}

function workFor(node: Node, service: ServiceKey, route: Route): Work {
  const { front, portName } = route
  const ports = portWords(front.protocol, front.port)
  const destination = front.kind === 'node-port' ? '' : addressWords('-d', node.family, front.address)
  return {
    node,
    service,
    route,
    order: frontKey(front),
    front: `${destination}${ports}`,
    ports,
    comment: commentWords(serviceComment(service, portName)),
  }
}

/** Each rule tells whose it is. */
function named({ ports, comment }: Work, rules: readonly Rule[]): readonly Rule[] {
  return rules.map((rule) => rule.replace(ports, () => `${ports}${comment}`))
}

/** @param refused whether some of the packets to the front are to stay as they are, to be refused */
function* translations(work: Work, refused: boolean): Generator<Entry> {
  const { node: { family }, route, order, front } = work
  const place = translateLeaf(route.front)
  const rules: Rule[] = []
  if (route.endpoints.length > 0) {
    const chosen = route.outsiders ? yield* divided(work, route.outsiders) : [...marks(work), ...choice(work, route.endpoints)]
    if (route.sources) {
      const chain = allowedName(order)
      yield { place: placeOf('nat', chain), order, rules: named(work, chosen) }
      rules.push(...route.sources.map((range) => `${addressWords('-s', family, range)}${front}-j ${chain}`))
    } else rules.push(...chosen)
  }
  // The node may own the address: what is refused there must not come to a NodePort that has the same number.
  const mayBeLocal = route.front.kind === 'external-ip' || route.front.kind === 'load-balancer-ip'
  if (refused && mayBeLocal) rules.push(`${front}-j ACCEPT`)
  if (rules.length > 0) yield { place, order, rules: named(work, rules) }
}

/** External policy Local: pods and the node itself have all endpoints; all others have those of this node, or none. */
function* divided(work: Work, outsiders: readonly EndpointView[]): Generator<Entry, readonly Rule[]> {
  const { node: { layout, config }, route, order, front } = work
  const chain = insideName(order)
  yield { place: placeOf('nat', chain), order, rules: named(work, choice(work, route.endpoints)) }
  return [
    ...layout.pods.map((match) => `${from(match, front)}-j ${chain}`),
    `${front}${sourceIsLocal}${setMark(config)}`,
    `${front}${sourceIsLocal}-j ${chain}`,
    ...choice(work, outsiders),
  ]
}

/** iptables-save prints the source before the destination, and the interface behind it. */
function from(match: string, front: string): string {
  if (match === '' || match.startsWith('-s')) return `${match}${front}`
  const at = front.indexOf('-p ')
  return `${front.slice(0, at)}${match}${front.slice(at)}`
}

function marks({ node: { config }, route, front }: Work): readonly Rule[] {
  const all = `${front}${setMark(config)}`
  if (route.masquerade === 'all') return [all]
  if (route.masquerade === 'node') return [`${front}${sourceIsLocal}${setMark(config)}`]
  if (config.masqueradeAll) return [all]
  return config.pods.kind === 'none' ? [] : [`${front}-j ${chainNames.strangers}`]
}

/** Clients that are remembered first, then chance. What comes after a choice is never met. */
function choice(work: Work, endpoints: readonly EndpointView[]): readonly Rule[] {
  const { node: { family }, service, route: { affinitySeconds, portName, front: { protocol } }, front } = work
  const target = (endpoint: EndpointView): string => `-j DNAT --to-destination ${endpointText(endpoint)}`
  const list = (endpoint: EndpointView): string => affinityName({ service, name: portName, protocol }, endpointText(endpoint))
  const recalled = affinitySeconds === undefined ? [] : endpoints.map((e) => `${front}${recallWords(family, list(e), affinitySeconds)}${target(e)}`)
  return [
    ...recalled,
    ...endpoints.map((e, i) => {
      const remember = affinitySeconds === undefined ? '' : rememberWords(family, list(e))
      return `${front}${chanceWords(endpoints.length - i)}${remember}${target(e)}`
    }),
  ]
}

/** What becomes of packets that were not translated. Of a cluster IP everything is refused that no other rule is for. */
function* refusalsOf({ node: { family }, route, front }: Work): Generator<Rule> {
  const { endpoints, outsiders, otherwise, sources } = route
  const drop = `${front}-j DROP`
  if (endpoints.length > 0) {
    if (sources !== undefined || outsiders?.length === 0) yield drop
  } else if (otherwise === 'drop') yield drop
  else if (sources !== undefined) {
    for (const range of sources) yield `${addressWords('-s', family, range)}${front}${reject(family)}`
    yield drop
  } else if (route.front.kind !== 'cluster-ip') yield `${front}${reject(family)}`
}

/** An endpoint that is chosen for its own packet sees the node's address, or it would answer itself past the node. */
function* hairpins({ family }: Node, routes: readonly Route[]): Generator<Entry> {
  const addresses = new Set<string>()
  for (const { endpoints, outsiders = [] } of routes) {
    for (const { address, node } of [...endpoints, ...outsiders]) if (node !== 'elsewhere') addresses.add(address)
  }
  for (const address of addresses) {
    const rule = `${addressWords('-s', family, address)}${addressWords('-d', family, address)}${masquerade}`
    yield { place: addressLeaf(trees.hairpin, address), order: address, rules: [rule] }
  }
}

/** Load balancers ask the node itself there, whatever other rules its input has. */
function* healthCheck({ key, healthCheckNodePort: port }: ServiceView): Generator<Entry> {
  if (port === undefined || !isPort(port)) return
  const rule = `${portWords('tcp', port)}${commentWords(serviceComment(key, ''))}-j ACCEPT`
  yield { place: portLeaf(portTrees.healthChecks, 'tcp', port), order: `${port} ${key}`, rules: [rule] }
}

function translateLeaf(front: Front): Place {
  return front.kind === 'node-port' ? portLeaf(portTrees.nodePorts, front.protocol, front.port) : addressLeaf(trees.services, front.address)
}

function refuseLeaf(front: Front): Place {
  return front.kind === 'node-port' ? portLeaf(portTrees.refuse, front.protocol, front.port) : addressLeaf(trees.refuse, front.address)
}
