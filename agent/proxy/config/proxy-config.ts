/** What the proxy is told, complete and checked. Immutable; times in milliseconds. */

export type ModeName = 'nftables' | 'iptables' | 'ipvs'

/** Where a server listens. `::` and `0.0.0.0` stand for every address. */
export interface Bind {
  readonly host: string
  readonly port: number
}

/** How pods of this node or cluster are told from everybody else (KubeProxyConfiguration.detectLocalMode). */
export type DetectLocal =
  /** At most one CIDR for each family; none means that nobody counts as a pod. */
  | { readonly kind: 'cluster-cidr'; readonly cidrs: readonly string[] }
  /** By the podCIDRs of this node's Node object. */
  | { readonly kind: 'node-cidr' }
  | { readonly kind: 'interface'; readonly name: string; readonly match: 'exact' | 'prefix' }

/** On which of the node's addresses node ports answer. */
export interface NodePortAddresses {
  /** On every address; nothing else counts then. */
  readonly all: boolean
  /** On the addresses of the Node object. */
  readonly primary: boolean
  readonly cidrs: readonly string[]
}

/** 0 leaves a kernel setting as it is. */
export interface ConntrackSettings {
  readonly maxPerCore: number
  readonly min: number
  readonly tcpEstablishedMs: number
  readonly tcpCloseWaitMs: number
  readonly tcpBeLiberal: boolean
  readonly udpMs: number
  readonly udpStreamMs: number
}

export interface IpvsSettings {
  readonly scheduler: string
  readonly excludeCIDRs: readonly string[]
  readonly strictARP: boolean
  /** 0 leaves the kernel's timeout as it is. */
  readonly tcpMs: number
  readonly tcpFinMs: number
  readonly udpMs: number
}

export interface ProxyConfig {
  readonly mode: ModeName
  /** The name of this node's Node object: by it an endpoint is local. */
  readonly node: string
  /** Without either, the service account of the pod is used. */
  readonly api: { readonly kubeconfig?: string; readonly master?: string }
  /** The node's address where the Node object has none; unspecified by default. Its family is the primary one. */
  readonly bindAddress: string
  readonly healthz?: Bind
  readonly metrics?: Bind
  readonly bindAddressHardFail: boolean
  readonly detectLocal: DetectLocal
  readonly nodePortAddresses: NodePortAddresses
  readonly masqueradeAll: boolean
  readonly masqueradeBit: number
  /** Whether node ports answer on 127.0.0.0/8. */
  readonly localhostNodePorts: boolean
  /** `periodMs`: how long a change may wait before the proxy counts as late, half of what /healthz allows. */
  readonly sync: { readonly periodMs: number }
  readonly conntrack: ConntrackSettings
  readonly ipvs: IpvsSettings
  readonly oomScoreAdj: number
  readonly verbosity: number
  /** What was given and has no effect, each with the reason. */
  readonly moot: readonly string[]
}
