/** What of an object is stored and shown, and yet will not happen here: who writes one is told so. */
import type { CustomResourceDefinition, KubeObject } from '../../api/objects.ts'
import type { Resource } from '../../api/resources.ts'
import { definitionWarnings } from '../custom/definition.ts'
import { definitions } from '../custom/kinds.ts'

/** One sentence for each kind that no part of this hub or of its agents acts on. Where one comes to do so, its row goes. */
const idle: { readonly [R in Resource]?: string } = {
  replicationcontrollers: 'this hub has no controller for ReplicationControllers: no pods are started; use a Deployment',
  'daemonsets.apps': 'this hub has no controller for DaemonSets: no pods are started; use a Deployment',
  'statefulsets.apps': 'this hub has no controller for StatefulSets: no pods are started; use a Deployment',
  'jobs.batch': 'this hub has no controller for Jobs: no pods are started; create a Pod with restartPolicy Never',
  'cronjobs.batch': 'this hub has no controller for CronJobs: no jobs are started',
  'horizontalpodautoscalers.autoscaling': 'this hub has no controller for HorizontalPodAutoscalers: nothing is scaled; use kubectl scale',
  persistentvolumes: 'this hub has no controller for volumes: a PersistentVolume is not bound to claims',
  persistentvolumeclaims: 'this hub has no controller for volumes: a PersistentVolumeClaim stays Pending',
  'storageclasses.storage.k8s.io': 'this hub has no controller for volumes: no volumes are made for claims of a StorageClass',
  'networkpolicies.networking.k8s.io': 'NetworkPolicies are not enforced: all pods can reach each other',
  resourcequotas: 'ResourceQuotas are not enforced: usage is neither counted nor limited',
  limitranges: 'LimitRanges are not enforced: containers get no defaults or limits from it',
  'priorityclasses.scheduling.k8s.io': 'the value of a PriorityClass is written into pods, but the scheduler neither orders nor evicts by it',
}

/** What to tell whoever wrote an object. */
export function warningsOf(resource: Resource, object: KubeObject): readonly string[] {
  if (resource === definitions) return definitionWarnings(object as unknown as CustomResourceDefinition)
  const sentence = idle[resource]
  return sentence === undefined ? [] : [sentence]
}
