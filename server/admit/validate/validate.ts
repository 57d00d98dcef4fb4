/** The meaning of an object's fields, kind by kind. Takes objects whose structure was checked and that have their defaults. */
import type {
  CertificateSigningRequest,
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  ControllerRevision,
  CronJob,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  Endpoints,
  EndpointSlice,
  Event,
  HorizontalPodAutoscaler,
  Ingress,
  IngressClass,
  Job,
  KubeObject,
  Lease,
  LimitRange,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PodTemplate,
  PriorityClass,
  ReplicaSet,
  Role,
  RoleBinding,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
  StatefulSet,
  StorageClass,
} from '../../../api/objects.ts'
import type { Resource } from '../../../api/resources.ts'
import type { StatusCause } from '../../../api/status.ts'
import { validateDefinition } from '../../custom/definition.ts'
import type { Causes } from '../causes.ts'
import { validateCertificateRequest } from './certificates.ts'
import { validateAutoscaler } from './autoscaler.ts'
import { validateEndpoints, validateEndpointSlice } from './endpoints.ts'
import { validateIngress, validateIngressClass, validateNetworkPolicy } from './ingress.ts'
import { validateCronJob, validateJob } from './job.ts'
import { validateMeta } from './meta.ts'
import { validateConfigMap, validateEvent, validateLease, validateNamespace, validateNode, validateSecret } from './others.ts'
import { validatePod } from './pod.ts'
import { validateRole, validateRoleBinding } from './roles.ts'
import { validateBudget, validatePriorityClass } from './priority.ts'
import { validateLimitRange, validateResourceQuota } from './quota.ts'
import { validateService } from './service.ts'
import { validatePersistentVolume, validatePersistentVolumeClaim, validateStorageClass } from './volume.ts'
import {
  validateControllerRevision,
  validateDaemonSet,
  validateDeployment,
  validatePodTemplate,
  validateReplicaSet,
  validateReplicationController,
  validateStatefulSet,
} from './workload.ts'

/** More are not told of at once. */
const maxCauses = 100

/** Everything that is wrong with an object, up to a hundred causes; none means that it may be stored. */
export function validate(resource: Resource, object: KubeObject): readonly StatusCause[] {
  const causes: StatusCause[] = []
  for (const cause of all(resource, object)) {
    causes.push(cause)
    if (causes.length >= maxCauses) break
  }
  return causes
}

function* all(resource: Resource, object: KubeObject): Causes {
  yield* validateMeta(resource, object.metadata)
  yield* table[resource]?.(object) ?? []
}

/** What is checked of each kind beside its metadata; of a kind that is not named, its shape says everything. */
const table: { readonly [R in Resource]?: (object: KubeObject) => Iterable<StatusCause> } = {
  pods: typed<Pod>(validatePod),
  services: typed<Service>(validateService),
  nodes: typed<Node>(validateNode),
  namespaces: typed<Namespace>(validateNamespace),
  configmaps: typed<ConfigMap>(validateConfigMap),
  secrets: typed<Secret>(validateSecret),
  events: typed<Event>(validateEvent),
  endpoints: typed<Endpoints>(validateEndpoints),
  podtemplates: typed<PodTemplate>(validatePodTemplate),
  replicationcontrollers: typed<ReplicationController>(validateReplicationController),
  limitranges: typed<LimitRange>(validateLimitRange),
  resourcequotas: typed<ResourceQuota>(validateResourceQuota),
  persistentvolumes: typed<PersistentVolume>(validatePersistentVolume),
  persistentvolumeclaims: typed<PersistentVolumeClaim>(validatePersistentVolumeClaim),
  'deployments.apps': typed<Deployment>(validateDeployment),
  'replicasets.apps': typed<ReplicaSet>(validateReplicaSet),
  'daemonsets.apps': typed<DaemonSet>(validateDaemonSet),
  'statefulsets.apps': typed<StatefulSet>(validateStatefulSet),
  'controllerrevisions.apps': typed<ControllerRevision>(validateControllerRevision),
  'jobs.batch': typed<Job>(validateJob),
  'cronjobs.batch': typed<CronJob>(validateCronJob),
  'poddisruptionbudgets.policy': typed<PodDisruptionBudget>(validateBudget),
  'priorityclasses.scheduling.k8s.io': typed<PriorityClass>(validatePriorityClass),
  'horizontalpodautoscalers.autoscaling': typed<HorizontalPodAutoscaler>(validateAutoscaler),
  'ingresses.networking.k8s.io': typed<Ingress>(validateIngress),
  'ingressclasses.networking.k8s.io': typed<IngressClass>(validateIngressClass),
  'networkpolicies.networking.k8s.io': typed<NetworkPolicy>(validateNetworkPolicy),
  'storageclasses.storage.k8s.io': typed<StorageClass>(validateStorageClass),
  'endpointslices.discovery.k8s.io': typed<EndpointSlice>(validateEndpointSlice),
  'roles.rbac.authorization.k8s.io': typed<Role>(validateRole),
  'clusterroles.rbac.authorization.k8s.io': typed<ClusterRole>(validateRole),
  'rolebindings.rbac.authorization.k8s.io': typed<RoleBinding>(validateRoleBinding),
  'clusterrolebindings.rbac.authorization.k8s.io': typed<ClusterRoleBinding>(validateRoleBinding),
  'certificatesigningrequests.certificates.k8s.io': typed<CertificateSigningRequest>(validateCertificateRequest),
  'leases.coordination.k8s.io': typed<Lease>(validateLease),
  'customresourcedefinitions.apiextensions.k8s.io': typed<CustomResourceDefinition>(validateDefinition),
}

/** The structure of the object was checked, so its type is what its kind says. */
function typed<T>(check: (object: T) => Iterable<StatusCause>): (object: KubeObject) => Iterable<StatusCause> {
  return (object) => check(object as T)
}
