/** How much of an object an agent is sent. Pure. */
import type { AgentResource } from '../../api/frames.ts'
import type { KubeObject, Node } from '../../api/objects.ts'

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/**
 * An object without what no agent reads: field managers, what kubectl remembers of its last apply, and a node's list of images.
 * The same object where there is nothing to leave out.
 */
export function project(resource: AgentResource, object: KubeObject): KubeObject {
  const slim = withoutNotes(object)
  return resource === 'nodes' ? withoutImages(slim as Node) : slim
}

function withoutNotes(object: KubeObject): KubeObject {
  const { managedFields, annotations, ...metadata } = object.metadata
  if (!managedFields && annotations?.[lastApplied] === undefined) return object
  const { [lastApplied]: _, ...kept } = annotations ?? {}
  return { ...object, metadata: { ...metadata, ...(Object.keys(kept).length > 0 && { annotations: kept }) } }
}

function withoutImages(node: Node): KubeObject {
  if (!node.status?.images) return node as KubeObject
  const { images: _, ...status } = node.status
  return { ...node, status } as KubeObject
}
