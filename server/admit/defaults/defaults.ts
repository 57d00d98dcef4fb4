/**
 * Fills in what a client may leave out, kind by kind, as kube-apiserver does. Pure; takes objects whose structure was
 * checked, and doing it twice is doing it once.
 */
import type {
  CronJob,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  Endpoints,
  EndpointSlice,
  HorizontalPodAutoscaler,
  IngressClass,
  Job,
  KubeObject,
  LimitRange,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodTemplate,
  PriorityClass,
  ReplicaSet,
  RoleBinding,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
  StatefulSet,
  StorageClass,
} from '../../../api/objects.ts'
import type { Resource } from '../../../api/resources.ts'
import { definitionDefaults } from '../../custom/definition.ts'
import { fill } from './fill.ts'
import { amountsAsText, podDefaults } from './pod.ts'
import {
  autoscalerDefaults,
  ingressClassDefaults,
  limitRangeDefaults,
  networkPolicyDefaults,
  priorityClassDefaults,
  resourceQuotaDefaults,
} from './policy.ts'
import { serviceDefaults } from './service.ts'
import { persistentVolumeClaimDefaults, persistentVolumeDefaults, storageClassDefaults } from './volume.ts'
import {
  cronJobDefaults,
  daemonSetDefaults,
  deploymentDefaults,
  jobDefaults,
  podTemplateKindDefaults,
  replicaSetDefaults,
  replicationControllerDefaults,
  statefulSetDefaults,
} from './workload.ts'

/** The finalizer (Namespace `spec.finalizers`) that the namespace controller takes away when the namespace is empty. */
export const namespaceFinalizer = 'kubernetes'
/** Carries the namespace's own name, so that label selectors can name it. */
export const namespaceNameLabel = 'kubernetes.io/metadata.name'

/** The object with its kind's defaults. */
export function withDefaults(resource: Resource, object: KubeObject): KubeObject {
  const byKind = table[resource]
  return byKind ? byKind(object) : object
}

const table: { readonly [R in Resource]?: (object: KubeObject) => KubeObject } = {
  pods: typed<Pod>((pod) => (pod.spec ? { ...pod, spec: podDefaults(pod.spec) } : pod)),
  services: typed<Service>(serviceDefaults),
  namespaces: typed<Namespace>((ns) => ({
    ...ns,
    metadata: { ...ns.metadata, labels: { ...ns.metadata.labels, [namespaceNameLabel]: ns.metadata.name } },
  })),
  nodes: typed<Node>(nodeDefaults),
  secrets: typed<Secret>(secretDefaults),
  podtemplates: typed<PodTemplate>(podTemplateKindDefaults),
  replicationcontrollers: typed<ReplicationController>(replicationControllerDefaults),
  limitranges: typed<LimitRange>(limitRangeDefaults),
  resourcequotas: typed<ResourceQuota>(resourceQuotaDefaults),
  persistentvolumes: typed<PersistentVolume>(persistentVolumeDefaults),
  persistentvolumeclaims: typed<PersistentVolumeClaim>(persistentVolumeClaimDefaults),
  'deployments.apps': typed<Deployment>(deploymentDefaults),
  'rolebindings.rbac.authorization.k8s.io': typed<RoleBinding>(bindingDefaults),
  'clusterrolebindings.rbac.authorization.k8s.io': typed<RoleBinding>(bindingDefaults),
  'replicasets.apps': typed<ReplicaSet>(replicaSetDefaults),
  'daemonsets.apps': typed<DaemonSet>(daemonSetDefaults),
  'statefulsets.apps': typed<StatefulSet>(statefulSetDefaults),
  'jobs.batch': typed<Job>(jobDefaults),
  'cronjobs.batch': typed<CronJob>(cronJobDefaults),
  'priorityclasses.scheduling.k8s.io': typed<PriorityClass>(priorityClassDefaults),
  'horizontalpodautoscalers.autoscaling': typed<HorizontalPodAutoscaler>(autoscalerDefaults),
  'ingressclasses.networking.k8s.io': typed<IngressClass>(ingressClassDefaults),
  'networkpolicies.networking.k8s.io': typed<NetworkPolicy>(networkPolicyDefaults),
  'storageclasses.storage.k8s.io': typed<StorageClass>(storageClassDefaults),
  'customresourcedefinitions.apiextensions.k8s.io': typed<CustomResourceDefinition>(definitionDefaults),
  endpoints: typed<Endpoints>((endpoints) => ({
    ...endpoints,
    ...(endpoints.subsets && {
      subsets: endpoints.subsets.map((s) => ({
        ...s,
        ...(s.ports && { ports: s.ports.map((p) => fill(p, { protocol: 'TCP' })) }),
      })),
    }),
  })),
  'endpointslices.discovery.k8s.io': typed<EndpointSlice>((slice) => ({
    ...slice,
    endpoints: slice.endpoints ?? [],
    ...(slice.ports && { ports: slice.ports.map((p) => fill(p, { name: '', protocol: 'TCP' })) }),
  })),
}

/** The structure of the object was checked, so its type is what its kind says. */
function typed<T>(change: (object: T) => T): (object: KubeObject) => KubeObject {
  return (object) => change(object as T) as KubeObject
}

/** A reference to a role, or to a user or group, is to those of the API group of roles. */
function bindingDefaults(binding: RoleBinding): RoleBinding {
  const { roleRef, subjects } = binding
  const apiGroup = 'rbac.authorization.k8s.io'
  return {
    ...binding,
    roleRef: { ...roleRef, apiGroup: roleRef.apiGroup || apiGroup },
    ...(subjects && { subjects: subjects.map((s) => (s.kind === 'User' || s.kind === 'Group' ? { ...s, apiGroup: s.apiGroup || apiGroup } : s)) }),
  }
}

function nodeDefaults(node: Node): Node {
  const { capacity, allocatable } = node.status ?? {}
  if (!capacity && !allocatable) return node
  const amounts = {
    ...(capacity && { capacity: amountsAsText(capacity) }),
    ...((allocatable ?? capacity) && { allocatable: amountsAsText((allocatable ?? capacity)!) }),
  }
  return { ...node, status: { ...node.status, ...amounts } }
}

/** `stringData` is a way to write `data` (Secret): it wins, and is never read back. */
function secretDefaults(secret: Secret): Secret {
  const { stringData, ...kept } = secret
  const typed = fill(kept as Secret, { type: 'Opaque' })
  if (!stringData) return typed
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
  return { ...typed, data: { ...typed.data, ...Object.fromEntries(encoded) } }
}
