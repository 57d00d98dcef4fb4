/**
 * What a Service (core/v1) keeps over an update that does not speak of it: its addresses, families and node ports; and what
 * it loses with a type that has no place for it. Only what the client left as it was is taken away; the rest is for
 * validation to refuse.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Service, ServicePort, ServiceSpec } from '../../api/objects.ts'
import { isOutside, wantsHealthPort } from './validate/service.ts'

/** @param after the wish, without defaults */
export function carried(before: Service, after: Service): Service {
  const old = before.spec ?? {}
  const type = after.spec?.type ?? 'ClusterIP'
  const wish: ServiceSpec = { ...after.spec, type }
  const spec = dropped(old, ported(old, addressed(old, wish)))
  // A balancer's addresses are nobody's once the service has none.
  const status = type === 'LoadBalancer' ? after.status : after.status && { ...after.status, loadBalancer: {} }
  return { ...after, spec, ...(status && { status }) }
}

function addressed(old: ServiceSpec, now: ServiceSpec): ServiceSpec {
  if (now.type === 'ExternalName' || old.type === 'ExternalName' || !old.clusterIP) return now
  const clusterIP = now.clusterIP || old.clusterIP
  const clusterIPs = addressesOf(old, now, clusterIP)
  const ipFamilyPolicy = now.ipFamilyPolicy ?? old.ipFamilyPolicy
  const ipFamilies = now.ipFamilies?.length ? now.ipFamilies : old.ipFamilies
  // Who asks for one family, and leaves the rest as it was, wants the second one to go.
  const single = ipFamilyPolicy === 'SingleStack'
  const kept = <T>(list: T[] | undefined, before: T[] | undefined): T[] | undefined =>
    single && isDeepStrictEqual(list, before) ? list?.slice(0, 1) : list
  return defined({
    ...now,
    clusterIP,
    ipFamilyPolicy,
    clusterIPs: kept(clusterIPs, old.clusterIPs),
    ipFamilies: kept(ipFamilies, old.ipFamilies),
  })
}

/** `clusterIP` and the first of `clusterIPs` say the same: where a client changed the one, the other follows. */
function addressesOf(old: ServiceSpec, now: ServiceSpec, clusterIP: string): string[] | undefined {
  const same = clusterIP === old.clusterIP
  if (now.clusterIPs?.length && (same || !isDeepStrictEqual(now.clusterIPs, old.clusterIPs))) return now.clusterIPs
  return same ? old.clusterIPs : [clusterIP]
}

const defined = (spec: ServiceSpec): ServiceSpec =>
  Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined)) as ServiceSpec

const portKey = ({ protocol = 'TCP', port }: ServicePort): string => `${protocol}/${port}`

/** Ports keep their node port by name, or else by what they are. */
function ported(old: ServiceSpec, now: ServiceSpec): ServiceSpec {
  if (!isOutside(old) || !now.ports) return now
  const before = old.ports ?? []
  if (!isOutside(now)) {
    const known = new Set(before.map((p) => p.nodePort))
    const unchanged = now.ports.every((p) => !p.nodePort || known.has(p.nodePort))
    return unchanged ? { ...now, ports: now.ports.map(({ nodePort: _freed, ...port }) => port) } : now
  }
  if (now.type === 'LoadBalancer' && now.allocateLoadBalancerNodePorts === false) return now
  const taken = new Set(now.ports.flatMap((p) => (p.nodePort ? [`${p.protocol ?? 'TCP'}/${p.nodePort}`] : [])))
  const keep = (port: ServicePort): ServicePort => {
    const { protocol = 'TCP', name = '' } = port
    const known = before.find((p) => (p.name ?? '') === name) ?? before.find((p) => portKey(p) === portKey(port))
    const id = `${protocol}/${known?.nodePort}`
    if (port.nodePort || !known?.nodePort || taken.has(id)) return port
    taken.add(id)
    return { ...port, nodePort: known.nodePort }
  }
  return { ...now, ports: now.ports.map(keep) }
}

/** Fields that only some types have. */
function dropped(old: ServiceSpec, now: ServiceSpec): ServiceSpec {
  const lost: (keyof ServiceSpec)[] = []
  if (now.type !== 'LoadBalancer') lost.push('allocateLoadBalancerNodePorts', 'loadBalancerClass')
  if (now.type === 'ExternalName') lost.push('clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy')
  if (!isOutside(now) && !now.externalIPs?.length) lost.push('externalTrafficPolicy')
  const kept = { ...now }
  for (const field of lost) if (isDeepStrictEqual(old[field], now[field])) delete kept[field]
  if (now.type === 'ExternalName' && !kept.clusterIP) delete kept.clusterIP
  if (wantsHealthPort(kept))
    return old.healthCheckNodePort ? { ...kept, healthCheckNodePort: kept.healthCheckNodePort ?? old.healthCheckNodePort } : kept
  if (kept.healthCheckNodePort === old.healthCheckNodePort) delete kept.healthCheckNodePort
  return kept
}
