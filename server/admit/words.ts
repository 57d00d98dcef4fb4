/**
 * What one object alone may hold in a cluster: a virtual IP, a node port with its protocol, a node's pod range, a name of a custom
 * kind. The store holds this law for every hub that writes to it; whoever gives them out chooses what is free, as far as it has heard.
 */
import ipaddr from 'ipaddr.js'
import type { CustomResourceDefinition, Node, Service } from '../../api/objects.ts'
import { definitions } from '../custom/kinds.ts'
import type { WordsOf } from '../store/store.ts'
import { portsOf } from './fill-service.ts'

/** Words as they are keys in etcd, below /registry/ranges/. */
export const wordsOf: WordsOf = (resource, object) => {
  if (resource === 'services') return serviceWords(object as Service)
  if (resource === 'nodes') return nodeWords(object as Node)
  if (resource === definitions) return definitionWords(object as object as CustomResourceDefinition)
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

/** Those that were accepted: one that another of the group has is wished for, and not held. */
function definitionWords({ spec, status }: CustomResourceDefinition): readonly string[] {
  const { plural, singular, shortNames = [], kind, listKind } = status?.acceptedNames ?? {}
  const words = (area: string, names: readonly (string | undefined)[]): readonly string[] =>
    names.flatMap((name) => (name ? [`${area}/${spec.group}/${name}`] : []))
  return [...new Set([...words('customresources', [plural, singular, ...shortNames]), ...words('customkinds', [kind, listKind])])]
}
