/** What kube-apiserver fills into Services (core/v1 ServiceSpec); families, addresses and node ports come from the allocators. */
import type { Service, ServiceSpec } from '../../../api/objects.ts'
import { fill } from './fill.ts'

/** Session affinity by client address forgets after three hours. */
const affinitySeconds = 10_800

export function serviceDefaults(service: Service): Service {
  const spec = service.spec ?? {}
  const type = spec.type ?? 'ClusterIP'
  const outside = type === 'NodePort' || type === 'LoadBalancer'
  const { ports, sessionAffinityConfig, ...rest } = spec
  const filled = fill<ServiceSpec>(
    {
      ...rest,
      ...(ports && { ports: ports.map((p) => fill(p, { protocol: 'TCP', targetPort: p.port })) }),
      // Without affinity there is nothing to configure: a client that turns it off may leave the rest behind.
      ...(spec.sessionAffinity === 'ClientIP' && {
        sessionAffinityConfig: { clientIP: fill(sessionAffinityConfig?.clientIP ?? {}, { timeoutSeconds: affinitySeconds }) },
      }),
    },
    {
      type,
      sessionAffinity: 'None',
      ...((outside || (spec.externalIPs?.length ?? 0) > 0) && { externalTrafficPolicy: 'Cluster' }),
      ...(type === 'LoadBalancer' && { allocateLoadBalancerNodePorts: true }),
      ...(type !== 'ExternalName' && { internalTrafficPolicy: 'Cluster' }),
    },
  )
  return withIngressModes({ ...service, spec: withClusterIPs(filled) })
}

/** `clusterIP` and the first of `clusterIPs` are the same thing said twice. */
export function withClusterIPs(spec: ServiceSpec): ServiceSpec {
  const { clusterIP, clusterIPs } = spec
  if (clusterIP) return clusterIPs ? spec : { ...spec, clusterIPs: [clusterIP] }
  return clusterIPs?.[0] ? { ...spec, clusterIP: clusterIPs[0] } : spec
}

/** An ingress address of a balancer is a virtual one, unless it is said to be a proxy's (KEP-1860). */
function withIngressModes(service: Service): Service {
  const { ingress } = service.status?.loadBalancer ?? {}
  if (!ingress?.some((i) => i.ip && i.ipMode === undefined)) return service
  const modes = ingress.map((i) => (i.ip ? fill(i, { ipMode: 'VIP' }) : i))
  return { ...service, status: { ...service.status, loadBalancer: { ...service.status?.loadBalancer, ingress: modes } } }
}
