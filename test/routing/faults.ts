/**
 * Faults to be planted, in what a mode is told to do or in the process around it, with rows of the catalogue in which some
 * behaviour must be missed then. A suite that would not notice is worth nothing.
 */
import type { Expected } from '../../agent/kernel/flows/conntrack.ts'
import type { KubeObject } from '../../api/objects.ts'
import type { ModeName } from '../../rules/mode.ts'
import type { EndpointView, Family, NodeConfig, NodeView, ServicePortView, ServiceView } from '../../rules/model.ts'
import type { Journey, Packet } from '../../rules/packet.ts'

export interface Fault {
  /** Rows of which a behaviour is missed, each of them. */
  readonly rows: string
  /** In which mode it is planted where packets are sent, if not the first. */
  readonly mode?: ModeName
  /** What the API says is altered. */
  readonly object?: (object: KubeObject) => KubeObject
  /** What is asked of the mode is altered. */
  readonly view?: (view: NodeView, family: Family) => NodeView
  /** What a tracer says is altered. */
  readonly journeys?: (journeys: readonly Journey[], packet: Packet) => readonly Journey[]
  /** What connection tracking is compared with is altered. */
  readonly flows?: (expected: Expected) => Expected
  /** What is run after each pass, unseen by who watches for other hands. */
  readonly spoils?: readonly string[]
  /** Other hands are not noticed. */
  readonly blind?: true
  /** Cleaning up does nothing. */
  readonly leavesRules?: true
  /** Who ends takes the rules along. */
  readonly takesAlong?: true
}

const config = (change: (config: NodeConfig) => Partial<NodeConfig>): Fault['view'] => (view) => ({ ...view, config: { ...view.config, ...change(view.config) } })

const services = (change: (service: ServiceView) => Partial<ServiceView> | undefined): Fault['view'] => (view) => ({
  ...view,
  services: new Map(
    [...view.services].flatMap(([key, service]) => {
      const part = change(service)
      return part ? [[key, { ...service, ...part }] as const] : []
    }),
  ),
})

const ports = (change: (port: ServicePortView) => Partial<ServicePortView>): Fault['view'] =>
  services((service) => ({ ports: service.ports.map((port) => ({ ...port, ...change(port) })) }))

const endpoints = (change: (endpoint: EndpointView) => Partial<EndpointView> | undefined): Fault['view'] =>
  ports(({ endpoints: all }) => ({
    endpoints: all.flatMap((endpoint) => {
      const part = change(endpoint)
      return part ? [{ ...endpoint, ...part }] : []
    }),
  }))

const specs = (kind: string, part: Readonly<Record<string, unknown>>): Fault['object'] => (object) =>
  object.kind === kind ? { ...object, spec: { ...(object.spec as object), ...part } } : object

const onlyLabel = 'kubernetes.io/service-name'

function withoutLabels(object: KubeObject): KubeObject {
  const owner = object.metadata.labels?.[onlyLabel]
  return { ...object, metadata: { ...object.metadata, labels: owner === undefined ? {} : { [onlyLabel]: owner } } }
}

const all = { ip: '0.0.0.0/0', ip6: '::/0' } as const

