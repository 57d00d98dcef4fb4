/**
 * Which lists a strategic merge patch merges, and by what key. From the `x-kubernetes-patch-strategy` and
 * `x-kubernetes-patch-merge-key` extensions of the Kubernetes OpenAPI document, for the kinds that the hub serves.
 * A map that is not named here merges field by field; a list that is not named here is replaced as a whole.
 */
import type { Resource } from '../../../api/resources.ts'

export type Rule =
  /** A list of maps, each known by the value of `key`. With `retain`, clients are to name in `$retainKeys` what stays of one. */
  | { readonly kind: 'list'; readonly key: string; readonly item: Shape; readonly retain?: true }
  /** A list of primitives without order or doubles. */
  | { readonly kind: 'set' }
  | { readonly kind: 'map'; readonly of: Shape; readonly retain?: true }

export interface Shape {
  readonly [field: string]: Rule
}

/** Used where nothing special is known. */
export const plain: Shape = {}

const list = (key: string, item: Shape = plain): Rule => ({ kind: 'list', key, item })
const map = (of: Shape): Rule => ({ kind: 'map', of })
const set: Rule = { kind: 'set' }

const metadata = map({ finalizers: set, ownerReferences: list('uid') })
const conditions = list('type')

const container: Shape = {
  env: list('name'),
  ports: list('containerPort'),
  volumeMounts: list('mountPath'),
  volumeDevices: list('devicePath'),
}

const podSpec: Shape = {
  containers: list('name', container),
  initContainers: list('name', container),
  ephemeralContainers: list('name', container),
  volumes: { kind: 'list', key: 'name', item: plain, retain: true },
  imagePullSecrets: list('name'),
  hostAliases: list('ip'),
  topologySpreadConstraints: list('topologyKey'),
  resourceClaims: list('name'),
  schedulingGates: list('name'),
}

const template = map({ metadata, spec: map(podSpec) })

const specs: Partial<Record<Resource, Shape>> = {
  pods: { spec: map(podSpec), status: map({ conditions, podIPs: list('ip'), hostIPs: list('ip'), resourceClaimStatuses: list('name') }) },
  nodes: { spec: map({ podCIDRs: set }), status: map({ conditions, addresses: list('type') }) },
  namespaces: { status: map({ conditions }) },
  services: { spec: map({ ports: list('port') }), status: map({ conditions }) },
  serviceaccounts: { secrets: list('name') },
  'deployments.apps': { spec: map({ template, strategy: { kind: 'map', of: plain, retain: true } }), status: map({ conditions }) },
  'replicasets.apps': { spec: map({ template }), status: map({ conditions }) },
  replicationcontrollers: { spec: map({ template }), status: map({ conditions }) },
  podtemplates: { template },
  persistentvolumeclaims: { status: map({ conditions }) },
  'daemonsets.apps': { spec: map({ template }), status: map({ conditions }) },
  'statefulsets.apps': { spec: map({ template }), status: map({ conditions }) },
  'jobs.batch': { spec: map({ template }), status: map({ conditions }) },
  'cronjobs.batch': { spec: map({ jobTemplate: map({ metadata, spec: map({ template }) }) }) },
  'poddisruptionbudgets.policy': { status: map({ conditions }) },
  'horizontalpodautoscalers.autoscaling': { status: map({ conditions }) },
}

/** The merge rules of a whole object of this kind. */
export function shapeOf(resource: Resource): Shape {
  return { metadata, ...specs[resource] }
}
