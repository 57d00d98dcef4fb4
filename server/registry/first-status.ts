/** The status of objects that were just created: what the server says of them before anybody has looked after them. */
import type { KubeObject, Pod } from '../../api/objects.ts'
import type { Resource, ResourceKind } from '../../api/resources.ts'
import { qosClass } from '../admit/defaults/pod.ts'

/** Kubernetes resets the status of what is created, where it has its own subresource; of nodes alone it is taken as sent. */
export function keepsStatus(of: ResourceKind): boolean {
  return of.resource === 'nodes' || !of.subresources.includes('status')
}

const table: { readonly [R in Resource]?: (object: KubeObject) => object } = {
  pods: (pod) => ({ phase: 'Pending', qosClass: qosClass((pod as Pod).spec!) }),
  namespaces: () => ({ phase: 'Active' }),
  services: () => ({ loadBalancer: {} }),
  'deployments.apps': () => ({}),
  'replicasets.apps': () => ({ replicas: 0 }),
  replicationcontrollers: () => ({ replicas: 0 }),
  resourcequotas: () => ({}),
  persistentvolumes: () => ({ phase: 'Pending' }),
  persistentvolumeclaims: () => ({ phase: 'Pending' }),
  'daemonsets.apps': () => ({ currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 }),
  'statefulsets.apps': () => ({ replicas: 0, availableReplicas: 0 }),
  'jobs.batch': () => ({}),
  'cronjobs.batch': () => ({}),
  'poddisruptionbudgets.policy': () => ({ currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }),
  'horizontalpodautoscalers.autoscaling': () => ({ desiredReplicas: 0 }),
  'ingresses.networking.k8s.io': () => ({ loadBalancer: {} }),
}

/** The field `status` of a new object, where the server says it. @param object with its defaults */
export function firstStatus(resource: Resource, object: KubeObject): Pick<KubeObject, 'status'> {
  const status = table[resource]?.(object)
  return status ? { status } : {}
}
