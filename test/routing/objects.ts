/** The objects that behaviours apply: complete enough for a node, short enough to be read. */
import type { Addresses, Backend } from './stage.ts'

export interface Port {
  readonly name?: string
  readonly port: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly nodePort?: number
}

export interface ServiceParts {
  readonly namespace?: string
  readonly ports?: readonly Port[]
  readonly labels?: Readonly<Record<string, string>>
  readonly created?: string
  /** status.loadBalancer.ingress */
  readonly ingress?: readonly { readonly ip?: string; readonly ipMode?: string; readonly hostname?: string }[]
  /** Further fields of `spec`. */
  readonly spec?: Readonly<Record<string, unknown>>
}

function metadata(name: string, namespace: string, part: object = {}): object {
  return { name, namespace, uid: `uid-${namespace}-${name}`, creationTimestamp: '2026-01-01T00:00:00Z', ...part }
}

/** TCP port 80, if nothing else is said. */
export function service(name: string, clusterIP: string, parts: ServiceParts = {}): object {
  const { namespace = 'default', ports = [{ port: 80 }], labels, created, ingress, spec } = parts
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(name, namespace, { ...(labels && { labels }), ...(created && { creationTimestamp: created }) }),
    spec: { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports: ports.map((port) => ({ protocol: 'TCP', ...port })), ...spec },
    ...(ingress && { status: { loadBalancer: { ingress } } }),
  }
}

export type EndpointText = Backend | `${Backend} ${string}`

export interface SliceParts {
  readonly namespace?: string
  readonly name?: string
  readonly ports?: readonly { readonly name?: string | null; readonly port?: number | null; readonly protocol?: string }[]
  readonly labels?: Readonly<Record<string, string>>
  readonly addressType?: string
  /** Taken as they are, beside the others. */
  readonly raw?: readonly object[]
}

/**
 * Endpoints by words: `b1`, `b1 unready`, `b1 terminating` (not ready, serving), `b1 deaf` (terminating, not serving),
 * `b1 unready-serving`, `b1 zone=a`, `b1 for=node1`, `b1 nowhere` (without a node name). The target port is 8080.
 */
export function slice(at: Addresses, of: string, endpoints: readonly EndpointText[], parts: SliceParts = {}): object {
  const v6 = at.backends.b1.includes(':')
  const label = { 'kubernetes.io/service-name': of }
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: metadata(parts.name ?? `${of}-1`, parts.namespace ?? 'default', { labels: parts.labels ?? label }),
    addressType: parts.addressType ?? (v6 ? 'IPv6' : 'IPv4'),
    endpoints: [...endpoints.map((text) => endpointOf(at, text)), ...(parts.raw ?? [])],
    ports: parts.ports ?? [{ port: 8080, protocol: 'TCP' }],
  }
}

/** A slice of UDP port 8080. */
export function udpSlice(at: Addresses, of: string, endpoints: readonly EndpointText[], parts: SliceParts = {}): object {
  return slice(at, of, endpoints, { ports: [{ port: 8080, protocol: 'UDP' }], ...parts })
}

const homes: Readonly<Partial<Record<Backend, string>>> = { b1: 'node1', b2: 'node1', host: 'node1', b3: 'node2', b4: 'node2' }

function endpointOf(at: Addresses, text: EndpointText): object {
  const [backend, ...words] = text.split(' ') as [Backend, ...string[]]
  const has = (word: string): boolean => words.includes(word)
  const value = (key: string): string | undefined => words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1)
  const leaving = has('terminating') || has('deaf')
  const idle = has('unready') || has('unready-serving')
  const [zone, node] = [value('zone'), value('for')]
  return {
    addresses: [at.backends[backend]],
    conditions: { ready: !idle && !leaving, serving: !has('unready') && !has('deaf'), terminating: leaving },
    ...(!has('nowhere') && homes[backend] && { nodeName: homes[backend] }),
    ...((zone || node) && { hints: { ...(zone && { forZones: [{ name: zone }] }), ...(node && { forNodes: [{ name: node }] }) } }),
  }
}

/** The node on which the rules are, in a zone, in an empty one, or in none. */
export function node(zone?: string): object {
  const labels = zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone }
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1', uid: 'uid-node1', creationTimestamp: '2026-01-01T00:00:00Z', labels } }
}
