/**
 * The kinds that the hub serves, one row each: what discovery says of them, and the words by which the rooms address them.
 * A `Resource` is the plural name, with the API group behind a dot where there is one (`pods`, `deployments.apps`).
 *
 * A new kind has a row here, its type in `objects.ts`, its messages in `server/rest/protobuf`, and a run of
 * `server/admit/generate-fields.ts`. What it has of its own has one table for each question:
 * - `ownFields` in `selectors.ts`: what it can be selected by beside its names
 * - `server/admit`: `defaults/`, `validate/validate.ts` (what is right), `validate/changes.ts` (what may change)
 * - `server/registry`: `first-status.ts`, `generation.ts`
 * - `server/managed/shape.ts` and `server/rest/patch/keys.ts`: which of its lists are not one field
 * - `server/rest/table/table.ts`: its columns
 *
 * Kinds that a CustomResourceDefinition brings at run time have no row here: see `server/custom`.
 */

export interface ResourceKind {
  readonly resource: Resource
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly singular: string
  readonly kind: string
  readonly namespaced: boolean
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly subresources: readonly Subresource[]
}

export type Subresource =
  | 'status' | 'scale' | 'binding' | 'log' | 'eviction' | 'finalize' | 'token' | 'approval' | 'exec' | 'attach' | 'portforward' | 'proxy'

const rows = [
  // resource, version, kind, namespaced, short names, subresources, in `kubectl get all`
  ['namespaces', 'v1', 'Namespace', false, ['ns'], ['status', 'finalize'], false],
  ['nodes', 'v1', 'Node', false, ['no'], ['status'], false],
  ['pods', 'v1', 'Pod', true, ['po'], ['status', 'binding', 'log', 'eviction', 'exec', 'attach', 'portforward', 'proxy'], true],
  ['services', 'v1', 'Service', true, ['svc'], ['status', 'proxy'], true],
  ['endpoints', 'v1', 'Endpoints', true, ['ep'], [], false],
  ['configmaps', 'v1', 'ConfigMap', true, ['cm'], [], false],
  ['secrets', 'v1', 'Secret', true, [], [], false],
  ['serviceaccounts', 'v1', 'ServiceAccount', true, ['sa'], ['token'], false],
  ['events', 'v1', 'Event', true, ['ev'], [], false],
  ['replicationcontrollers', 'v1', 'ReplicationController', true, ['rc'], ['status', 'scale'], true],
  ['podtemplates', 'v1', 'PodTemplate', true, [], [], false],
  ['limitranges', 'v1', 'LimitRange', true, ['limits'], [], false],
  ['resourcequotas', 'v1', 'ResourceQuota', true, ['quota'], ['status'], false],
  ['persistentvolumes', 'v1', 'PersistentVolume', false, ['pv'], ['status'], false],
  ['persistentvolumeclaims', 'v1', 'PersistentVolumeClaim', true, ['pvc'], ['status'], false],
  ['deployments.apps', 'v1', 'Deployment', true, ['deploy'], ['status', 'scale'], true],
  ['replicasets.apps', 'v1', 'ReplicaSet', true, ['rs'], ['status', 'scale'], true],
  ['daemonsets.apps', 'v1', 'DaemonSet', true, ['ds'], ['status'], true],
  ['statefulsets.apps', 'v1', 'StatefulSet', true, ['sts'], ['status', 'scale'], true],
  ['controllerrevisions.apps', 'v1', 'ControllerRevision', true, [], [], false],
  ['jobs.batch', 'v1', 'Job', true, [], ['status'], true],
  ['cronjobs.batch', 'v1', 'CronJob', true, ['cj'], ['status'], true],
  ['poddisruptionbudgets.policy', 'v1', 'PodDisruptionBudget', true, ['pdb'], ['status'], false],
  ['priorityclasses.scheduling.k8s.io', 'v1', 'PriorityClass', false, ['pc'], [], false],
  ['horizontalpodautoscalers.autoscaling', 'v2', 'HorizontalPodAutoscaler', true, ['hpa'], ['status'], true],
  ['ingresses.networking.k8s.io', 'v1', 'Ingress', true, ['ing'], ['status'], false],
  ['ingressclasses.networking.k8s.io', 'v1', 'IngressClass', false, [], [], false],
  ['networkpolicies.networking.k8s.io', 'v1', 'NetworkPolicy', true, ['netpol'], [], false],
  ['storageclasses.storage.k8s.io', 'v1', 'StorageClass', false, ['sc'], [], false],
  ['endpointslices.discovery.k8s.io', 'v1', 'EndpointSlice', true, [], [], false],
  ['leases.coordination.k8s.io', 'v1', 'Lease', true, [], [], false],
  ['roles.rbac.authorization.k8s.io', 'v1', 'Role', true, [], [], false],
  ['rolebindings.rbac.authorization.k8s.io', 'v1', 'RoleBinding', true, [], [], false],
  ['clusterroles.rbac.authorization.k8s.io', 'v1', 'ClusterRole', false, [], [], false],
  ['clusterrolebindings.rbac.authorization.k8s.io', 'v1', 'ClusterRoleBinding', false, [], [], false],
  ['certificatesigningrequests.certificates.k8s.io', 'v1', 'CertificateSigningRequest', false, ['csr'], ['status', 'approval'], false],
  ['customresourcedefinitions.apiextensions.k8s.io', 'v1', 'CustomResourceDefinition', false, ['crd', 'crds'], ['status'], false],
] as const

