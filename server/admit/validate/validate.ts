/** The meaning of an object's fields, kind by kind. Takes objects whose structure was checked and that have their defaults. */
import type {
  ConfigMap,
  Deployment,
  Endpoints,
  EndpointSlice,
  Event,
  KubeObject,
  Lease,
  Namespace,
  Node,
  Pod,
  ReplicaSet,
  Secret,
  Service,
} from '../../../api/objects.ts'
import type { Resource } from '../../../api/resources.ts'
import type { StatusCause } from '../../../api/status.ts'
import type { Causes } from '../causes.ts'
import { validateEndpoints, validateEndpointSlice } from './endpoints.ts'
import { validateMeta } from './meta.ts'
import { validateConfigMap, validateEvent, validateLease, validateNamespace, validateNode, validateSecret } from './others.ts'
import { validatePod } from './pod.ts'
import { validateService } from './service.ts'
import { validateDeployment, validateReplicaSet } from './workload.ts'

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
  'deployments.apps': typed<Deployment>(validateDeployment),
  'replicasets.apps': typed<ReplicaSet>(validateReplicaSet),
  'endpointslices.discovery.k8s.io': typed<EndpointSlice>(validateEndpointSlice),
  'leases.coordination.k8s.io': typed<Lease>(validateLease),
}

/** The structure of the object was checked, so its type is what its kind says. */
function typed<T>(check: (object: T) => Iterable<StatusCause>): (object: KubeObject) => Iterable<StatusCause> {
  return (object) => check(object as T)
}
