/** Pods of a service as endpoints, grouped by the port numbers that their named ports resolve to. Pure. */
import type { EndpointSlice, OwnerReference, Pod, Service, ServicePort } from '../../api/objects.ts'
import type { Draft } from '../registry/registry.ts'
import { isFinished, isReady } from './pod-state.ts'

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number]

export interface PortGroup {
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[]
  readonly endpoints: readonly Endpoint[]
}

/** Always at least one group; a service none of whose pods has an address gives one with its own ports and no endpoints. */
export function groupByPorts(service: Service, pods: readonly Pod[]): readonly PortGroup[] {
  const groups = new Map<string, { ports: PortGroup['ports']; endpoints: Endpoint[] }>()
  for (const pod of pods.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    if (!pod.status?.podIP || !pod.spec?.nodeName || isFinished(pod)) continue
    const ports = portsOf(service, pod)
    const id = JSON.stringify(ports)
    const group = groups.get(id) ?? { ports, endpoints: [] }
    groups.set(id, group)
    group.endpoints.push(endpointOf(service, pod))
  }
  if (groups.size > 0) return [...groups.values()]
  return [{ ports: (service.spec?.ports ?? []).filter((p) => typeof p.targetPort !== 'string').map((p) => entry(p, Number(p.targetPort || p.port))), endpoints: [] }]
}

const entry = (p: ServicePort, port: number) => ({ name: p.name ?? '', protocol: p.protocol ?? 'TCP', port })

function portsOf(service: Service, pod: Pod): PortGroup['ports'] {
  const found: PortGroup['ports'][number][] = []
  for (const p of service.spec?.ports ?? []) {
    const port = typeof p.targetPort === 'string' ? namedPort(pod, p.targetPort, p.protocol ?? 'TCP') : p.targetPort || p.port
    if (port) found.push(entry(p, port))
  }
  return found
}

function namedPort(pod: Pod, name: string, protocol: string): number | undefined {
  for (const container of pod.spec?.containers ?? []) {
    const port = container.ports?.find((p) => p.name === name && (p.protocol ?? 'TCP') === protocol)
    if (port) return port.containerPort
  }
  return undefined
}

/** A pod that is being deleted serves on while it is ready, as `terminating` (KEP-1672). */
function endpointOf(service: Service, pod: Pod): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const serving = isReady(pod)
  const ready = service.spec?.publishNotReadyAddresses ? true : serving && !terminating
  return {
    addresses: [pod.status!.podIP!],
    conditions: { ready, serving, terminating },
    nodeName: pod.spec!.nodeName,
    targetRef: { kind: 'Pod', name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
  }
}

/** The older form of the same. Terminating endpoints are left out, as in Kubernetes. */
export function endpointsObject(service: Service, groups: readonly PortGroup[], owner: OwnerReference): Draft {
  const address = (e: Endpoint) => ({ ip: e.addresses[0], nodeName: e.nodeName, targetRef: e.targetRef })
  const subsets = groups
    .map(({ ports, endpoints }) => {
      const ready = endpoints.filter((e) => e.conditions?.ready).map(address)
      const notReady = endpoints.filter((e) => !e.conditions?.ready && !e.conditions?.terminating).map(address)
      return {
        ...(ready.length > 0 && { addresses: ready }),
        ...(notReady.length > 0 && { notReadyAddresses: notReady }),
        ports: ports.map(({ name, ...rest }) => (name ? { name, ...rest } : rest)),
      }
    })
    .filter((s) => 'addresses' in s || 'notReadyAddresses' in s)
  const { namespace, name, labels } = service.metadata
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name, namespace, labels: { ...labels, 'endpointslice.kubernetes.io/skip-mirror': 'true' }, ownerReferences: [owner] },
    ...(subsets.length > 0 && { subsets }),
  }
}
