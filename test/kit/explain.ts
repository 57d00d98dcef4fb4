/** A cluster of two nodes with a service `web`, and what a person reads who asks node1 about it. */
import type { EndpointSlice, Node, Pod, Service, ServiceSpec } from '../../api/objects.ts'
import type { Cluster } from '../../cli/cluster.ts'
import { explain } from '../../cli/explain/explain.ts'
import { questionsOf } from '../../cli/explain/fronts.ts'
import { kernelOf, nftRules } from '../../cli/explain/kernel.ts'
import { readTarget } from '../../cli/explain/target.ts'
import { explanationText } from '../../cli/explain/text.ts'
import type { EndpointView, ServiceView } from '../../rules/model.ts'
import type { Listing } from '../../rules/nft/index.ts'
import { endpointView, nodeView, portView, serviceView } from './views.ts'

export const meta = (name: string, namespace?: string, part: object = {}) => ({
  name, uid: name, resourceVersion: '7', creationTimestamp: '2026-01-01T00:00:00Z', ...(namespace && { namespace }), ...part,
})
const node = (name: string, address: string, podCIDR: string): Node => ({
  apiVersion: 'v1', kind: 'Node', metadata: meta(name), spec: { podCIDR }, status: { addresses: [{ type: 'InternalIP', address }] },
})
const nodes = [node('node2', '192.0.2.2', '10.244.1.0/24'), node('node1', '192.0.2.1', '10.244.0.0/24')]
const pod = (name: string, ip: string, nodeName: string): Pod => ({
  apiVersion: 'v1', kind: 'Pod', metadata: meta(name, 'default'), spec: { nodeName, containers: [] }, status: { podIP: ip },
})
const pods = [pod('web-a', '10.244.0.2', 'node1'), pod('web-b', '10.244.1.2', 'node2')]

type Conditions = NonNullable<NonNullable<EndpointSlice['endpoints']>[number]['conditions']>
export const slice = (addresses: Readonly<Record<string, Conditions>>, part: Partial<EndpointSlice> = {}): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4',
  metadata: meta('web-x', 'default', { labels: { 'kubernetes.io/service-name': 'web' } }),
  ports: [{ name: 'http', port: 8080 }],
  endpoints: Object.entries(addresses).map(([address, conditions]) => ({
    addresses: [address], conditions, nodeName: address.startsWith('10.244.0.') ? 'node1' : 'node2',
  })),
  ...part,
})
export const service = (spec: Partial<ServiceSpec> = {}, part: Partial<Service> = {}): Service => ({
  apiVersion: 'v1', kind: 'Service', metadata: meta('web', 'default'),
  spec: { type: 'ClusterIP', clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 80 }], ...spec }, ...part,
})
export const clusterOf = (part: Partial<Cluster> = {}): Cluster => ({
  status: { version: '0.1.0', revision: 9, nodes: [link('node1'), link('node2')] },
  nodes, pods, services: [service()], slices: [slice({ '10.244.0.2': {}, '10.244.1.2': {} })], ...part,
})
export const link = (name: string, part: object = {}) => ({ name, connected: true, received: 9, applied: 9, ...part })

export const here = (address: string, part: Partial<EndpointView> = {}) => endpointView(address, { node: 'here', ...part })
export const both = [here('10.244.0.2'), endpointView('10.244.1.2')]
export const viewOf = (endpoints: readonly EndpointView[], part: Partial<ServiceView> = {}, nodePort?: number) =>
  nodeView([serviceView({ ports: [portView({ endpoints, ...(nodePort !== undefined && { nodePort }) })], ...part })])

/** What a person reads who asks node1. */
export function told(target: string, cluster: Cluster, listing: Listing): string {
  return toldBy(target, cluster, kernelOf(new Map([['ip', nftRules(listing)]]), 'node1'))
}

export function toldBy(text: string, cluster: Cluster, kernel: ReturnType<typeof kernelOf>): string {
  const target = readTarget(text)
  const scene = { cluster, node: nodes[1]!, kernel }
  return explain(scene, questionsOf(cluster, target, scene.node), target).map((explanation) => explanationText(explanation)).join('\n')
}

export const lineOf = (text: string, start: string): string | undefined => text.split('\n').find((line) => line.trimStart().startsWith(start))?.trim()