/** Of what a tracer sees. */
export const viewFaults: Readonly<Record<string, Fault>> = {
  'no service is known': { view: services(() => undefined), rows: 'A1 A2 A3 A4 A8 D1 D2 D3 E8 U1 U4 I10' },
  'every port is another one': { view: ports(({ port }) => ({ port: port + 1 })), rows: 'A5 A6 U3 I4 I11' },
  'TCP and UDP are mixed up': { view: ports(({ protocol }) => ({ protocol: protocol === 'tcp' ? 'udp' : 'tcp' })), rows: 'I4 I11 N1 A8' },
  'SCTP is taken for UDP': { view: ports(({ protocol }) => (protocol === 'sctp' ? { protocol: 'udp' } : {})), rows: 'I11' },
  'an endpoint is forgotten': { view: ports(({ endpoints: known }) => ({ endpoints: known.slice(1) })), rows: 'D1 D2 E8 I5 I6 U1 U2 I3 I12' },
  'labels are not read': { object: withoutLabels, rows: 'I1 I2' },
  'types are not read': { object: specs('Service', { type: 'LoadBalancer' }), rows: 'I1 U5' },
  'families are not told apart': { object: specs('Service', { ipFamilies: undefined, clusterIPs: ['10.96.99.99', 'fd00:10:96::9999'] }), rows: 'F1' },
  'only one service is served': { view: (view) => ({ ...view, services: new Map([...view.services].slice(-1)) }), rows: 'I9' },
  'what nobody has is refused': { journeys: (found) => found.map((one) => (one.fate.kind === 'passed' ? { ...one, fate: { kind: 'refused', answer: 'port-unreachable' } } : one)), rows: 'A5 A7 P4' },
  'unready endpoints are used': { view: endpoints(() => ({ ready: true })), rows: 'E1 E2 E3 E4 E5 T3' },
  'endpoints that end are not used': { view: endpoints(({ terminating }) => (terminating ? undefined : {})), rows: 'E1 E2 E5' },
  'no endpoint is ready': { view: endpoints(() => ({ ready: false, serving: false })), rows: 'I7 D1 E1' },
  'what is refused is dropped': { journeys: (found) => found.map((one) => (one.fate.kind === 'refused' ? { ...one, fate: { kind: 'dropped' } } : one)), rows: 'N1 N4 N5 A6' },
  'all endpoints are here': { view: endpoints(() => ({ node: 'here' })), rows: 'D4 D6 N2 N3 N5 E2 E6 P5' },
  'no endpoint is here': { view: endpoints(() => ({ node: 'elsewhere' })), rows: 'D4 D6 D11 M5 E5 P5' },
  'hints are not read': { view: endpoints(() => ({ zoneHint: 'none', nodeHint: 'none' })), rows: 'T1 T3 T5 T6 T4' },
  'hints are all ours': { view: endpoints(({ zoneHint }) => ({ zoneHint: zoneHint === 'none' ? 'elsewhere' : 'here' })), rows: 'T1 T2 T6' },
  'policies are not read': { view: services(() => ({ internalPolicy: 'Cluster', externalPolicy: 'Cluster' })), rows: 'D4 D6 D7 D8 D10 N2 N3 N5 M4 M9 P5 E2 E7' },
  'the policies are exchanged': {
    view: services(({ internalPolicy, externalPolicy }) => ({ internalPolicy: externalPolicy, externalPolicy: internalPolicy })), rows: 'D4 D9 D10',
  },
  'the policies are Local everywhere': { view: services(() => ({ internalPolicy: 'Local', externalPolicy: 'Local' })), rows: 'D1 D5 D10 M3' },
  'external addresses are not read': { view: services(() => ({ externalIPs: [], loadBalancerIPs: [] })), rows: 'A2 A3 A8 A9 D5 N4 E9 U6' },
  'source ranges are not read': { view: services(() => ({ sourceRanges: [] })), rows: 'L1 L2 L4 L6 I8 L5 F2' },
  'source ranges keep everyone out': {
    view: services(({ sourceRanges }) => (sourceRanges.length > 0 ? { sourceRanges: ['100.127.0.0/16', '2001:db8:9999::/64'] } : {})), rows: 'L1 L2 L3',
  },
  'source ranges are for every front': {
    view: services(({ sourceRanges, externalIPs, loadBalancerIPs }) => (sourceRanges.length > 0 ? { loadBalancerIPs: [...loadBalancerIPs, ...externalIPs], externalIPs: [] } : {})), rows: 'L1',
  },
  'node ports are not read': {
    view: ports(({ nodePort }) => (nodePort === undefined ? {} : { nodePort: 1 })), rows: 'A4 P1 P5 U4 P6 P7',
  },
  'nobody is a pod': { view: config(() => ({ pods: { kind: 'none' } })), rows: 'D3 D7 M1 M2 M6 M8 M7' },
  'everybody is a pod': { view: config(() => ({ pods: { kind: 'cidrs', cidrs: Object.values(all) } })), rows: 'D3 D6 M2 M8' },
  'everything is masqueraded': { view: config(() => ({ masqueradeAll: true })), rows: 'D1 D12 M2' },
  'masqueradeAll is not read': { view: config(() => ({ masqueradeAll: false })), rows: 'M2' },
  'node ports answer nowhere': { view: config(() => ({ nodePortAddresses: [] })), rows: 'P1 P2 A4 N3' },
  'node ports answer everywhere': { view: config(() => ({ nodePortAddresses: Object.values(all), localhostNodePorts: true })), rows: 'P1 P3' },
}

const affinity = (seconds: number | undefined): Fault['view'] => services(() => ({ affinitySeconds: seconds }))

/** Of what only packets and processes show; planted in the process of node1. */
export const processFaults: Readonly<Record<string, Fault>> = {
  'flows are never ended': { flows: (expected) => ({ ...expected, isVirtual: () => false }), rows: 'C2 C4 C5 C6 C11' },
  'flows are always ended': { flows: (expected) => ({ ...expected, isLive: () => false }), rows: 'C3 C7 C8' },
  'connections are cut': { spoils: ['conntrack', '-F'], rows: 'C1 N6 R2' },
  'invalid packets pass': { view: config(() => ({ dropInvalid: false })), rows: 'C9' },
  'affinity is not read': { view: affinity(undefined), rows: 'S1 S4 S5 S7' },
  'affinity is everywhere': { view: affinity(10_000), rows: 'S6' },
  'affinity never ends': { view: services(({ affinitySeconds }) => (affinitySeconds === undefined ? {} : { affinitySeconds: 10_000 })), rows: 'S2' },
  'who is remembered may not be chosen': { view: endpoints(() => ({ ready: true })), rows: 'S3' },
  'what is masqueraded is not let through': {
    // The other family may be first.
    mode: 'iptables', spoils: ['sh', '-c', 'iptables -w -F WHERRY-FORWARD || true'], blind: true, rows: 'M10',
  },
  'health checks are not known': { mode: 'iptables', view: services(() => ({ healthCheckNodePort: undefined })), rows: 'H5' },
  'other hands are not noticed': { blind: true, rows: 'U12' },
  'cleaning up does nothing': { leavesRules: true, rows: 'R4' },
  'who ends takes the rules along': { takesAlong: true, rows: 'R1' },
}

/** By name, as the process of node1 is told. */
export const faults: Readonly<Record<string, Fault>> = { ...viewFaults, ...processFaults }
