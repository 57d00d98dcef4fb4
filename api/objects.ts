/**
 * The Kubernetes object types that the rooms speak of. The shapes come from `kubernetes-models` (generated from the
 * Kubernetes OpenAPI document); here they only get the one promise that everything in the store keeps: it has metadata.
 */
import type { ICustomResourceDefinition } from 'kubernetes-models/apiextensions.k8s.io/v1/CustomResourceDefinition'
import type { IControllerRevision } from 'kubernetes-models/apps/v1/ControllerRevision'
import type { IDaemonSet } from 'kubernetes-models/apps/v1/DaemonSet'
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment'
import type { IReplicaSet } from 'kubernetes-models/apps/v1/ReplicaSet'
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler'
import type { ICronJob } from 'kubernetes-models/batch/v1/CronJob'
import type { IJob } from 'kubernetes-models/batch/v1/Job'
import type { ILease } from 'kubernetes-models/coordination.k8s.io/v1/Lease'
import type { IEndpointSlice } from 'kubernetes-models/discovery.k8s.io/v1/EndpointSlice'
import type { ICertificateSigningRequest } from 'kubernetes-models/certificates.k8s.io/v1/CertificateSigningRequest'
import type { IClusterRole } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRole'
import type { IClusterRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRoleBinding'
import type { IRole } from 'kubernetes-models/rbac.authorization.k8s.io/v1/Role'
import type { IRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding'
import type { IIngress } from 'kubernetes-models/networking.k8s.io/v1/Ingress'
import type { IIngressClass } from 'kubernetes-models/networking.k8s.io/v1/IngressClass'
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import type { IPriorityClass } from 'kubernetes-models/scheduling.k8s.io/v1/PriorityClass'
import type { IStorageClass } from 'kubernetes-models/storage.k8s.io/v1/StorageClass'
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap'
import type { IEndpoints } from 'kubernetes-models/v1/Endpoints'
import type { IEvent } from 'kubernetes-models/v1/Event'
import type { ILimitRange } from 'kubernetes-models/v1/LimitRange'
import type { INamespace } from 'kubernetes-models/v1/Namespace'
import type { INode } from 'kubernetes-models/v1/Node'
import type { IPersistentVolume } from 'kubernetes-models/v1/PersistentVolume'
import type { IPersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim'
import type { IPod } from 'kubernetes-models/v1/Pod'
import type { IPodTemplate } from 'kubernetes-models/v1/PodTemplate'
import type { IReplicationController } from 'kubernetes-models/v1/ReplicationController'
import type { IResourceQuota } from 'kubernetes-models/v1/ResourceQuota'
import type { ISecret } from 'kubernetes-models/v1/Secret'
import type { IService } from 'kubernetes-models/v1/Service'
import type { IServiceAccount } from 'kubernetes-models/v1/ServiceAccount'

type ModelMeta = NonNullable<IPod['metadata']>

/** metadata as the store keeps it: what the server fills in is always there. `namespace` is absent on cluster-wide kinds. */
export type ObjectMeta = ModelMeta & {
  name: string
  uid: string
  /** Decimal string of the store's revision. */
  resourceVersion: string
  /** RFC 3339, UTC, whole seconds. */
  creationTimestamp: string
}

export type OwnerReference = NonNullable<ModelMeta['ownerReferences']>[number]

/** Any object that the store holds. Treat it as frozen: a change is a new value. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  spec?: unknown
  status?: unknown
}

type Stored<T> = Omit<T, 'metadata'> & { metadata: ObjectMeta }

export type Pod = Stored<IPod>
export type Node = Stored<INode>
export type Service = Stored<IService>
export type EndpointSlice = Stored<IEndpointSlice>
export type Endpoints = Stored<IEndpoints>
export type Namespace = Stored<INamespace>
export type ConfigMap = Stored<IConfigMap>
export type Secret = Stored<ISecret>
export type ServiceAccount = Stored<IServiceAccount>
export type Deployment = Stored<IDeployment>
export type ReplicaSet = Stored<IReplicaSet>
export type Lease = Stored<ILease>
export type Event = Stored<IEvent>
export type CertificateSigningRequest = Stored<ICertificateSigningRequest>
export type Role = Stored<IRole>
export type RoleBinding = Stored<IRoleBinding>
export type ClusterRole = Stored<IClusterRole>
export type ClusterRoleBinding = Stored<IClusterRoleBinding>
export type ReplicationController = Stored<IReplicationController>
export type PodTemplate = Stored<IPodTemplate>
export type LimitRange = Stored<ILimitRange>
export type ResourceQuota = Stored<IResourceQuota>
export type PersistentVolume = Stored<IPersistentVolume>
export type PersistentVolumeClaim = Stored<IPersistentVolumeClaim>
export type DaemonSet = Stored<IDaemonSet>
export type StatefulSet = Stored<IStatefulSet>
export type ControllerRevision = Stored<IControllerRevision>
export type Job = Stored<IJob>
export type CronJob = Stored<ICronJob>
export type PodDisruptionBudget = Stored<IPodDisruptionBudget>
export type PriorityClass = Stored<IPriorityClass>
export type HorizontalPodAutoscaler = Stored<IHorizontalPodAutoscaler>
export type Ingress = Stored<IIngress>
export type IngressClass = Stored<IIngressClass>
export type NetworkPolicy = Stored<INetworkPolicy>
export type StorageClass = Stored<IStorageClass>
export type CustomResourceDefinition = Stored<ICustomResourceDefinition>

export type PodSpec = NonNullable<IPod['spec']>
export type PodStatus = NonNullable<IPod['status']>
export type PodTemplateSpec = NonNullable<IDeployment['spec']>['template']
export type Container = PodSpec['containers'][number]
export type ContainerStatus = NonNullable<PodStatus['containerStatuses']>[number]
export type NodeStatus = NonNullable<INode['status']>
export type NodeCondition = NonNullable<NodeStatus['conditions']>[number]
export type ServiceSpec = NonNullable<IService['spec']>
export type ServicePort = NonNullable<ServiceSpec['ports']>[number]
export type PolicyRule = NonNullable<IRole['rules']>[number]
export type RoleRef = IRoleBinding['roleRef']
export type Subject = NonNullable<IRoleBinding['subjects']>[number]
export type LabelSelector = NonNullable<IDeployment['spec']>['selector']

/** `namespace/name`, or just `name` for a cluster-wide object. The key of every table that holds one kind. */
export function keyOf(object: { metadata: { namespace?: string; name: string } }): string {
  const { namespace, name } = object.metadata
  return namespace ? `${namespace}/${name}` : name
}

/** Whether the conditions of an endpoint say what their absence says, too (discovery/v1 EndpointConditions). */
export function isPlainlyReady({ ready, serving, terminating }: NonNullable<NonNullable<EndpointSlice['endpoints']>[number]['conditions']>): boolean {
  return (ready ?? true) && (serving ?? true) && !terminating
}
