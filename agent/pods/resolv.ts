/** The resolv.conf of a pod (core/v1 PodSpec.dnsPolicy and dnsConfig). Pure. */
import type { Pod } from '../../api/objects.ts'
import type { ResolvConf } from '../dns/host-resolv.ts'

/** Where pods ask for the cluster's names. */
export interface ClusterDns {
  readonly address: string
  /** e.g. `cluster.local` */
  readonly domain: string
}

/** Of the C library (resolv.conf(5)), and of the API for searches. */
const most = { nameservers: 3, searches: 32, searchCharacters: 2_048 } as const

/**
 * @param dns absent: pods with dnsPolicy ClusterFirst ask where the node asks
 * @param host asked for only where the node's own settings count
 */
export function podResolvText(pod: Pod, dns: ClusterDns | undefined, host: () => ResolvConf): string {
  const { dnsConfig } = pod.spec ?? {}
  const base = baseOf(pod, dns, host)
  const named = (dnsConfig?.options ?? []).filter(({ name }) => name)
  const added = named.map(({ name = '', value }) => (value === undefined ? name : `${name}:${value}`))
  const nameservers = [...new Set([...base.nameservers, ...(dnsConfig?.nameservers ?? [])])].slice(0, most.nameservers)
  const searches = fitting([...new Set([...base.searches, ...(dnsConfig?.searches ?? [])])])
  // Of an option that stands there twice the pod's own counts.
  const options = [...new Map([...base.options, ...added].map((option) => [option.split(':')[0], option])).values()]
  return [
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n')
}

function baseOf(pod: Pod, dns: ClusterDns | undefined, host: () => ResolvConf): ResolvConf {
  const { dnsPolicy = 'ClusterFirst', hostNetwork } = pod.spec ?? {}
  if (dnsPolicy === 'None') return { nameservers: [], searches: [], options: [] }
  const cluster = dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork)
  if (!dns || !cluster) return host()
  const { address, domain } = dns
  const own = [`${pod.metadata.namespace ?? 'default'}.svc.${domain}`, `svc.${domain}`, domain]
  return { nameservers: [address], searches: [...own, ...host().searches], options: ['ndots:5'] }
}

function fitting(searches: readonly string[]): readonly string[] {
  const kept: string[] = []
  let characters = 0
  for (const search of searches.slice(0, most.searches)) {
    characters += search.length + 1
    if (characters - 1 > most.searchCharacters) break
    kept.push(search)
  }
  return kept
}
