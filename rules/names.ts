/** Every name that our table uses, and the words by which its comments name services. */
import type { ChainName, ServiceKey, SetName } from './model.ts'

export const tableName = 'wherry'

/** The bit of the packet mark that asks for masquerade in postrouting. */
export const masqueradeMark = '0x00004000'

export const setNames = {
  services: 'services',
  nodePorts: 'node-ports',
  clusterIPs: 'cluster-ips',
  clusterCIDRs: 'cluster-cidrs',
  nodePortAddresses: 'node-port-addresses',
  hairpin: 'hairpin',
  refusedNodePorts: 'refused-node-ports',
} as const satisfies Readonly<Record<string, SetName>>

export const chainNames = {
  natPrerouting: 'nat-prerouting',
  natOutput: 'nat-output',
  natPostrouting: 'nat-postrouting',
  refusePrerouting: 'refuse-prerouting',
  refuseOutput: 'refuse-output',
  refuse: 'refuse',
} as const satisfies Readonly<Record<string, ChainName>>

/**
 * What all services with one number of endpoints share: a chain and a map of the same name.
 * `cluster-ip` looks an endpoint up by virtual address, protocol and port, `node-port` by protocol and port.
 */
export interface Shape {
  readonly kind: 'cluster-ip' | 'node-port'
  /** How many endpoints, 1 or more. */
  readonly count: number
}

/** `endpoints-3`, `node-port-endpoints-3`: the name of both the chain and the map. */
export function shapeName(shape: Shape): ChainName {
  return shape.kind === 'cluster-ip' ? `endpoints-${shape.count}` : `node-port-endpoints-${shape.count}`
}

/** The shape that a chain or map name stands for; undefined for every other name. */
export function shapeOf(name: string): Shape | undefined {
  const match = /^(node-port-)?endpoints-([1-9]\d*)$/.exec(name)
  return match ? { kind: match[1] ? 'node-port' : 'cluster-ip', count: Number(match[2]) } : undefined
}

/** The value of a verdict map's element. */
export function gotoVerdict(chain: ChainName): string {
  return `goto ${chain}`
}

/** The chain that a verdict names, if it names one. */
export function verdictTarget(verdict: string): ChainName | undefined {
  return /^(?:goto|jump) (\S+)$/.exec(verdict)?.[1]
}

/** What nft takes as the comment of an element, in bytes (NFTNL_UDATA_COMMENT_MAXLEN). */
export const commentLimit = 128

/** Whoever sees `~` and eight hexadecimal digits at the end knows that the name was cut; the digits tell cut names apart. */
const cutLength = commentLimit - 9

/**
 * `namespace/service:port`, or `namespace/service` without a port name: safe inside nft's quotes and at most `commentLimit`
 * bytes. Characters that no Kubernetes name has become `_`, so that no name can end the quotes.
 */
export function serviceComment(service: ServiceKey, portName: string): string {
  const full = portName === '' ? service : `${service}:${portName}`
  const safe = full.replace(/[^A-Za-z0-9._/:-]/g, '_')
  return safe.length <= commentLimit ? safe : `${safe.slice(0, cutLength)}~${digest(full)}`
}

/** FNV-1a, 32 bits, over UTF-16 code units, as eight hexadecimal digits. */
function digest(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
