/**
 * Keeps of services and slices only what nodes read, since a node holds all of the cluster's: with 10,000 services the rest
 * would be most of the agent's memory. Texts that come again in thousands of objects are kept once. All others are copied,
 * as the decoder cuts longer texts out of the text of the whole frame, which each of them would keep.
 */
import { readLabels, triggerAnnotation, type AgentResource } from '../../api/frames.ts'
import { isPlainlyReady, type EndpointSlice, type KubeObject, type Service } from '../../api/objects.ts'

const annotations = [triggerAnnotation] as const

/** How many texts, or values, are remembered until all of them are forgotten. */
const mostTexts = 4_096

export type Trim = (resource: AgentResource, object: KubeObject) => KubeObject

export function createTrim(): Trim {
  const { once, onceValue } = createPool()
  const metadata = ({ metadata: from }: KubeObject): KubeObject['metadata'] => {
    const kept = <K extends string>(all: Readonly<Record<string, string>> | undefined, names: readonly K[]) => {
      const found = names.filter((name) => all?.[name] !== undefined)
      return found.length > 0 ? Object.fromEntries(found.map((name) => [name, copy(all![name]!)])) : undefined
    }
    return {
      name: copy(from.name),
      namespace: once(from.namespace),
      uid: copy(from.uid),
      resourceVersion: copy(from.resourceVersion),
      creationTimestamp: once(from.creationTimestamp),
      labels: kept(from.labels, readLabels),
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
        clusterIP: copy(spec.clusterIP),
        clusterIPs: spec.clusterIPs && spec.clusterIPs.length > 1 ? spec.clusterIPs.map(copy) : undefined,
        externalIPs: spec.externalIPs?.map(copy),
        externalName: copy(spec.externalName),
        externalTrafficPolicy: once(spec.externalTrafficPolicy),
        healthCheckNodePort: spec.healthCheckNodePort,
        internalTrafficPolicy: once(spec.internalTrafficPolicy),
        loadBalancerSourceRanges: spec.loadBalancerSourceRanges?.map(copy),
        publishNotReadyAddresses: spec.publishNotReadyAddresses,
        sessionAffinity: once(spec.sessionAffinity),
        sessionAffinityConfig: onceValue(spec.sessionAffinityConfig),
        ports: spec.ports?.map(({ name, protocol, port, nodePort }) => ({ name: once(name), protocol: once(protocol), port, nodePort })),
      },
      status: ingress && ingress.length > 0 ? { loadBalancer: { ingress: ingress.map(({ ip, ipMode }) => ({ ip: copy(ip), ipMode: once(ipMode) })) } } : undefined,
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
        addresses: addresses?.slice(0, 1).map(copy) ?? [],
        conditions: conditions && !isPlainlyReady(conditions) ? onceValue(conditions) : undefined,
        hints: onceValue(hints),
        hostname: copy(hostname),
        nodeName: once(nodeName),
      })),
      ports: slice.ports?.map(({ name, port, protocol }) => ({ name: once(name ?? undefined), port, protocol: once(protocol) })),
    }) as EndpointSlice

  return (resource, object) => {
    if (resource === 'services') return trimService(object as Service)
    return resource === 'endpointslices.discovery.k8s.io' ? trimSlice(object as EndpointSlice) : object
  }
}

/** What comes again and again, once. Forgets all from time to time, as what is not repeated must not stay. */
function createPool() {
  const texts = new Map<string, string>()
  /** The same text, the same string. */
  const once = <T extends string | undefined>(text: T): T => {
    if (!text) return text
    const known = texts.get(text)
    if (known !== undefined) return known as T
    const copied = copy(text)
    if (texts.size >= mostTexts) texts.clear()
    texts.set(copied, copied)
    return copied
  }

  const values = new Map<string, object>()
  /** The same plain value, the same object. */
  const onceValue = <T extends object | undefined>(value: T): T => {
    if (!value) return value
    const text = JSON.stringify(value)
    const known = values.get(text)
    if (known) return known as T
    const copied = JSON.parse(text) as NonNullable<T>
    if (values.size >= mostTexts) values.clear()
    values.set(text, copied)
    return copied
  }
  return { once, onceValue }
}

/** V8 copies what is cut out if it is shorter, and else points at the text that it was cut from (SlicedString::kMinLength). */
const shortestSlice = 13

/** A text that keeps nothing but itself. What should be a text and is none stays what it is: who reads it says so. */
function copy<T extends string | undefined>(text: T): T {
  if (typeof text !== 'string' || text.length < shortestSlice) return text
  // A buffer for each of a hundred thousand texts would be most of the work.
  return (text.length <= mostCopied ? room.toString('utf8', 0, room.write(text)) : Buffer.from(text).toString()) as T
}

const mostCopied = 256
/** A character takes three bytes at most. */
const room = Buffer.alloc(3 * mostCopied)
