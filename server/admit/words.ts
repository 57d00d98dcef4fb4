/**
 * What one object alone may hold in a cluster: a virtual IP, a node port with its protocol, a node's pod range. The store holds
 * this law for every hub that writes to it; the allocators choose what is free, as far as they have heard.
 */
import ipaddr from 'ipaddr.js'
import type { Node, Service } from '../../api/objects.ts'
import type { WordsOf } from '../store/store.ts'
import { portsOf } from './fill-service.ts'

/** Words as they are keys in etcd, below /registry/ranges/. */
export const wordsOf: WordsOf = (resource, object) => {
  if (resource === 'services') return serviceWords(object as Service)
  if (resource === 'nodes') return nodeWords(object as Node)
  return []
}

function serviceWords({ spec = {} }: Service): readonly string[] {
  const addresses = (spec.clusterIPs ?? [spec.clusterIP ?? '']).filter((ip) => ipaddr.isValid(ip)).map((ip) => `serviceips/${ipaddr.parse(ip).toString()}`)
  const ports = portsOf(spec).map(({ port, protocol }) => `servicenodeports/${protocol.toLowerCase()}-${port}`)
  return [...new Set([...addresses, ...ports])]
}

function nodeWords({ spec = {} }: Node): readonly string[] {
  const ranges = spec.podCIDRs ?? (spec.podCIDR ? [spec.podCIDR] : [])
  return [...new Set(ranges.map((range) => `podcidrs/${range.replace('/', '-')}`))]
}
