/** Objects as the API server sends them, looked at before anything is done with them. */
import type { AgentResource } from '../../../api/frames.ts'
import type { KubeObject } from '../../../api/objects.ts'

/** The kinds that the proxy follows. */
export type FollowedResource = Exclude<AgentResource, 'pods'>

type Fields = Readonly<Record<string, unknown>>

/**
 * The object, where it has what every object has: a name and a revision. Of a node only what the proxy reads, since nodes
 * carry lists of images; services and slices are cut down by the tables that take them.
 * @returns undefined for anything else
 */
export function readObject(resource: FollowedResource, value: unknown): KubeObject | undefined {
  if (!isFields(value) || !isFields(value['metadata'])) return undefined
  const { name, resourceVersion } = value['metadata']
  if (typeof name !== 'string' || name === '' || typeof resourceVersion !== 'string') return undefined
  // Items of a list come without their own kind.
  if (resource === 'services') return { ...value, apiVersion: 'v1', kind: 'Service' } as unknown as KubeObject
  if (resource === 'endpointslices.discovery.k8s.io') return { ...value, apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' } as unknown as KubeObject
  return readNode(value)
}

function readNode(value: Fields): KubeObject {
  const picked = (from: unknown, names: readonly string[]): Fields =>
    Object.fromEntries(names.flatMap((name) => (isFields(from) && from[name] !== undefined ? [[name, from[name]] as const] : [])))
  const metadata = picked(value['metadata'], ['name', 'uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp', 'labels'])
  const spec = picked(value['spec'], ['podCIDR', 'podCIDRs', 'taints'])
  return { apiVersion: 'v1', kind: 'Node', metadata, spec, status: picked(value['status'], ['addresses']) } as unknown as KubeObject
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
