/**
 * What a Service (core/v1) keeps over an update that does not speak of it: its address and node ports; and what it loses
 * with a type that has no place for it. Only what the client left as it was is taken away; the rest is for validation to refuse.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Service, ServicePort, ServiceSpec } from '../../api/objects.ts'
import { wantsHealthPort, wantsNodePorts } from './validate/service.ts'

/** @param after the wish, without defaults */
export function carried(before: Service, after: Service): Service {
  const old = before.spec ?? {}
  const type = after.spec?.type ?? 'ClusterIP'
  const wish: ServiceSpec = { ...after.spec, type }
  return { ...after, spec: dropped(old, ported(old, addressed(old, wish))) }
}

function addressed(old: ServiceSpec, now: ServiceSpec): ServiceSpec {
  if (now.type === 'ExternalName' || old.type === 'ExternalName' || !old.clusterIP || now.clusterIP) return now
  return { ...now, clusterIP: old.clusterIP, clusterIPs: now.clusterIPs?.length ? now.clusterIPs : old.clusterIPs }
}

const portKey = ({ protocol = 'TCP', port }: ServicePort): string => `${protocol}/${port}`

function ported(old: ServiceSpec, now: ServiceSpec): ServiceSpec {
  if (!wantsNodePorts(old)) return now
  const known = new Map((old.ports ?? []).map((p) => [portKey(p), p.nodePort]))
  if (wantsNodePorts(now)) {
    const taken = new Set((now.ports ?? []).map((p) => p.nodePort))
    const keep = (port: ServicePort): ServicePort => {
      const nodePort = known.get(portKey(port))
      return port.nodePort || !nodePort || taken.has(nodePort) ? port : { ...port, nodePort }
    }
    return { ...now, ...(now.ports && { ports: now.ports.map(keep) }) }
  }
  const lose = ({ nodePort, ...port }: ServicePort): ServicePort =>
    nodePort === undefined || nodePort === known.get(portKey(port)) ? port : { ...port, nodePort }
  return { ...now, ...(now.ports && { ports: now.ports.map(lose) }) }
}

/** Fields that only some types have. */
function dropped(old: ServiceSpec, now: ServiceSpec): ServiceSpec {
  const lost: (keyof ServiceSpec)[] = []
  if (now.type !== 'LoadBalancer') lost.push('allocateLoadBalancerNodePorts', 'loadBalancerClass')
  if (now.type === 'ExternalName') lost.push('clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy')
  if (now.type !== 'NodePort' && now.type !== 'LoadBalancer' && !now.externalIPs?.length) lost.push('externalTrafficPolicy')
  const kept = { ...now }
  for (const field of lost) if (isDeepStrictEqual(old[field], now[field])) delete kept[field]
  if (wantsHealthPort(kept))
    return old.healthCheckNodePort ? { ...kept, healthCheckNodePort: kept.healthCheckNodePort ?? old.healthCheckNodePort } : kept
  if (kept.healthCheckNodePort === old.healthCheckNodePort) delete kept.healthCheckNodePort
  return kept
}
