/** The meaning of an object's fields, kind by kind. Takes objects whose structure was checked and that have their defaults. */
import type {
  CertificateSigningRequest,
  ClusterRole,
  ClusterRoleBinding,
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
  Role,
  RoleBinding,
  Secret,
  Service,
} from '../../../api/objects.ts'
import type { Resource } from '../../../api/resources.ts'
import type { StatusCause } from '../../../api/status.ts'
import type { Causes } from '../causes.ts'
import { validateCertificateRequest } from './certificates.ts'
import { validateEndpoints, validateEndpointSlice } from './endpoints.ts'
import { validateMeta } from './meta.ts'
import { validateConfigMap, validateEvent, validateLease, validateNamespace, validateNode, validateSecret } from './others.ts'
import { validatePod } from './pod.ts'
import { validateRole, validateRoleBinding } from './roles.ts'
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
  yield* validateKind(resource, object)
}

function validateKind(resource: Resource, object: KubeObject): Iterable<StatusCause> {
  switch (resource) {
    case 'pods':
      return validatePod(object as Pod)
    case 'services':
      return validateService(object as Service)
    case 'nodes':
      return validateNode(object as Node)
    case 'namespaces':
      return validateNamespace(object as Namespace)
    case 'configmaps':
      return validateConfigMap(object as ConfigMap)
    case 'secrets':
      return validateSecret(object as Secret)
    case 'events':
      return validateEvent(object as unknown as Event)
    case 'endpoints':
      return validateEndpoints(object as Endpoints)
    case 'deployments.apps':
      return validateDeployment(object as Deployment)
    case 'replicasets.apps':
      return validateReplicaSet(object as ReplicaSet)
    case 'endpointslices.discovery.k8s.io':
      return validateEndpointSlice(object as EndpointSlice)
    case 'leases.coordination.k8s.io':
      return validateLease(object as Lease)
    case 'certificatesigningrequests.certificates.k8s.io':
      return validateCertificateRequest(object as CertificateSigningRequest)
    case 'roles.rbac.authorization.k8s.io':
    case 'clusterroles.rbac.authorization.k8s.io':
      return validateRole(object as Role | ClusterRole)
    case 'rolebindings.rbac.authorization.k8s.io':
    case 'clusterrolebindings.rbac.authorization.k8s.io':
      return validateRoleBinding(object as RoleBinding | ClusterRoleBinding)
    case 'serviceaccounts':
      return []
  }
}
