/**
 * Keeps of services and slices only what nodes read, since a node holds all of the cluster's: with 10,000 services the rest
 * would be most of the agent's memory. Texts that come again in thousands of objects are kept once.
 */
import type { AgentResource } from '../../api/frames.ts'
import type { EndpointSlice, KubeObject, Service } from '../../api/objects.ts'

const labels = ['kubernetes.io/service-name', 'service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'] as const
const annotations = ['endpoints.kubernetes.io/last-change-trigger-time'] as const

export type Trim = (resource: AgentResource, object: KubeObject) => KubeObject

export function createTrim(): Trim {
  const texts = new Map<string, string>()
  /** The same text, the same string. Bounded: what is not repeated must not stay. */
  const once = <T extends string | undefined>(text: T): T => {
    if (text === undefined) return text
    const known = texts.get(text)
    if (known !== undefined) return known as T
    if (texts.size < 4_096) texts.set(text, text)
    return text
  }

  const metadata = ({ metadata: from }: KubeObject): KubeObject['metadata'] => {
    const kept = <K extends string>(all: Readonly<Record<string, string>> | undefined, names: readonly K[]) => {
      const found = names.filter((name) => all?.[name] !== undefined)
      return found.length > 0 ? Object.fromEntries(found.map((name) => [name, once(all![name]!)])) : undefined
    }
    return {
      name: from.name,
      namespace: once(from.namespace),
      uid: from.uid,
      resourceVersion: from.resourceVersion,
      creationTimestamp: once(from.creationTimestamp),
      labels: kept(from.labels, labels),
      annotations: kept(from.annotations, annotations),
    } as KubeObject['metadata']
  }

  // Written out field by field, since objects of one shape take half the room of those that were put together from parts.
  const trimService = (service: Service): Service => {
    const { spec, status } = service
    const ingress = status?.loadBalancer?.ingress
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata(service),
      spec: spec && {
        type: once(spec.type),
        clusterIP: spec.clusterIP,
        clusterIPs: spec.clusterIPs && spec.clusterIPs.length > 1 ? spec.clusterIPs : undefined,
        externalIPs: spec.externalIPs,
        externalName: spec.externalName,
        externalTrafficPolicy: once(spec.externalTrafficPolicy),
        healthCheckNodePort: spec.healthCheckNodePort,
        internalTrafficPolicy: once(spec.internalTrafficPolicy),
        loadBalancerSourceRanges: spec.loadBalancerSourceRanges,
        publishNotReadyAddresses: spec.publishNotReadyAddresses,
        sessionAffinity: once(spec.sessionAffinity),
        sessionAffinityConfig: spec.sessionAffinityConfig,
        ports: spec.ports?.map(({ name, protocol, port, nodePort }) => ({ name: once(name), protocol: once(protocol), port, nodePort })),
      },
      status: ingress && ingress.length > 0 ? { loadBalancer: { ingress } } : undefined,
    } as Service
  }

  const trimSlice = (slice: EndpointSlice): EndpointSlice =>
    ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: metadata(slice),
      addressType: once(slice.addressType),
      endpoints: slice.endpoints?.map(({ addresses, conditions, hints, hostname, nodeName }) => ({
        // Only the first address of an endpoint counts.
        addresses: addresses?.slice(0, 1) ?? [],
        conditions: conditions && !isPlainlyReady(conditions) ? conditions : undefined,
        hints,
        hostname,
        nodeName: once(nodeName),
      })),
      ports: slice.ports?.map(({ name, port, protocol }) => ({ name: once(name ?? undefined), port, protocol: once(protocol) })),
    }) as EndpointSlice

  return (resource, object) => {
    if (resource === 'services') return trimService(object as Service)
    return resource === 'endpointslices.discovery.k8s.io' ? trimSlice(object as EndpointSlice) : object
  }
}

/** What the absence of conditions says, too. */
function isPlainlyReady({ ready, serving, terminating }: NonNullable<NonNullable<EndpointSlice['endpoints']>[number]['conditions']>): boolean {
  return (ready ?? true) && (serving ?? true) && !terminating
}
