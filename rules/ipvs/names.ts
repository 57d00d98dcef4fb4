/** Every name that this mode gives in the kernel, and the texts of keys. */
import type { Family, Protocol, ServiceKey } from '../model.ts'
import type { ChainName, SetName } from '../nft/model.ts'
import { hash } from '../nft/names.ts'
import type { RealKey, Virtual, VirtualKey } from './model.ts'

/** Our table of packet rules, one for each family. */
export const tableName = 'wherry-ipvs'

/** The dummy device that makes virtual addresses the node's own. */
export const deviceName = 'wherry-ipvs0'

export const setNames = {
  /** What becomes of packets to each front of ours; at the same time the record of which virtual servers are ours. */
  services: 'services',
  /** The marks of virtual servers of ours, with the names of their service ports. */
  marks: 'marks',
  /** By front, the mark under which clients that are neither a pod nor the node are served. */
  outsiders: 'outsiders',
  /** What the dummy device has. */
  addresses: 'addresses',
  restricted: 'restricted',
  sourceRanges: 'source-ranges',
  hairpin: 'hairpin',
  podRanges: 'pod-ranges',
} as const satisfies Readonly<Record<string, SetName>>

export const chainNames = {
  arriving: 'arriving',
  leaving: 'leaving',
  front: 'front',
  clusterIP: 'cluster-ip',
  external: 'external',
  externalLocal: 'external-local',
  unserved: 'unserved',
  refuse: 'refuse',
  unmark: 'unmark',
  forward: 'forward',
  postrouting: 'postrouting',
} as const satisfies Readonly<Record<string, ChainName>>

export function virtualKey(virtual: Virtual): VirtualKey {
  return virtual.kind === 'mark' ? `mark ${virtual.mark}` : `${virtual.protocol} ${socketText(virtual.address, virtual.port)}`
}

export function virtualOf(key: VirtualKey): Virtual {
  const space = key.indexOf(' ')
  const [kind, rest] = [key.slice(0, space), key.slice(space + 1)]
  return kind === 'mark' ? { kind, mark: Number(rest) } : { kind: 'address', protocol: kind as Protocol, ...socketOf(rest) }
}

/** `10.96.0.1:80`, `[fd00::1]:80`. */
export function socketText(address: string, port: number): RealKey {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

export function socketOf(text: RealKey): { readonly address: string; readonly port: number } {
  const colon = text.lastIndexOf(':')
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}

/**
 * The mark under which outsiders reach a service port: 65,536 to 2^31 - 1 (ipvsadm prints marks as signed numbers). A hash, so
 * that it is the same after a restart; of two service ports that would share one, claims.ts chooses.
 */
export function markOf(service: ServiceKey, portName: string, protocol: Protocol): number {
  const value = hash(`${service} ${portName} ${protocol}`) & 0x7fffffff
  return value < 0x10000 ? value + 0x10000 : value
}

/** As nft prints a mark. */
export function markText(mark: number): string {
  return `0x${mark.toString(16).padStart(8, '0')}`
}

export const prefixLength: Readonly<Record<Family, number>> = { ip: 32, ip6: 128 }
