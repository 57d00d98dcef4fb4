/**
 * Fills in what a client may leave out, kind by kind, as kube-apiserver does. Pure; takes objects whose structure was
 * checked, and doing it twice is doing it once.
 */
import type {
  Deployment,
  Endpoints,
  EndpointSlice,
  KubeObject,
  Namespace,
  Node,
  Pod,
  PodTemplateSpec,
  ReplicaSet,
  RoleBinding,
  Secret,
  Service,
} from '../../../api/objects.ts'
import type { Resource } from '../../../api/resources.ts'
import { fill } from './fill.ts'
import { amountsAsText, podDefaults, podTemplateDefaults } from './pod.ts'
import { serviceDefaults } from './service.ts'

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
  'deployments.apps': typed<Deployment>(deploymentDefaults),
  'replicasets.apps': typed<ReplicaSet>((rs) => {
    if (!rs.spec) return rs
    const { template } = rs.spec
    return { ...rs, spec: fill({ ...rs.spec, ...(template && { template: templateDefaults(template) }) }, { replicas: 1 }) }
  }),
  'rolebindings.rbac.authorization.k8s.io': typed<RoleBinding>(bindingDefaults),
  'clusterrolebindings.rbac.authorization.k8s.io': typed<RoleBinding>(bindingDefaults),
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

function templateDefaults(template: PodTemplateSpec): PodTemplateSpec {
  return template.spec ? { ...template, spec: podTemplateDefaults(template.spec) } : template
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

function deploymentDefaults(deployment: Deployment): Deployment {
  if (!deployment.spec) return deployment
  const { template, strategy } = deployment.spec
  const type = strategy?.type ?? 'RollingUpdate'
  const rolling = fill(strategy?.rollingUpdate ?? {}, { maxSurge: '25%', maxUnavailable: '25%' })
  const filled = { ...strategy, type, ...(type === 'RollingUpdate' && { rollingUpdate: rolling }) }
  const spec = { ...deployment.spec, template: templateDefaults(template), strategy: filled }
  return { ...deployment, spec: fill(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 }) }
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
