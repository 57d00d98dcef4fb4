/** What may not change once an object is there, kind by kind. Both states have their defaults; the new one need not be valid. */
import { isDeepStrictEqual } from 'node:util'
import type {
  CertificateSigningRequest,
  ConfigMap,
  ControllerRevision,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  EndpointSlice,
  IngressClass,
  Job,
  KubeObject,
  Node,
  ObjectMeta,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  PriorityClass,
  ReplicaSet,
  RoleBinding,
  ResourceQuota,
  Secret,
  Service,
  ServiceSpec,
  StatefulSet,
  StorageClass,
} from '../../../api/objects.ts'
import type { Resource } from '../../../api/resources.ts'
import type { StatusCause } from '../../../api/status.ts'
import { definitionChange } from '../../custom/definition.ts'
import { forbidden, immutable, wrong, type Causes } from '../causes.ts'
import { wantsClusterIP } from './service.ts'
import { claimChange, volumeChange } from './volume-changes.ts'
import { fixed, jobChange, quotaChange, ingressClassChange, selectorChange, statefulSetChange, type Step } from './fixed.ts'

export type { Step }

/** Everything that the change does and may not. */
export function validateChange(resource: Resource, { before, after }: Step<KubeObject>): readonly StatusCause[] {
  return [...validateMetaChange(before.metadata, after.metadata), ...validateKindChange(resource, { before, after })]
}

