/** What one service wants of the kernel, as claims. Which claim wins where several services raise it is for claims.ts to say. */
import { isPort, unicastFault } from './family.ts'
import type { Element, EndpointView, Protocol, ServiceKey, ServicePortView, ServiceView, SetName } from './model.ts'
import { gotoVerdict, serviceComment, setNames, shapeName, type Shape } from './names.ts'
import { select } from './select.ts'

/** The set and key that can have one owner only: `services 10.96.0.1 . tcp . 80`. */
export type ClaimKey = string

export interface PlacedElement {
  readonly set: SetName
  readonly element: Element
}

/** Something that cannot be served as it was asked for. It is left out; the rest of the service is served. */
export interface Problem {
  /** Absent where the node's own configuration is at fault. */
  readonly service?: ServiceKey
  readonly what: string
  readonly value: string
}

export interface Fragment {
  /**
   * The elements that go with each claim. No element can come with two different claims, so whoever wins a claim brings all
   * of it. A claim without elements still holds its place: an address whose owner has no endpoints goes to nobody else.
   */
  readonly claims: ReadonlyMap<ClaimKey, readonly PlacedElement[]>
  readonly problems: readonly Problem[]
}

const protocols: ReadonlySet<Protocol> = new Set(['tcp', 'udp', 'sctp'])

/** One service's wishes. Addresses and ports that are malformed or harmful are left out and become problems. */
export function fragmentOf(service: ServiceView): Fragment {
  const claims = new Map<ClaimKey, readonly PlacedElement[]>()
  const problems: Problem[] = []
  const complain = (what: string, value: string): void => void problems.push({ service: service.key, what, value })

  const addresses = service.clusterIPs.filter((address) => {
    const fault = unicastFault(address)
    if (fault) complain(`cluster IP ${fault}`, address)
    return !fault
  })
  for (const address of addresses) {
    share(claims, setNames.clusterIPs, { key: address, comment: serviceComment(service.key, '') })
  }
  for (const port of service.ports) {
    if (!protocols.has(port.protocol)) complain('protocol is none of tcp, udp, sctp', port.protocol)
    else addPort({ service, port, addresses, claims, complain })
  }
  return { claims, problems }
}

interface PortWork {
  readonly service: ServiceView
  readonly port: ServicePortView
  readonly addresses: readonly string[]
  readonly claims: Map<ClaimKey, readonly PlacedElement[]>
  readonly complain: (what: string, value: string) => void
}

function addPort(work: PortWork): void {
  const { service, port, addresses, claims, complain } = work
  const endpoints = select(port.endpoints.filter((e) => isUsable(e, complain))).cluster
  const comment = serviceComment(service.key, port.name)
  const stake = (claim: ClaimKey, elements: readonly PlacedElement[]): void => {
    if (claims.has(claim)) complain('the service lists a port twice', claim)
    else claims.set(claim, elements)
  }

  if (isPort(port.port)) {
    for (const address of addresses) {
      const key = `${address} . ${port.protocol} . ${port.port}`
      stake(`${setNames.services} ${key}`, routed({ kind: 'cluster-ip', count: endpoints.length }, { key, comment }, endpoints))
    }
  } else complain('port is out of range', String(port.port))

  if (port.nodePort !== undefined) {
    if (isPort(port.nodePort)) {
      const key = `${port.protocol} . ${port.nodePort}`
      const elements =
        endpoints.length > 0
          ? routed({ kind: 'node-port', count: endpoints.length }, { key, comment }, endpoints)
          : [{ set: setNames.refusedNodePorts, element: { key, comment } }]
      stake(`${setNames.nodePorts} ${key}`, elements)
    } else complain('node port is out of range', String(port.nodePort))
  }
  for (const { local, address } of endpoints) if (local) share(claims, setNames.hairpin, { key: `${address} . ${address}` })
}

/** An element that any number of services may want; it is in the kernel as long as one of them does. */
function share(claims: Map<ClaimKey, readonly PlacedElement[]>, set: SetName, element: Element): void {
  claims.set(`${set} ${element.key}`, [{ set, element }])
}

/** The verdict that leads to the chain of a shape, and one element for each endpoint; nothing without endpoints. */
function routed(shape: Shape, front: Element, endpoints: readonly EndpointView[]): readonly PlacedElement[] {
  if (endpoints.length === 0) return []
  const name = shapeName(shape)
  const set = shape.kind === 'cluster-ip' ? setNames.services : setNames.nodePorts
  return [
    { set, element: { key: front.key, value: gotoVerdict(name), comment: front.comment } },
    ...endpoints.map((e, i) => ({ set: name, element: { key: `${front.key} . ${i}`, value: `${e.address} . ${e.port}` } })),
  ]
}

function isUsable(endpoint: EndpointView, complain: PortWork['complain']): boolean {
  const fault = unicastFault(endpoint.address)
  if (fault) complain(`endpoint address ${fault}`, endpoint.address)
  else if (!isPort(endpoint.port)) complain('endpoint port is out of range', `${endpoint.address}:${endpoint.port}`)
  else return true
  return false
}
