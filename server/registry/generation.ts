/** `metadata.generation`: which wish of its users an object is at. Counts changes of what they wish for, nothing else. */
import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../../api/objects.ts'
import type { Resource } from '../../api/resources.ts'

const counted: { readonly [R in Resource]?: readonly string[] } = {
  namespaces: ['spec'],
  nodes: ['spec'],
  pods: ['spec'],
  services: ['spec'],
  'deployments.apps': ['spec'],
  'replicasets.apps': ['spec'],
  replicationcontrollers: ['spec'],
  podtemplates: ['template'],
  'daemonsets.apps': ['spec'],
  'statefulsets.apps': ['spec'],
  'jobs.batch': ['spec'],
  'cronjobs.batch': ['spec'],
  'poddisruptionbudgets.policy': ['spec'],
  'priorityclasses.scheduling.k8s.io': ['value', 'globalDefault', 'description', 'preemptionPolicy'],
  'ingresses.networking.k8s.io': ['spec'],
  'ingressclasses.networking.k8s.io': ['spec'],
  'networkpolicies.networking.k8s.io': ['spec'],
  'endpointslices.discovery.k8s.io': ['endpoints', 'ports'],
  'customresourcedefinitions.apiextensions.k8s.io': ['spec'],
}

/** The number of a new object; undefined for kinds that are not counted. */
export function firstGeneration(resource: Resource): number | undefined {
  return counted[resource] ? 1 : undefined
}

/** `after` with the number that it should have. */
export function withGeneration(resource: Resource, before: KubeObject, after: KubeObject): KubeObject {
  const fields = counted[resource]
  const at = (object: KubeObject, field: string): unknown => (object as unknown as Readonly<Record<string, unknown>>)[field]
  if (!fields || fields.every((f) => isDeepStrictEqual(at(before, f), at(after, f)))) return after
  return raised(after)
}

/** The next number, for objects that are counted. */
export function raised(object: KubeObject): KubeObject {
  const { generation } = object.metadata
  return generation === undefined ? object : { ...object, metadata: { ...object.metadata, generation: generation + 1 } }
}
