/**
 * Answers for the cluster's domain: the Kubernetes DNS specification 1.1.0, and pods' names as the Kubernetes
 * documentation ("DNS for Services and Pods") has them. Pure, from a `Cluster`.
 *
 * A name that exists without a record of the asked type is NOERROR with the SOA, and so is one that only has names below
 * it; everything else in the domain is NXDOMAIN with the SOA (RFC 2308). There are no wildcards but pods' names.
 */
import type { Service } from '../../api/objects.ts'
import { cidrContains } from '../../rules/address.ts'
import { isHeadless, virtualIPs, type Cluster, type NamedEndpoint, type ServiceKey } from './cluster.ts'
import { isDomainName, labelsBelow, lowerCase, reverseAddress, undashed } from './names.ts'
import type { Query } from './query.ts'
import type { DnsRecord, Reply } from './reply.ts'

/** Seconds. Short, since a client that kept an answer for longer would miss a pod that moved; asking costs it no network. */
export const clusterTtl = 5
const schemaVersion = '1.1.0'
const mostAliases = 8
/** Beside so many SRV records the addresses of their targets are sent along; they are a courtesy. */
const mostTargets = 64

export interface ZoneOptions {
  /** The cluster's domain in lower case, e.g. `cluster.local`. */
  readonly domain: string
  /** Where this name server answers. */
  readonly address: string
  /** Pods' and virtual IPs (CIDRs): what is not known of them is not known to anybody else, so nobody is asked. */
  readonly ranges: readonly string[]
  /** From 0 to 1, for the order of endpoints. */
  readonly random: () => number
}

export type ZoneAnswer =
  | { readonly kind: 'reply'; readonly reply: Reply }
  /** Not of this cluster. */
  | { readonly kind: 'elsewhere' }
  /** Perhaps of this cluster, of which nothing is known yet. */
  | { readonly kind: 'unknown' }
  /** The records, and then what the world says about the name that they end at. */
  | { readonly kind: 'alias'; readonly answers: readonly DnsRecord[]; readonly target: string }
  /** Aliases that lead in a circle. */
  | { readonly kind: 'circle' }

export interface Zone {
  answer(query: Pick<Query, 'name' | 'isPlain' | 'type'>): ZoneAnswer
}

export function createZone(cluster: Cluster, options: ZoneOptions): Zone {
  const { domain, ranges } = options
  const soa = (zone: string): DnsRecord => ({
    type: 'SOA',
    name: zone,
    ttl: clusterTtl,
    data: {
      mname: `ns.dns.${domain}`,
      rname: `hostmaster.${domain}`,
      serial: (cluster.revision() ?? 0) % 2 ** 32,
      refresh: 7_200,
      retry: 1_800,
      expire: 86_400,
      minimum: clusterTtl,
    },
  })
  const context: Context = { cluster, ...options, soa: soa(domain) }

  const reverse = (name: string, type: string): ZoneAnswer | undefined => {
    const asked = reverseAddress(name)
    if (!asked) return undefined
    if (cluster.revision() === undefined) return { kind: 'unknown' }
    const { address, zone } = asked
    const names = pointersOf(context, address)
    if (names.length === 0 && !ranges.some((range) => cidrContains(range, address))) return undefined
    const records = names.map((data): DnsRecord => ({ type: 'PTR', name, ttl: clusterTtl, data }))
    return reply({ records: names.length > 0 ? records : undefined, type, authority: soa(zone) })
  }

  return {
    answer({ name, isPlain, type }) {
      const found = reverse(name, type)
      if (found) return found
      const labels = labelsBelow(name, domain)
      if (!labels) return { kind: 'elsewhere' }
      if (cluster.revision() === undefined) return { kind: 'unknown' }
      const authority = soa(domain)
      if (!isPlain) return reply({ records: undefined, type, authority })
      return inZone({ ...context, soa: authority }, { name, labels, type })
    },
  }
}

