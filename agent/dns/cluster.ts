/**
 * What names need of the cluster, kept up with each batch: services, their slices, and whose an address is. Objects are
 * those of agent/state/tables.ts, not copies; records are made when somebody asks.
 */
import type { EndpointSlice, Service } from '../../api/objects.ts'
import { canonicalAddress } from '../../rules/address.ts'
import type { Batch } from '../state/tables.ts'
import { dashed, lowerCase } from './names.ts'

/** `namespace/name` */
export type ServiceKey = string

export interface NamedEndpoint {
  /** Canonical. */
  readonly address: string
  /** One label: its hostname, else its address with dashes. */
  readonly label: string
  readonly ports: readonly NamedPort[]
}

export interface NamedPort {
  /** Empty for a port without a name. */
  readonly name: string
  /** `tcp`, `udp` or `sctp` */
  readonly protocol: string
  readonly port: number
}

export interface Cluster {
  take(batch: Batch): void
  /** Of the last batch; undefined while nothing is known. */
  revision(): number | undefined
  service(key: ServiceKey): Service | undefined
  /** Whether there is a service in it. */
  hasNamespace(name: string): boolean
  /** Those that are ready, as the slices tell: with `publishNotReadyAddresses` all of them. */
  endpoints(key: ServiceKey): readonly NamedEndpoint[]
  /** The services that have this (canonical) address for a virtual IP, or, without one, for an endpoint. */
  servicesAt(address: string): readonly ServiceKey[]
}

/** So many services' endpoints are kept as names want them. */
const mostRecent = 256
const serviceNameLabel = 'kubernetes.io/service-name'

export function createCluster(): Cluster {
  const services = new Map<ServiceKey, Service>()
  const slices = new Map<ServiceKey, readonly EndpointSlice[]>()
  const namespaces = new Map<string, number>()
  const owners = createOwners()
  let revision: number | undefined

  const putService = (key: ServiceKey, after: Service | undefined): void => {
    const namespace = key.slice(0, key.indexOf('/'))
    const more = (after ? 1 : 0) - (services.has(key) ? 1 : 0)
    const count = (namespaces.get(namespace) ?? 0) + more
    if (count > 0) namespaces.set(namespace, count)
    else namespaces.delete(namespace)
    if (after) services.set(key, after)
    else services.delete(key)
  }
  /** What was asked for lately. */
  const recent = new Map<ServiceKey, readonly NamedEndpoint[]>()
  const endpoints = (key: ServiceKey): readonly NamedEndpoint[] => {
    const known = recent.get(key)
    if (known) return known
    const found = (slices.get(key) ?? []).flatMap(endpointsOf)
    if (recent.size >= mostRecent) recent.clear()
    recent.set(key, found)
    return found
  }

  return {
    take(batch) {
      const dirty = new Set<ServiceKey>()
      for (const { resource, key, before, after } of batch.changes) {
        if (resource === 'services') {
          putService(key, after as Service | undefined)
          dirty.add(key)
        } else if (resource === 'endpointslices.discovery.k8s.io') {
          const [old, now] = [before, after].map((slice) => slice && serviceOf(slice as EndpointSlice))
          if (old !== undefined) removeSlice(slices, old, before as EndpointSlice)
          if (now !== undefined) slices.set(now, [...(slices.get(now) ?? []), after as EndpointSlice])
          for (const service of [old, now]) if (service !== undefined) dirty.add(service)
        }
      }
      for (const key of dirty) recent.delete(key)
      for (const key of dirty) owners.set(key, addressesOf(services.get(key), () => endpoints(key)))
      revision = batch.revision
    },
    revision: () => revision,
    service: (key) => services.get(key),
    hasNamespace: (name) => namespaces.has(name),
    endpoints,
    servicesAt: (address) => owners.at(address),
  }
}

/** A service without a virtual IP: its name stands for its endpoints. */
export const isHeadless = ({ spec }: Service): boolean => spec?.clusterIP === 'None' || spec?.clusterIPs?.[0] === 'None'

/** The virtual IPs of a service in canonical form; none for headless ones. */
export function virtualIPs({ spec }: Service): readonly string[] {
  const texts = spec?.clusterIPs?.length ? spec.clusterIPs : [spec?.clusterIP ?? '']
  return texts.flatMap((text) => canonical(text) ?? [])
}

const canonical = (text: string): string | undefined => canonicalAddress(text.includes(':') ? 'ip6' : 'ip', text)

function addressesOf(service: Service | undefined, endpoints: () => readonly NamedEndpoint[]): readonly string[] {
  if (!service || service.spec?.type === 'ExternalName') return []
  return isHeadless(service) ? [...new Set(endpoints().map(({ address }) => address))] : virtualIPs(service)
}

function serviceOf({ metadata, addressType }: EndpointSlice): ServiceKey | undefined {
  const name = metadata.labels?.[serviceNameLabel]
  return name && (addressType === 'IPv4' || addressType === 'IPv6') ? `${metadata.namespace}/${name}` : undefined
}

function removeSlice(slices: Map<ServiceKey, readonly EndpointSlice[]>, service: ServiceKey, slice: EndpointSlice): void {
  const left = (slices.get(service) ?? []).filter(({ metadata }) => metadata.name !== slice.metadata.name)
  if (left.length > 0) slices.set(service, left)
  else slices.delete(service)
}

function endpointsOf(slice: EndpointSlice): readonly NamedEndpoint[] {
  const ports = (slice.ports ?? []).flatMap(({ name, protocol, port }) =>
    port ? [{ name: lowerCase(name ?? ''), protocol: lowerCase(protocol ?? 'TCP'), port }] : [],
  )
  return (slice.endpoints ?? []).flatMap(({ addresses, conditions, hostname }) => {
    const address = canonical(addresses?.[0] ?? '')
    // No condition counts as ready (discovery/v1 EndpointConditions).
    if (address === undefined || conditions?.ready === false) return []
    return [{ address, label: hostname ? lowerCase(hostname) : dashed(address), ports }]
  })
}

/** Services by address, and back, so that a change costs as much as it changes. */
function createOwners() {
  const known = new Map<ServiceKey, readonly string[]>()
  const byAddress = new Map<string, readonly ServiceKey[]>()
  return {
    at: (address: string): readonly ServiceKey[] => byAddress.get(address) ?? [],
    set(key: ServiceKey, addresses: readonly string[]): void {
      const before = known.get(key) ?? []
      const [old, now] = [new Set(before), new Set(addresses)]
      for (const address of before) {
        if (now.has(address)) continue
        const left = byAddress.get(address)!.filter((other) => other !== key)
        if (left.length > 0) byAddress.set(address, left)
        else byAddress.delete(address)
      }
      for (const address of now) if (!old.has(address)) byAddress.set(address, [...(byAddress.get(address) ?? []), key])
      if (now.size > 0) known.set(key, [...now])
      else known.delete(key)
    },
  }
}
