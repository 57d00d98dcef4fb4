/** The columns of services, endpoints and endpoint slices. */
import type { EndpointSlice, Endpoints, Service } from '../../../api/objects.ts'
import { ageColumn, firstThree, joined, labelsText, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'

function externalText(service: Service): string {
  const { type, externalIPs = [], externalName } = service.spec ?? {}
  if (type === 'ExternalName') return joined([externalName])
  const balanced = (service.status?.loadBalancer?.ingress ?? []).map((i) => i.ip || i.hostname)
  const all = type === 'LoadBalancer' ? [...balanced, ...(externalIPs ?? [])] : (externalIPs ?? [])
  return type === 'LoadBalancer' && all.length === 0 ? '<pending>' : joined(all)
}

function portsText(service: Service): string {
  return joined((service.spec?.ports ?? []).map((p) => `${p.port}${p.nodePort ? `:${p.nodePort}` : ''}/${p.protocol ?? 'TCP'}`))
}

export const serviceColumns: readonly Column<Service>[] = [
  nameColumn,
  { name: 'Type', description: 'How the service is reached.', cell: (s) => s.spec?.type ?? 'ClusterIP' },
  { name: 'Cluster-IP', description: 'Virtual address inside the cluster.', cell: (s) => joined([s.spec?.clusterIP]) },
  { name: 'External-IP', description: 'Addresses outside the cluster.', cell: externalText },
  { name: 'Port(s)', description: 'Ports, with the node port behind a colon.', cell: portsText },
  ageColumn,
  { name: 'Selector', priority: 1, description: 'Labels of the pods behind the service.', cell: (s) => labelsText(s.spec?.selector) },
]

/** `10.0.0.1:80`, with brackets around an IPv6 address. */
function socketText(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}

function endpointsText(endpoints: Endpoints): string {
  const sockets = (endpoints.subsets ?? []).flatMap(({ addresses = [], ports = [] }) => {
    const ips = (addresses ?? []).map((a) => a.ip)
    return (ports ?? []).length === 0 ? ips : (ports ?? []).flatMap((p) => ips.map((ip) => socketText(ip, p.port)))
  })
  return firstThree(sockets)
}

export const endpointsColumns: readonly Column<Endpoints>[] = [
  nameColumn,
  { name: 'Endpoints', description: 'Ready addresses and ports.', cell: endpointsText },
  ageColumn,
]

function slicePortsText(slice: EndpointSlice): string {
  const ports = slice.ports ?? []
  return ports.length === 0 ? '<unset>' : firstThree(ports.map((p) => String(p.port ?? p.name ?? '*')))
}

function sliceEndpointsText(slice: EndpointSlice): string {
  const addresses = (slice.endpoints ?? []).flatMap((e) => e.addresses)
  return addresses.length === 0 ? '<unset>' : firstThree(addresses)
}

export const sliceColumns: readonly Column<EndpointSlice>[] = [
  nameColumn,
  { name: 'AddressType', description: 'IPv4, IPv6 or FQDN.', cell: (s) => s.addressType },
  { name: 'Ports', description: 'Ports of every endpoint.', cell: slicePortsText },
  { name: 'Endpoints', description: 'Addresses, ready or not.', cell: sliceEndpointsText },
  ageColumn,
]