/** A kind that has its row here. */
export type BuiltInResource = (typeof rows)[number][0]

declare const custom: unique symbol
/** A kind that a CustomResourceDefinition brings: the definition's own name, plural and group (`crontabs.stable.example.com`). */
export type CustomResource = string & { readonly [custom]: true }

export type Resource = BuiltInResource | CustomResource

/** Every kind served, in the order in which discovery lists them. */
export const resourceKinds: readonly ResourceKind[] = rows.map(
  ([resource, version, kind, namespaced, shortNames, subresources, inAll]) => {
    const dot = resource.indexOf('.')
    const plural = dot < 0 ? resource : resource.slice(0, dot)
    return {
      resource,
      group: dot < 0 ? '' : resource.slice(dot + 1),
      version,
      plural,
      singular: kind.toLowerCase(),
      kind,
      namespaced,
      shortNames,
      categories: inAll ? ['all'] : [],
      subresources,
    }
  },
)

/**
 * Every kind with the further words by which clients know some: an Event is the same object in core/v1, as it is stored, and
 * in events.k8s.io/v1, where its fields have other names; a HorizontalPodAutoscaler in autoscaling/v2 and in autoscaling/v1.
 */
export const servedKinds: readonly ResourceKind[] = [
  ...resourceKinds,
  { ...resourceKinds.find((k) => k.resource === 'events')!, group: 'events.k8s.io' },
  { ...resourceKinds.find((k) => k.resource === 'horizontalpodautoscalers.autoscaling')!, version: 'v1' },
]

/** A kind that is a question: it is created, answered in its status, and kept nowhere. */
export type ReviewKind = Omit<ResourceKind, 'resource'>

const reviewRows = [
  ['selfsubjectaccessreviews.authorization.k8s.io', 'SelfSubjectAccessReview', false],
  ['subjectaccessreviews.authorization.k8s.io', 'SubjectAccessReview', false],
  ['localsubjectaccessreviews.authorization.k8s.io', 'LocalSubjectAccessReview', true],
  ['selfsubjectrulesreviews.authorization.k8s.io', 'SelfSubjectRulesReview', false],
  ['tokenreviews.authentication.k8s.io', 'TokenReview', false],
  ['selfsubjectreviews.authentication.k8s.io', 'SelfSubjectReview', false],
] as const

/** Every kind that is a question. */
export const reviewKinds: readonly ReviewKind[] = reviewRows.map(([resource, kind, namespaced]) => ({
  group: resource.slice(resource.indexOf('.') + 1),
  version: 'v1',
  plural: resource.slice(0, resource.indexOf('.')),
  singular: kind.toLowerCase(),
  kind,
  namespaced,
  shortNames: [],
  categories: [],
  subresources: [],
}))

const byResource: ReadonlyMap<string, ResourceKind> = new Map(resourceKinds.map((k) => [k.resource, k]))
const byType = new Map(resourceKinds.map((k) => [`${apiVersionOf(k)} ${k.kind}`, k]))

/** The row of a resource. */
export function kindOf(resource: BuiltInResource): ResourceKind {
  return byResource.get(resource)!
}

/** Whether a kind has its row here. */
export function isBuiltIn(resource: Resource): resource is BuiltInResource {
  return byResource.has(resource)
}

/** The name of a kind that somebody defined. @param group has a dot in it */
export function customResource(plural: string, group: string): CustomResource {
  return `${plural}.${group}` as CustomResource
}

/** The row for an object's own words (`apps/v1`, `Deployment`), or undefined where the hub does not serve it. */
export function kindByType(apiVersion: string, kind: string): ResourceKind | undefined {
  return byType.get(`${apiVersion} ${kind}`)
}

/** Whether a string names a resource that the hub serves. */
export function isResource(word: string): word is BuiltInResource {
  return byResource.has(word)
}

/** `v1`, or `group/version`. */
export function apiVersionOf(kind: Pick<ResourceKind, 'group' | 'version'>): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`
}
