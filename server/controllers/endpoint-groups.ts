/** Pods of a service as endpoints of one address family, grouped by the port numbers that their named ports resolve to. Pure. */
import type { EndpointSlice, Pod, Service, ServicePort } from '../../api/objects.ts'
import { familyOf, type Family } from '../admit/ranges.ts'
import { withHints, type ZoneShares } from './endpoint-hints.ts'
import { isFinished, isReady, readyChangedAt } from './pod-state.ts'

export type Endpoint = NonNullable<EndpointSlice['endpoints']>[number]
export type SlicePort = NonNullable<EndpointSlice['ports']>[number]

export interface PortGroup {
  readonly ports: readonly SlicePort[]
  readonly endpoints: readonly Endpoint[]
}

/** What a service has in one address family. */
export interface FamilyEndpoints {
  readonly family: Family
  /** At least one. */
  readonly groups: readonly PortGroup[]
  /** When each endpoint came to be as it is, by its key; ms since 1970. */
  readonly since: ReadonlyMap<string, number>
}

export interface Surroundings {
  /** The zone of a node (label `topology.kubernetes.io/zone`). */
  readonly zoneOf: (node: string) => string | undefined
  /** How much of the cluster is in which zone; only services with the annotation `service.kubernetes.io/topology-mode` ask. */
  readonly shares: () => ZoneShares | undefined
}

/** What an endpoint is known by: two pods may have the address of their node. */
export const endpointKey = ({ addresses, targetRef }: Endpoint): string => `${addresses[0]} ${targetRef?.uid ?? ''}`

/** The families of a service; those that were stored without have IPv4. */
export function familiesOf({ spec }: Service): readonly Family[] {
  return spec?.ipFamilies?.length ? (spec.ipFamilies as Family[]) : ['IPv4']
}

/** A service none of whose pods has an address of the family gives one group with its own ports and no endpoints. */
export function endpointsIn(family: Family, service: Service, pods: readonly Pod[], around: Surroundings): FamilyEndpoints {
  const since = new Map<string, number>()
  const found: { readonly ports: readonly SlicePort[]; readonly endpoint: Endpoint }[] = []
  for (const pod of pods.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const address = addressOf(pod, family)
    if (!address || !pod.spec?.nodeName || isFinished(pod)) continue
    const endpoint = endpointOf(service, pod, { address, zone: around.zoneOf(pod.spec.nodeName) })
    found.push({ ports: portsOf(service, pod), endpoint })
    const time = changedAt(service, pod)
    if (time !== undefined) since.set(endpointKey(endpoint), time)
  }
  const hinted = withHints(service, found.map((f) => f.endpoint), around.shares)
  const groups = Map.groupBy(hinted.map((endpoint, i) => ({ ports: found[i]!.ports, endpoint })), ({ ports }) => JSON.stringify(ports))
  const filled = [...groups.values()].map((members) => ({ ports: members[0]!.ports, endpoints: members.map((m) => m.endpoint) }))
  return { family, since, groups: filled.length > 0 ? filled : [{ ports: ownPorts(service), endpoints: [] }] }
}

function addressOf({ status }: Pod, family: Family): string | undefined {
  const all = [...(status?.podIPs ?? []).map((p) => p.ip), status?.podIP]
  return all.find((ip) => ip !== undefined && familyOf(ip) === family)
}

const ownPorts = ({ spec }: Service): readonly SlicePort[] =>
  (spec?.ports ?? []).filter((p) => typeof p.targetPort !== 'string').map((p) => entry(p, Number(p.targetPort || p.port)))

const entry = ({ name = '', protocol = 'TCP', appProtocol }: ServicePort, port: number): SlicePort => ({
  name,
  protocol,
  port,
  ...(appProtocol && { appProtocol }),
})

function portsOf(service: Service, pod: Pod): readonly SlicePort[] {
  const found: SlicePort[] = []
  for (const p of service.spec?.ports ?? []) {
    const port = typeof p.targetPort === 'string' ? namedPort(pod, p.targetPort, p.protocol ?? 'TCP') : p.targetPort || p.port
    if (port) found.push(entry(p, port))
  }
  return found
}

/** Of a container, or of one that runs beside them all the time (an init container that is always restarted). */
function namedPort(pod: Pod, name: string, protocol: string): number | undefined {
  const sidecars = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always')
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    const port = container.ports?.find((p) => p.name === name && (p.protocol ?? 'TCP') === protocol)
    if (port) return port.containerPort
  }
  return undefined
}

/** A pod that is being deleted serves on while it is ready, as `terminating` (KEP-1672). */
function endpointOf(service: Service, pod: Pod, { address, zone }: { address: string; zone: string | undefined }): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const serving = isReady(pod)
  const ready = service.spec?.publishNotReadyAddresses ? true : serving && !terminating
  const { hostname, subdomain, nodeName } = pod.spec!
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    // Its own name in DNS is below that of the service that it names.
    ...(hostname && subdomain === service.metadata.name && { hostname }),
    nodeName: nodeName!,
    ...(zone && { zone }),
    targetRef: { kind: 'Pod', name: pod.metadata.name, namespace: pod.metadata.namespace!, uid: pod.metadata.uid },
  }
}

/** When a pod turned into what it is to this service: not before there was the service. */
function changedAt(service: Service, pod: Pod): number | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata
  // The time of a deletion is the time at which the pod's grace ends.
  const asked = deletionTimestamp === undefined ? undefined : Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000
  const time = asked ?? readyChangedAt(pod)
  return time === undefined ? undefined : Math.max(time, Date.parse(service.metadata.creationTimestamp))
}
