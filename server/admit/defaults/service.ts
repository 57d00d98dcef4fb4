/** What kube-apiserver fills into Services (core/v1 ServiceSpec); addresses and node ports come from the allocators. */
import type { Service, ServiceSpec } from '../../../api/objects.ts'
import { fill } from './fill.ts'

/** Session affinity by client address forgets after three hours. */
const affinitySeconds = 10_800

export function serviceDefaults(service: Service): Service {
  const spec = service.spec ?? {}
  const type = spec.type ?? 'ClusterIP'
  const outside = type === 'NodePort' || type === 'LoadBalancer'
  const filled = fill<ServiceSpec>(
    { ...spec, ...(spec.ports && { ports: spec.ports.map((p) => fill(p, { protocol: 'TCP', targetPort: p.port })) }) },
    {
      type,
      sessionAffinity: 'None',
      ...(spec.sessionAffinity === 'ClientIP' && { sessionAffinityConfig: { clientIP: { timeoutSeconds: affinitySeconds } } }),
      ...((outside || (spec.externalIPs?.length ?? 0) > 0) && { externalTrafficPolicy: 'Cluster' }),
      ...(type === 'LoadBalancer' && { allocateLoadBalancerNodePorts: true }),
      ...(type !== 'ExternalName' && { internalTrafficPolicy: 'Cluster', ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' }),
    },
  )
  return { ...service, spec: withClusterIPs(filled) }
}

/** `clusterIP` and the first of `clusterIPs` are the same thing said twice. */
export function withClusterIPs(spec: ServiceSpec): ServiceSpec {
  const { clusterIP, clusterIPs } = spec
  if (clusterIP) return clusterIPs ? spec : { ...spec, clusterIPs: [clusterIP] }
  return clusterIPs?.[0] ? { ...spec, clusterIP: clusterIPs[0] } : spec
}