interface Context extends ZoneOptions {
  readonly cluster: Cluster
  readonly soa: DnsRecord
}

interface Asked {
  readonly name: string
  readonly labels: readonly string[]
  readonly type: string
}

/** Follows aliases as long as they stay in the cluster. */
function inZone(context: Context, asked: Asked): ZoneAnswer {
  const { domain, soa, random } = context
  const aliases: DnsRecord[] = []
  let { name } = asked
  let labels: readonly string[] | undefined = asked.labels
  while (labels) {
    const records = recordsAt(context, name, labels)
    const alias = records?.find((record) => record.type === 'CNAME')
    if (alias?.type !== 'CNAME' || asked.type === 'CNAME' || asked.type === 'ANY') {
      const found = reply({ records: records && shuffled(records, random), type: asked.type, authority: soa, aliases })
      return { ...found, reply: { ...found.reply, additionals: additionalsFor(context, found.reply.answers) } }
    }
    aliases.push(alias)
    if (aliases.length > mostAliases) return { kind: 'circle' }
    name = alias.data
    labels = labelsBelow(name, domain)
  }
  return { kind: 'alias', answers: aliases, target: name }
}

interface Found {
  /** Undefined: there is no such name. */
  readonly records: readonly DnsRecord[] | undefined
  readonly type: string
  readonly authority: DnsRecord
  readonly aliases?: readonly DnsRecord[]
}

function reply({ records, type, authority, aliases = [] }: Found): ZoneAnswer & { readonly kind: 'reply' } {
  const answers = (records ?? []).filter((record) => type === 'ANY' || record.type === type)
  return {
    kind: 'reply',
    reply: {
      rcode: records ? 'NOERROR' : 'NXDOMAIN',
      authoritative: true,
      answers: [...aliases, ...answers],
      authorities: answers.length > 0 ? [] : [authority],
      additionals: [],
    },
  }
}

/** Everything at one name of the domain; empty for one that only has names below it; undefined where there is none. */
function recordsAt(context: Context, name: string, labels: readonly string[]): readonly DnsRecord[] | undefined {
  const { domain, address } = context
  const [top] = labels.slice(-1)
  const below = labels.slice(0, -1)
  if (top === undefined) return [context.soa, { type: 'NS', name, ttl: clusterTtl, data: `ns.dns.${domain}` }]
  if (top === 'svc') return serviceRecords(context, name, below)
  if (top === 'pod') return podRecords(name, below)
  if (top === 'dns-version' && below.length === 0) return [{ type: 'TXT', name, ttl: clusterTtl, data: schemaVersion }]
  if (top === 'dns') return below.length === 0 ? [] : below.join('.') === 'ns' ? addressRecords(name, [address]) : undefined
  return undefined
}

function podRecords(name: string, labels: readonly string[]): readonly DnsRecord[] | undefined {
  if (labels.length < 2) return []
  const address = labels.length === 2 ? undashed(labels[0]!) : undefined
  return address === undefined ? undefined : addressRecords(name, [address])
}

/** @param labels what stands before `svc`: [service, namespace], [endpoint, …], [_port, _protocol, …] */
function serviceRecords({ cluster }: Context, name: string, labels: readonly string[]): readonly DnsRecord[] | undefined {
  if (labels.length === 0) return []
  const [serviceName, namespace = ''] = labels.slice(-2)
  if (labels.length === 1) return cluster.hasNamespace(labels[0]!) ? [] : undefined
  const key: ServiceKey = `${namespace}/${serviceName}`
  const service = cluster.service(key)
  if (!service) return undefined
  const below = labels.slice(0, -2)
  if (service.spec?.type === 'ExternalName') return below.length === 0 ? aliasRecords(name, service) : undefined
  const headless = isHeadless(service)
  if (!headless && below.length === 0) return addressRecords(name, virtualIPs(service))
  const endpoints = cluster.endpoints(key)
  // Where it has no endpoint that is ready, a headless service has no name (2.4.1 of the specification).
  if (headless && endpoints.length === 0) return undefined
  if (below.length === 0) return addressRecords(name, endpoints.map((endpoint) => endpoint.address))
  const base = name.split('.').slice(below.length).join('.')
  const [first = '', second] = below
  if (first.startsWith('_')) return below.length <= 2 ? portRecords({ name, base, service, endpoints }, first, second) : undefined
  const mine = below.length === 1 ? endpoints.filter(({ label }) => label === first) : []
  return mine.length > 0 ? addressRecords(name, mine.map((endpoint) => endpoint.address)) : undefined
}

