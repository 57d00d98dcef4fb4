/**
 * The nouns that all modes share. A `NodeView` is what one node should do for services, in one IP family; how a kernel is
 * made to do it is the business of a mode (`mode.ts`). Everything here is a value: no I/O, no clock, no randomness.
 */

/** One kernel table, one chain set, one view for each IP family. The words are those of nft(8). */
export type Family = 'ip' | 'ip6'

export type Protocol = 'tcp' | 'udp' | 'sctp'

/** `namespace/name`. */
export type ServiceKey = string

/** Service.spec.internalTrafficPolicy and externalTrafficPolicy. */
export type TrafficPolicy = 'Cluster' | 'Local'

/** One family's view of a cluster from one node. Addresses are of that family only. */
export interface NodeView {
  readonly config: NodeConfig
  readonly services: ReadonlyMap<ServiceKey, ServiceView>
}

/**
 * How the node tells its pods from everybody else (KubeProxyConfiguration.detectLocalMode). `none`: it cannot, so traffic to
 * a cluster IP keeps its source, and nobody counts as a pod where external traffic policies ask.
 */
export type PodSources =
  | { readonly kind: 'none' }
  /** By source address: CIDR text, at least one. */
  | { readonly kind: 'cidrs'; readonly cidrs: readonly string[] }
  /** By the interface that the packet came in on; with `prefix`, by what its name begins with. */
  | { readonly kind: 'interface'; readonly name: string; readonly match: 'exact' | 'prefix' }

export interface NodeConfig {
  readonly pods: PodSources
  /** Masquerade all traffic to cluster IPs, whoever sends it. */
  readonly masqueradeAll: boolean
  /** The bit of the packet mark that asks for masquerade, 0 to 31; 14 by default. */
  readonly masqueradeBit: number
  /**
   * NodePorts answer on addresses of the node inside these CIDRs (bare addresses allowed), whether the node has them now or
   * gets them later.
   */
  readonly nodePortAddresses: readonly string[]
  /** Whether NodePorts answer on 127.0.0.0/8, too, for processes of the node. IPv4 only. */
  readonly localhostNodePorts: boolean
  /** The node's own primary addresses: what source ranges are compared with for the node itself. */
  readonly nodeAddresses: readonly string[]
  /** Whether forwarded packets that connection tracking calls invalid are dropped (not where it is told to be liberal). */
  readonly dropInvalid: boolean
}

export interface ServiceView {
  readonly key: ServiceKey
  /** RFC 3339 `creationTimestamp`; where two services claim one address and port, the older one has it. */
  readonly created: string
  readonly clusterIPs: readonly string[]
  readonly externalIPs: readonly string[]
  /** Of `status.loadBalancer.ingress`, where the mode is VIP. */
  readonly loadBalancerIPs: readonly string[]
  /** loadBalancerSourceRanges as written, of both families; empty: everyone. */
  readonly sourceRanges: readonly string[]
  readonly internalPolicy: TrafficPolicy
  readonly externalPolicy: TrafficPolicy
  /** Session affinity ClientIP: how many seconds a client is remembered after its last new connection. */
  readonly affinitySeconds?: number
  /** Set where load balancers ask this node for its number of local endpoints. */
  readonly healthCheckNodePort?: number
  readonly ports: readonly ServicePortView[]
}

export interface ServicePortView {
  /** May be empty when the service has one port. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  readonly nodePort?: number
  /** All known endpoints with their conditions; `select.ts` decides which of them count. */
  readonly endpoints: readonly EndpointView[]
}

/** What a topology hint of an endpoint says about this node (discovery/v1 endpoints[].hints). */
export type Hint = 'none' | 'here' | 'elsewhere'

export interface EndpointView {
  readonly address: string
  readonly port: number
  /** Where it runs. Without a `nodeName` nobody knows; such an endpoint counts as remote, but may be hairpinned here. */
  readonly node: 'here' | 'elsewhere' | 'unknown'
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly zoneHint: Hint
  readonly nodeHint: Hint
}

/** Something that cannot be served as it was asked for. It is left out; the rest of the service is served. */
export interface Problem {
  /** Absent where the node's own configuration is at fault. */
  readonly service?: ServiceKey
  readonly what: string
  readonly value: string
}
