/**
 * How each type of the API divides into fields that can have different managers: which lists are tables known by keys,
 * which are sets, and what is one field as a whole. Sources: the `x-kubernetes-list-type`, `-list-map-keys` and `-map-type`
 * extensions of the Kubernetes OpenAPI document (KEP-555); the fields of the types are those of `admit/fields.json`.
 */
import table from '../admit/fields.json' with { type: 'json' }

export type Shape =
  /** One field, whatever it holds: a value, or a list or map that is atomic. */
  | { readonly kind: 'leaf' }
  /** A list of values without doubles. */
  | { readonly kind: 'set' }
  /** A list of objects, each known by the values of `keys`. `defaults` stand for absent keys. */
  | { readonly kind: 'table'; readonly keys: readonly string[]; readonly defaults: JsonMap; readonly item: Shape }
  /** A map with free keys. */
  | { readonly kind: 'map'; readonly of: Shape }
  /** `rest` is the shape of fields that are not named; without it they are leaves. */
  | { readonly kind: 'struct'; readonly fields: ReadonlyMap<string, Shape>; readonly rest?: Shape }

export type JsonMap = { readonly [field: string]: unknown }

export const leaf: Shape = { kind: 'leaf' }

/** How a list or map of a type is divided where it is not as a whole one field: its keys, or that it is a set. */
type Division = readonly string[] | 'set'

/** By `Type.field`. A list that is not named here is atomic. */
export const divisions: Readonly<Record<string, Division>> = {
  'Container.env': ['name'],
  'Container.ports': ['containerPort', 'protocol'],
  'Container.volumeDevices': ['devicePath'],
  'Container.volumeMounts': ['mountPath'],
  'EphemeralContainer.env': ['name'],
  'EphemeralContainer.ports': ['containerPort', 'protocol'],
  'EphemeralContainer.volumeDevices': ['devicePath'],
  'EphemeralContainer.volumeMounts': ['mountPath'],
  'CertificateSigningRequestStatus.conditions': ['type'],
  'CustomResourceDefinitionStatus.conditions': ['type'],
  'DaemonSetStatus.conditions': ['type'],
  'DeploymentStatus.conditions': ['type'],
  'HorizontalPodAutoscalerStatus.conditions': ['type'],
  'NamespaceStatus.conditions': ['type'],
  'JSONSchemaProps.x-kubernetes-validations': ['rule'],
  'NodeSpec.podCIDRs': 'set',
  'NodeStatus.addresses': ['type'],
  'NodeStatus.conditions': ['type'],
  'ObjectMeta.finalizers': 'set',
  'ObjectMeta.ownerReferences': ['uid'],
  'PersistentVolumeClaimStatus.conditions': ['type'],
  'PodDisruptionBudgetStatus.conditions': ['type'],
  'PodFailurePolicyOnExitCodesRequirement.values': 'set',
  'PodSpec.containers': ['name'],
  'PodSpec.ephemeralContainers': ['name'],
  'PodSpec.hostAliases': ['ip'],
  'PodSpec.imagePullSecrets': ['name'],
  'PodSpec.initContainers': ['name'],
  'PodSpec.resourceClaims': ['name'],
  'PodSpec.schedulingGates': ['name'],
  'PodSpec.topologySpreadConstraints': ['topologyKey', 'whenUnsatisfiable'],
  'PodSpec.volumes': ['name'],
  'PodStatus.conditions': ['type'],
  'PodStatus.podIPs': ['ip'],
  'PodStatus.resourceClaimStatuses': ['name'],
  'ReplicaSetStatus.conditions': ['type'],
  'ReplicationControllerStatus.conditions': ['type'],
  'ResourceRequirements.claims': ['name'],
  'ServiceAccount.secrets': ['name'],
  'ServiceSpec.ports': ['port', 'protocol'],
  'ServiceStatus.conditions': ['type'],
  'StatefulSetStatus.conditions': ['type'],
  'UncountedTerminatedPods.failed': 'set',
  'UncountedTerminatedPods.succeeded': 'set',
}

/** Types whose objects are one field as a whole. */
export const atomicTypes: ReadonlySet<string> = new Set([
  'ConfigMapKeySelector',
  'CrossVersionObjectReference',
  'EndpointAddress',
  'EndpointPort',
  'FileKeySelector',
  'LabelSelector',
  'LocalObjectReference',
  'NodeSelector',
  'NodeSelectorTerm',
  'ObjectFieldSelector',
  'ObjectReference',
  'OwnerReference',
  'PodExtendedResourceClaimStatus',
  'ResourceFieldSelector',
  'RoleRef',
  'ScopeSelector',
  'ScopedResourceSelectorRequirement',
  'SecretKeySelector',
  'SecretReference',
  'ServiceBackendPort',
  'TopologySelectorTerm',
  'TypedLocalObjectReference',
])

/** Maps with free keys that are one field as a whole, by `Type.field`. */
export const atomicMaps: ReadonlySet<string> = new Set([
  'PodSpec.nodeSelector',
  'ReplicationControllerSpec.selector',
  'ServiceSpec.selector',
])

/** What an absent key of a table's item stands for. */
const keyDefaults: JsonMap = { protocol: 'TCP' }

const shapes = shapesOf(table)

/** The shape of a whole object of a kind; of one that is not known, a leaf. */
export function shapeOf(kind: string): Shape {
  return shapes.get(kind) ?? leaf
}

function shapesOf(types: Readonly<Record<string, Readonly<Record<string, string>>>>): ReadonlyMap<string, Shape> {
  const fieldsOf = new Map(Object.keys(types).map((name) => [name, new Map<string, Shape>()]))
  const shapeFor = (place: string, code: string): Shape => {
    if (code === '' || code === '!') return leaf
    if (code.startsWith('{')) return atomicMaps.has(place) ? leaf : { kind: 'map', of: shapeFor(`${place}{}`, code.slice(1)) }
    if (!code.startsWith('[')) {
      return atomicTypes.has(code) || code === 'FieldsV1' ? leaf : { kind: 'struct', fields: fieldsOf.get(code)! }
    }
    const division = divisions[place]
    if (division === undefined) return leaf
    if (division === 'set') return { kind: 'set' }
    const defaults = Object.fromEntries(division.filter((key) => Object.hasOwn(keyDefaults, key)).map((key) => [key, keyDefaults[key]]))
    return { kind: 'table', keys: division, defaults, item: shapeFor(`${place}[]`, code.slice(1)) }
  }
  for (const [name, fields] of Object.entries(types)) {
    for (const [field, code] of Object.entries(fields)) fieldsOf.get(name)!.set(field, shapeFor(`${name}.${field}`, code))
  }
  return new Map([...fieldsOf].map(([name, fields]) => [name, { kind: 'struct', fields }]))
}