interface Served {
  readonly name: string
  /** The service's own name in full. */
  readonly base: string
  readonly service: Service
  readonly endpoints: readonly NamedEndpoint[]
}

/** SRV: of `_port._protocol`; `_protocol` alone only has names below it. Ports without a name have no record. */
function portRecords(served: Served, first: string, second: string | undefined): readonly DnsRecord[] | undefined {
  const { name, base, service, endpoints } = served
  const all = isHeadless(service)
    ? endpoints.flatMap(({ label, ports }) => ports.map((port) => ({ ...port, target: `${label}.${base}` })))
    : (service.spec?.ports ?? []).map(({ name: port = '', protocol = 'TCP', port: number }) => ({
        name: lowerCase(port), protocol: lowerCase(protocol), port: number, target: base,
      }))
  const named = all.filter((port) => port.name !== '')
  if (second === undefined) return named.some(({ protocol }) => `_${protocol}` === first) ? [] : undefined
  const mine = named.filter((port) => `_${port.name}` === first && `_${port.protocol}` === second)
  if (mine.length === 0) return undefined
  const once = new Map(mine.map(({ target, port }) => [`${target} ${port}`, { target, port }]))
  const record = { type: 'SRV', name, ttl: clusterTtl } as const
  return [...once.values()].map((data) => ({ ...record, data: { priority: 0, weight: 10, ...data } }))
}

function aliasRecords(name: string, { spec }: Service): readonly DnsRecord[] {
  const target = lowerCase(spec?.externalName ?? '').replace(/\.$/, '')
  return isDomainName(target) ? [{ type: 'CNAME', name, ttl: clusterTtl, data: target }] : []
}

function addressRecords(name: string, addresses: readonly string[]): readonly DnsRecord[] {
  const typeOf = (address: string) => (address.includes(':') ? 'AAAA' : 'A')
  return [...new Set(addresses)].map((data) => ({ type: typeOf(data), name, ttl: clusterTtl, data }))
}

/** The addresses of the names that records point to, as far as they are the cluster's. */
function additionalsFor(context: Context, answers: readonly DnsRecord[]): readonly DnsRecord[] {
  const targets = answers.flatMap((record) => {
    if (record.type === 'SRV') return [record.data.target]
    return record.type === 'NS' ? [record.data] : []
  })
  return [...new Set(targets)].slice(0, mostTargets).flatMap((target) => {
    const records = recordsAt(context, target, labelsBelow(target, context.domain) ?? []) ?? []
    return records.filter(({ type }) => type === 'A' || type === 'AAAA')
  })
}

/** The names that an address goes back to: of services with this virtual IP, of endpoints of headless ones. */
function pointersOf({ cluster, domain }: Context, address: string): readonly string[] {
  const names = cluster.servicesAt(address).flatMap((key) => {
    const [namespace, name] = key.split('/')
    const base = `${name}.${namespace}.svc.${domain}`
    const service = cluster.service(key)
    if (!service || !isHeadless(service)) return [base]
    return cluster.endpoints(key).filter((endpoint) => endpoint.address === address).map(({ label }) => `${label}.${base}`)
  })
  return [...new Set(names)]
}

/** Another order each time, so that clients that take the first spread over all of them. */
function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[result[i], result[j]] = [result[j]!, result[i]!]
  }
  return result
}