function* validateMetaChange(before: ObjectMeta, after: ObjectMeta): Causes {
  if (!before.deletionTimestamp) return
  const added = (after.finalizers ?? []).filter((f) => !before.finalizers?.includes(f))
  if (added.length === 0) return
  yield forbidden(
    'metadata.finalizers',
    `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
  )
}

function validateKindChange(resource: Resource, step: Step<KubeObject>): Iterable<StatusCause> {
  // An object without its spec is not valid, which is said elsewhere.
  if (step.before.spec !== undefined && step.after.spec === undefined) return []
  return table[resource]?.(step) ?? []
}

/** Of a kind that is not named, everything may change. */
const table: { readonly [R in Resource]?: (step: Step<KubeObject>) => Iterable<StatusCause> } = {
  pods: typed<Pod>(podChange),
  services: typed<Service>(serviceChange),
  nodes: typed<Node>(nodeChange),
  configmaps: typed<ConfigMap>(dataChange),
  secrets: typed<Secret>(dataChange),
  'deployments.apps': typed<Deployment>(selectorChange),
  'replicasets.apps': typed<ReplicaSet>(selectorChange),
  'daemonsets.apps': typed<DaemonSet>(selectorChange),
  'statefulsets.apps': typed<StatefulSet>(statefulSetChange),
  'controllerrevisions.apps': typed<ControllerRevision>(fixed('data')),
  'jobs.batch': typed<Job>(jobChange),
  resourcequotas: typed<ResourceQuota>(quotaChange),
  persistentvolumes: typed<PersistentVolume>(volumeChange),
  persistentvolumeclaims: typed<PersistentVolumeClaim>(claimChange),
  'priorityclasses.scheduling.k8s.io': typed<PriorityClass>(fixed('value', 'preemptionPolicy')),
  'ingressclasses.networking.k8s.io': typed<IngressClass>(ingressClassChange),
  'storageclasses.storage.k8s.io': typed<StorageClass>(fixed('provisioner', 'parameters', 'reclaimPolicy', 'volumeBindingMode')),
  'rolebindings.rbac.authorization.k8s.io': typed<RoleBinding>(bindingChange),
  'clusterrolebindings.rbac.authorization.k8s.io': typed<RoleBinding>(bindingChange),
  'certificatesigningrequests.certificates.k8s.io': typed<CertificateSigningRequest>(requestChange),
  'endpointslices.discovery.k8s.io': typed<EndpointSlice>(fixed('addressType')),
  'customresourcedefinitions.apiextensions.k8s.io': typed<CustomResourceDefinition>(definitionChange),
}

function typed<T>(check: (step: Step<T>) => Iterable<StatusCause>): (step: Step<KubeObject>) => Iterable<StatusCause> {
  return (step) => check(step as unknown as Step<T>)
}

const changeable =
  'of a pod that exists only the images of its containers, `activeDeadlineSeconds` (set, or made shorter), ' +
  '`terminationGracePeriodSeconds` ' +
  '(from a negative value to 1) and `tolerations` (more of them) may change; delete it and create it anew'

function* podChange({ before, after }: Step<Pod>): Causes {
  const [old, now] = [before.spec!, after.spec!]
  yield* containersChange('spec.containers', old.containers, now.containers)
  yield* containersChange('spec.initContainers', old.initContainers ?? [], now.initContainers ?? [])
  const [oldDeadline, deadline] = [old.activeDeadlineSeconds, now.activeDeadlineSeconds]
  if (oldDeadline !== undefined && (deadline === undefined || deadline > oldDeadline)) {
    yield wrong('spec.activeDeadlineSeconds', deadline, `may only be made shorter than ${oldDeadline}`)
  }
  const kept = (old.tolerations ?? []).every((t) =>
    now.tolerations?.some((n) => isDeepStrictEqual({ ...t, tolerationSeconds: 0 }, { ...n, tolerationSeconds: 0 })),
  )
  if (!kept)
    yield forbidden(
      'spec.tolerations',
      'existing tolerations may not be removed or changed, except for their `tolerationSeconds`',
    )
  const grace = old.terminationGracePeriodSeconds ?? 0
  if (now.terminationGracePeriodSeconds !== grace && !(grace < 0 && now.terminationGracePeriodSeconds === 1)) {
    yield forbidden('spec.terminationGracePeriodSeconds', changeable)
  }
  const looked = new Set([
    'containers',
    'initContainers',
    'activeDeadlineSeconds',
    'tolerations',
    'terminationGracePeriodSeconds',
  ])
  for (const key of new Set([...Object.keys(old), ...Object.keys(now)]) as ReadonlySet<keyof PodSpec>) {
    if (!looked.has(key) && !isDeepStrictEqual(old[key], now[key])) yield forbidden(`spec.${key}`, changeable)
  }
}

function* containersChange(field: string, before: PodSpec['containers'], after: PodSpec['containers']): Causes {
  if (before.length !== after.length)
    return yield forbidden(field, 'containers may not be added to or removed from a pod that exists')
  for (const [i, old] of before.entries()) {
    const now = after[i]!
    for (const key of new Set([...Object.keys(old), ...Object.keys(now)]) as ReadonlySet<keyof typeof old>) {
      if (key !== 'image' && !isDeepStrictEqual(old[key], now[key])) yield forbidden(`${field}[${i}].${key}`, changeable)
    }
  }
}

function* serviceChange({ before, after }: Step<Service>): Causes {
  const [old, now] = [before.spec ?? {}, after.spec ?? {}]
  if (now.type !== 'ExternalName' && old.type !== 'ExternalName') yield* addressesChange(old, now)
  const balanced = old.type === 'LoadBalancer' && now.type === 'LoadBalancer'
  if (balanced && old.loadBalancerClass !== now.loadBalancerClass)
    yield wrong('spec.loadBalancerClass', now.loadBalancerClass, 'may not change once set')
  if (balanced && old.healthCheckNodePort && now.healthCheckNodePort && old.healthCheckNodePort !== now.healthCheckNodePort) {
    yield immutable('spec.healthCheckNodePort', now.healthCheckNodePort)
  }
}

/** The first address and its family stay; a second one comes and goes, but does not change. */
function* addressesChange(old: ServiceSpec, now: ServiceSpec): Causes {
  const wayOut = 'delete the service and create it anew'
  const listed = (spec: ServiceSpec): readonly string[] => spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])
  const lists = [
    ['clusterIPs', listed(old), listed(now)],
    ['ipFamilies', wantsClusterIP(old) ? (old.ipFamilies ?? []) : [], now.ipFamilies ?? []],
  ] as const
  for (const [field, was, is] of lists) {
    for (const i of [0, 1]) {
      const gone = i === 1 && is[1] === undefined
      if (was[i] === undefined || was[i] === is[i] || gone) continue
      yield wrong(`spec.${field}[${i}]`, is, `may not change once set (it is ${JSON.stringify(was[i])}); ${wayOut}`)
    }
  }
}

function* dataChange({ before, after }: Step<ConfigMap | Secret>): Causes {
  const [type, newType] = [(before as Secret).type, (after as Secret).type]
  if (type !== newType) yield immutable('type', newType)
  if (!before.immutable) return
  if (!after.immutable) yield forbidden('immutable', 'field is immutable when `immutable` is set')
  for (const field of ['data', 'binaryData'] as const) {
    const [old, now] = [(before as ConfigMap)[field] ?? {}, (after as ConfigMap)[field] ?? {}]
    if (!isDeepStrictEqual(old, now)) yield forbidden(field, 'field is immutable when `immutable` is set')
  }
}

/** What was approved is what is signed. */
function* requestChange({ before, after }: Step<CertificateSigningRequest>): Causes {
  if (!isDeepStrictEqual(before.spec, after.spec)) yield forbidden('spec', 'a request may not change once it is made; make another one')
}

/** Whoever sees a binding may rely on what it gives: another role is another binding. */
function* bindingChange({ before, after }: Step<RoleBinding>): Causes {
  if (!isDeepStrictEqual(before.roleRef, after.roleRef)) yield wrong('roleRef', after.roleRef, 'cannot change roleRef: delete the binding and create it anew')
}

function* nodeChange({ before, after }: Step<Node>): Causes {
  for (const field of ['podCIDR', 'podCIDRs', 'providerID'] as const) {
    const [old, now] = [before.spec?.[field], after.spec?.[field]]
    if (old?.length && !isDeepStrictEqual(old, now)) yield forbidden(`spec.${field}`, 'may not change once set')
  }
}
