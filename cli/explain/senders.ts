/** Who sends: a pod of the node, the node itself, and strangers from outside of the cluster. Pure. */
import type { Node, Service } from '../../api/objects.ts'
import { allAddresses, cidrContains, familyOf } from '../../rules/address.ts'
import type { Family } from '../../rules/model.ts'
import type { Host, Packet } from '../../rules/packet.ts'
import { type Cluster, podIPsOf } from '../cluster.ts'
import { type Front, nodeAddresses } from './fronts.ts'
import type { KernelRules } from './kernel.ts'

export interface Sender {
  readonly kind: 'pod' | 'node' | 'stranger'
  /** Of a certain pod. */
  readonly name?: string
  /** Of a stranger: the source range that lets it in, or that no source range has it. Absent where everyone may enter. */
  readonly range?: { readonly kind: 'inside'; readonly cidr: string } | { readonly kind: 'outside' }
  readonly source: string
}

/** Addresses that are nobody's (RFC 5737, RFC 3849), and two that lie far from them. */
const strangers: Readonly<Record<Family, readonly string[]>> = {
  ip: ['203.0.113.77', '198.51.100.77', '192.0.2.77', '8.8.8.77', '100.64.0.77'],
  ip6: ['2001:db8::77', '2600::77', '2a00::77'],
}

export function hostOf(node: Node): Host {
  return { addresses: ['127.0.0.1', '::1', ...nodeAddresses(node)] }
}

/** A pod is left out where the cluster does not say which addresses the node's pods have. */
export function sendersOf(cluster: Cluster, node: Node, front: Front, service: Service | undefined): readonly Sender[] {
  const family = familyOf(front.address)
  const pod = podSource(cluster, node, family)
  const own = nodeAddresses(node).find((address) => familyOf(address) === family)
  return [
    ...(pod === undefined ? [] : [{ kind: 'pod', source: pod } as const]),
    ...(own === undefined ? [] : [{ kind: 'node', source: own } as const]),
    ...strangersAt(family, front.kind === 'load-balancer-ip' ? (service?.spec?.loadBalancerSourceRanges ?? []) : []),
  ]
}

/** Whether source ranges of the service keep a sender out of a front, by the API. */
export function isKeptOut({ spec }: Service, front: Front, { source }: Sender): boolean {
  const mine = front.kind === 'load-balancer-ip' ? rangesOf(familyOf(front.address), spec?.loadBalancerSourceRanges ?? []) : []
  return mine.length > 0 && !mine.some((cidr) => cidrContains(cidr, source))
}

const rangesOf = (family: Family, ranges: readonly string[]): readonly string[] => ranges.map((cidr) => cidr.trim()).filter((cidr) => familyOf(cidr) === family)

function strangersAt(family: Family, ranges: readonly string[]): readonly Sender[] {
  const mine = rangesOf(family, ranges)
  if (mine.length === 0 || mine.includes(allAddresses[family])) return [{ kind: 'stranger', source: strangers[family][0]! }]
  const outside = strangers[family].find((address) => !mine.some((cidr) => cidrContains(cidr, address)))
  return [
    { kind: 'stranger', range: { kind: 'inside', cidr: mine[0]! }, source: mine[0]!.split('/')[0]! },
    ...(outside === undefined ? [] : [{ kind: 'stranger', range: { kind: 'outside' }, source: outside } as const]),
  ]
}

/** An address in the node's range that no pod has, so that it meets no endpoint of its own; else one of its pods. */
function podSource({ pods }: Cluster, { metadata, spec }: Node, family: Family): string | undefined {
  const addresses = pods.flatMap(podIPsOf)
  const range = (spec?.podCIDRs ?? [spec?.podCIDR ?? '']).find((cidr) => cidr !== '' && familyOf(cidr) === family)
  if (range !== undefined) {
    const base = range.split('/')[0]!
    const at = (n: number): string => (family === 'ip' ? base.replace(/\d+$/, (last) => String(Number(last) + n)) : `${base.replace(/::$/, '')}::${n.toString(16)}`)
    const free = Array.from({ length: 253 }, (_, i) => at(254 - i)).find((address) => cidrContains(range, address) && !addresses.includes(address))
    if (free !== undefined) return free
  }
  const own = pods.filter((pod) => pod.spec?.nodeName === metadata.name && !pod.spec?.hostNetwork)
  return own.flatMap(podIPsOf).find((ip) => familyOf(ip) === family)
}

export function packetOf(sender: Sender, { address, protocol, port }: Front, { podInterface }: Pick<KernelRules, 'podInterface'>): Packet {
  const inputInterface = sender.kind === 'pod' ? (podInterface ?? 'pod0') : 'outside0'
  return {
    ...(sender.kind === 'node' ? { hook: 'output' } : { hook: 'prerouting', inputInterface }),
    source: sender.source,
    destination: address,
    protocol,
    sourcePort: 40_000,
    destinationPort: port,
  }
}
