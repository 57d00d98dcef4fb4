/** The older form of a service's endpoints, core/v1 Endpoints, as `kubectl get endpoints` shows them. Pure. */
import type { KubeObject, Service } from '../../api/objects.ts'
import type { Draft } from '../registry/registry.ts'
import { ownedBy } from './controller.ts'
import type { Endpoint, PortGroup } from './endpoint-groups.ts'
import { labelsFor } from './endpoint-slices.ts'

/** More are left out, and an annotation says so. */
const mostAddresses = 1000
export const capacityAnnotation = 'endpoints.kubernetes.io/over-capacity'

/**
 * What a service has in its first family. Terminating endpoints are left out, as in Kubernetes.
 * @param groups of that family
 */
export function endpointsObject(service: Service, groups: readonly PortGroup[]): Draft {
  const { namespace, name } = service.metadata
  let room = mostAddresses
  const taken = (endpoints: readonly Endpoint[]): object[] => {
    const some = endpoints.slice(0, room)
    room -= some.length
    return some.map(({ addresses, hostname, nodeName, targetRef }) => ({
      ip: addresses[0],
      ...(hostname && { hostname }),
      ...(nodeName && { nodeName }),
      ...(targetRef && { targetRef }),
    }))
  }
  const told = groups.map(({ ports, endpoints }) => ({ ports, endpoints: endpoints.filter((e) => e.conditions?.ready || !e.conditions?.terminating) }))
  const total = told.reduce((sum, g) => sum + g.endpoints.length, 0)
  // Ready ones first, wherever they are: they are what is asked for.
  const ready = told.map((g) => taken(g.endpoints.filter((e) => e.conditions?.ready)))
  const subsets = told.flatMap(({ ports, endpoints }, i) => {
    const addresses = ready[i]!
    const notReady = taken(endpoints.filter((e) => !e.conditions?.ready))
    if (addresses.length + notReady.length === 0) return []
    return {
      ...(addresses.length > 0 && { addresses }),
      ...(notReady.length > 0 && { notReadyAddresses: notReady }),
      ports: ports.map(({ name: own, ...rest }) => (own ? { name: own, ...rest } : rest)),
    }
  })
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name,
      namespace,
      labels: labelsFor(service, { 'endpointslice.kubernetes.io/skip-mirror': 'true' }),
      ...(total > mostAddresses && { annotations: { [capacityAnnotation]: 'truncated' } }),
      ownerReferences: [ownedBy(service as KubeObject)],
    },
    ...(subsets.length > 0 && { subsets }),
  }
}
