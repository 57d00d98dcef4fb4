/** Every name that our table uses, and the words by which its comments name services. */
import type { Family, Protocol, ServiceKey } from '../model.ts'
import type { ChainName, SetName } from './model.ts'

export const tableName = 'wherry'

export const setNames = {
  clusterIPs: 'cluster-ips',
  serviceRanges: 'service-ranges',
  externalRanges: 'external-ranges',
  external: 'external',
  externalLocal: 'external-local',
  restricted: 'restricted',
  sourceRanges: 'source-ranges',
  refused: 'refused',
  dropped: 'dropped',
  podRanges: 'pod-ranges',
  nodePortAddresses: 'node-port-addresses',
  hairpin: 'hairpin',
  affinityIds: 'affinity-ids',
  affinity: 'affinity',
  rememberedEndpoints: 'remembered-endpoints',
  rememberedOutsiders: 'remembered-outsiders',
} as const satisfies Readonly<Record<string, SetName>>

export const chainNames = {
  natPrerouting: 'nat-prerouting',
  natOutput: 'nat-output',
  natPostrouting: 'nat-postrouting',
  external: 'external',
  externalLocal: 'external-local',
  nodePorts: 'node-ports',
  nodePortsLocal: 'node-ports-local',
  endpoints: 'endpoints',
  outsiders: 'outsiders',
  nodePortEndpoints: 'node-port-endpoints',
  nodePortOutsiders: 'node-port-outsiders',
  remembered: 'remembered',
  rememberedOutsiders: 'remembered-outsiders',
  nodePortRemembered: 'node-port-remembered',
  nodePortRememberedOutsiders: 'node-port-remembered-outsiders',
  learnPrerouting: 'learn-prerouting',
  learnOutput: 'learn-output',
  learn: 'learn',
  untranslatedPrerouting: 'untranslated-prerouting',
  untranslatedOutput: 'untranslated-output',
  untranslated: 'untranslated',
  untranslatedClusterIP: 'untranslated-cluster-ip',
  untranslatedNodePort: 'untranslated-node-port',
  refuse: 'refuse',
  filterForward: 'filter-forward',
  filterInput: 'filter-input',
} as const satisfies Readonly<Record<string, ChainName>>

/**
 * Sets that exist only once something needs them: `endpoints-3` and `outsiders-3` (the map of all fronts with three slots),
 * `affinity-members-10800` (the endpoints of services that remember clients for so many seconds).
 */
export type Extension = { readonly kind: 'endpoints' | 'outsiders' | 'affinity-members'; readonly number: number }

export function extensionName({ kind, number }: Extension): SetName {
  return `${kind}-${number}`
}

/** The extension that a set's name stands for; undefined for every other name. */
export function extensionOf(name: SetName): Extension | undefined {
  const match = /^(endpoints|outsiders|affinity-members)-([1-9]\d*)$/.exec(name)
  return match ? { kind: match[1] as Extension['kind'], number: Number(match[2]) } : undefined
}

/** Words that differ between the nft families. */
export interface FamilyWords {
  /** Protocol word in expressions: `ip daddr`, `dnat ip to`. */
  readonly ip: 'ip' | 'ip6'
  /** Data type of an address. */
  readonly addressType: 'ipv4_addr' | 'ipv6_addr'
}

export const words: Readonly<Record<Family, FamilyWords>> = {
  ip: { ip: 'ip', addressType: 'ipv4_addr' },
  ip6: { ip: 'ip6', addressType: 'ipv6_addr' },
}

export function keyOf(address: string, protocol: Protocol, port: number): string {
  return `${address} . ${protocol} . ${port}`
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
  return safe.length <= commentLimit ? safe : `${safe.slice(0, cutLength)}~${hash(full).toString(16).padStart(8, '0')}`
}

/** FNV-1a with a final mix, 32 bits, over UTF-16 code units: the same on every node and after every restart. */
export function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return spread(value)
}

/** So that every bit of a value reaches every bit of the result, 32 of them. */
export function spread(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
