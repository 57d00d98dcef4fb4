/** Every name that our chains and lists have, and the words by which comments name services. */
import type { Protocol, ServiceKey } from '../model.ts'
import type { ChainName, TableName } from './model.ts'

/** All chains that begin so are ours; nobody else's are. */
export const prefix = 'WHERRY-'

export const chainNames = {
  services: 'WHERRY-SERVICES',
  nodePorts: 'WHERRY-NODEPORTS',
  strangers: 'WHERRY-STRANGERS',
  postrouting: 'WHERRY-POSTROUTING',
  masquerade: 'WHERRY-MASQUERADE',
  hairpin: 'WHERRY-HAIRPIN',
  input: 'WHERRY-INPUT',
  forward: 'WHERRY-FORWARD',
  output: 'WHERRY-OUTPUT',
  refuse: 'WHERRY-REFUSE',
  refuseNodePorts: 'WHERRY-REFUSE-NODEPORTS',
  healthChecks: 'WHERRY-HEALTH-CHECKS',
} as const satisfies Readonly<Record<string, ChainName>>

/** A chain and its table in one text: `nat WHERRY-SERVICES`. */
export type Place = `${TableName} ${ChainName}`

export function placeOf(table: TableName, chain: ChainName): Place {
  return `${table} ${chain}`
}

export function partsOf(place: Place): { readonly table: TableName; readonly chain: ChainName } {
  return place.startsWith('nat ') ? { table: 'nat', chain: place.slice(4) } : { table: 'filter', chain: place.slice(7) }
}

/** The chain of those who may use all endpoints of a front although its policy is Local. */
export function insideName(front: string): ChainName {
  return `${prefix}INSIDE-${digest(front)}`
}

/** The chain of those who may enter a front that not everyone may enter. */
export function allowedName(front: string): ChainName {
  return `${prefix}ALLOWED-${digest(front)}`
}

/** The list of clients that stay with an endpoint of a service port, whichever front they came by. */
export function affinityName(port: { readonly service: ServiceKey; readonly name: string; readonly protocol: Protocol }, endpoint: string): string {
  return `${prefix}${digest(`${port.service} ${port.name} ${port.protocol} ${endpoint}`)}`
}

/** What iptables takes as a comment, in bytes, without the end (XT_MAX_COMMENT_LEN). */
const commentLimit = 255
/** Whoever sees `~` and twelve hexadecimal digits at the end knows that the name was cut; the digits tell cut names apart. */
const cutLength = commentLimit - 13

/**
 * `namespace/service:port`, or `namespace/service` without a port name, safe inside quotes: characters that no Kubernetes name
 * has become `_`.
 */
export function serviceComment(service: ServiceKey, portName: string): string {
  const full = portName === '' ? service : `${service}:${portName}`
  const safe = full.replace(/[^A-Za-z0-9._/:-]/g, '_')
  return safe.length <= commentLimit ? safe : `${safe.slice(0, cutLength)}~${digest(full)}`
}

/** Twelve hexadecimal digits, the same on every node and after every restart: FNV-1a over UTF-16 code units, mixed, twice. */
function digest(text: string): string {
  const high = mixed(text, 0x811c9dc5).toString(16).padStart(8, '0')
  return `${high}${(mixed(text, 0x9747b28c) >>> 16).toString(16).padStart(4, '0')}`
}

function mixed(text: string, seed: number): number {
  let value = seed
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
