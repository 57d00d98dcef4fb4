/** How much of an object an agent is sent. Pure. */
import { readLabels, triggerAnnotation, type AgentResource } from '../../api/frames.ts'
import { isPlainlyReady, type EndpointSlice, type KubeObject, type Node, type Service } from '../../api/objects.ts'

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/**
 * Of services and slices, all of which every node is sent, what routing, names and the environment of pods read, as in
 * agent/state/trim.ts; of other objects all but field managers, what kubectl remembers of its last apply, and a node's images. Fields
 * that are not there are undefined, which is not sent.
 */
export function project(resource: AgentResource, object: KubeObject): KubeObject {
  switch (resource) {
    case 'services':
      return serviceFor(object as Service)
    case 'endpointslices.discovery.k8s.io':
      return sliceFor(object as unknown as EndpointSlice)
    case 'nodes':
      return withoutImages(withoutNotes(object) as Node)
    case 'pods':
      return withoutNotes(object)
  }
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

// Written out field by field: to leave fields out of a copy takes several times as long, and an agent that comes waits for all of them.

function serviceFor({ apiVersion, kind, metadata, spec, status }: Service): KubeObject {
  const ingress = status?.loadBalancer?.ingress
  return {
    apiVersion,
    kind,
    metadata: metadataFor(metadata),
    spec: spec && {
      type: spec.type,
      clusterIP: spec.clusterIP,
      // Of one address the list says nothing more.
      clusterIPs: spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === spec.clusterIP ? undefined : spec.clusterIPs,
      externalIPs: spec.externalIPs,
      externalName: spec.externalName,
      externalTrafficPolicy: spec.externalTrafficPolicy,
      healthCheckNodePort: spec.healthCheckNodePort,
      internalTrafficPolicy: spec.internalTrafficPolicy,
      loadBalancerSourceRanges: spec.loadBalancerSourceRanges,
      publishNotReadyAddresses: spec.publishNotReadyAddresses,
      sessionAffinity: spec.sessionAffinity,
      sessionAffinityConfig: spec.sessionAffinityConfig,
      ports: spec.ports?.map(({ name, protocol, port, nodePort }) => ({ name, protocol, port, nodePort })),
    },
    status: ingress && ingress.length > 0 ? { loadBalancer: { ingress } } : undefined,
  } as unknown as KubeObject
}

function sliceFor({ apiVersion, kind, metadata, addressType, endpoints, ports }: EndpointSlice): KubeObject {
  return {
    apiVersion,
    kind,
    metadata: metadataFor(metadata as KubeObject['metadata']),
    addressType,
    endpoints: endpoints?.map(endpointFor),
    ports: ports?.map(({ name, protocol, port }) => ({ name, protocol, port })),
  } as unknown as KubeObject
}

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number]

/** The same of an endpoint of a slice. */
export function endpointFor({ addresses, conditions, hints, hostname, nodeName }: Endpoint): Endpoint {
  return { addresses, conditions: conditions && !isPlainlyReady(conditions) ? conditions : undefined, hints, hostname, nodeName } as Endpoint
}

function metadataFor({ name, namespace, uid, resourceVersion, creationTimestamp, labels, annotations }: KubeObject['metadata']): object {
  const trigger = annotations?.[triggerAnnotation]
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    labels: labels && labelsFor(labels),
    annotations: trigger === undefined ? undefined : { [triggerAnnotation]: trigger },
  }
}

function labelsFor(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  let found: Record<string, string> | undefined
  for (const name of readLabels) {
    const value = labels[name]
    if (value !== undefined) (found ??= {})[name] = value
  }
  return found
}
