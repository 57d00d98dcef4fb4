/** Checks of core/v1 ServiceSpec. Whether an address or a node port is in range and free is for the allocators to say. */
import ipaddr from 'ipaddr.js'
import { labelKeyProblem } from '../../../api/labels.ts'
import type { Service, ServicePort, ServiceSpec } from '../../../api/objects.ts'
import { duplicate, forbidden, required, unsupported, wrong, type Causes } from '../causes.ts'
import { text, validateLabels } from './meta.ts'
import { dnsLabel, ianaPortName, isPort, portRule } from './names.ts'
import { isAddress, isFourDecimals } from './pod.ts'
import { validateAddresses } from './service-addresses.ts'
import { validateBalancer } from './service-status.ts'

const maxAffinitySeconds = 86_400
const trafficDistributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'] as const

export const isHeadless = (spec: ServiceSpec): boolean => spec.clusterIP === 'None'
/** ExternalName is a name in DNS and nothing else; headless is its endpoints' addresses. */
export const wantsClusterIP = (spec: ServiceSpec): boolean => spec.type !== 'ExternalName' && !isHeadless(spec)
/** Types that are reached from outside the cluster by the nodes' ports. */
export const isOutside = ({ type }: ServiceSpec): boolean => type === 'NodePort' || type === 'LoadBalancer'
export const wantsNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)
/** The port on which a node says whether it has endpoints of the service. */
export const wantsHealthPort = (spec: ServiceSpec): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'

/** @param service with its defaults */
export function* validateService(service: Service): Causes {
  const spec = service.spec ?? {}
  if (!spec.ports?.length && !isHeadless(spec) && spec.type !== 'ExternalName') {
    yield required('spec.ports', "a service has at least one port, unless `clusterIP` is 'None' or `type` is 'ExternalName'")
  }
  yield* validatePorts('spec.ports', spec.ports ?? [], spec)
  yield* validateLabels('spec.selector', spec.selector)
  yield* validateAddresses(spec)
  yield* validateAffinity(spec)
  yield* validateOutside(spec)
  yield* validateBalancer(service)
  if (spec.trafficDistribution !== undefined && !(trafficDistributions as readonly string[]).includes(spec.trafficDistribution)) {
    yield unsupported('spec.trafficDistribution', spec.trafficDistribution, trafficDistributions)
  }
}

function* validatePorts(field: string, ports: readonly ServicePort[], spec: ServiceSpec): Causes {
  for (const [i, port] of ports.entries()) {
    const at = `${field}[${i}]`
    if (port.name) yield* text(`${at}.name`, port.name, dnsLabel)
    else if (ports.length > 1) yield required(`${at}.name`, 'ports have names where there is more than one')
    if (!isPort(port.port)) yield wrong(`${at}.port`, port.port, portRule)
    if (typeof port.targetPort === 'string') yield* text(`${at}.targetPort`, port.targetPort, ianaPortName)
    else if (port.targetPort !== undefined && !isPort(port.targetPort)) yield wrong(`${at}.targetPort`, port.targetPort, portRule)
    if (port.appProtocol) yield* text(`${at}.appProtocol`, port.appProtocol, labelKeyProblem)
    if (port.nodePort && !isOutside(spec)) {
      yield forbidden(
        `${at}.nodePort`,
        "may not be used when `type` is 'ClusterIP' or 'ExternalName'; set `type` to 'NodePort' or 'LoadBalancer'",
      )
    }
  }
  yield* validateUniquePorts(field, ports)
  const { healthCheckNodePort } = spec
  if (healthCheckNodePort && ports.some((p) => p.nodePort === healthCheckNodePort && (p.protocol ?? 'TCP') === 'TCP'))
    yield duplicate('spec.healthCheckNodePort', healthCheckNodePort)
}

function* validateUniquePorts(field: string, ports: readonly ServicePort[]): Causes {
  const seen = { name: new Set<string>(), port: new Set<string>(), nodePort: new Set<string>() }
  const first = (kind: keyof typeof seen, key: string): boolean => seen[kind].size < seen[kind].add(key).size
  for (const [i, { name, port, protocol = 'TCP', nodePort }] of ports.entries()) {
    if (name && !first('name', name)) yield duplicate(`${field}[${i}].name`, name)
    if (!first('port', `${protocol}/${port}`)) yield duplicate(`${field}[${i}]`, { port, protocol })
    if (nodePort && !first('nodePort', `${protocol}/${nodePort}`)) yield duplicate(`${field}[${i}].nodePort`, nodePort)
  }
}

function* validateAffinity({ type, sessionAffinity, sessionAffinityConfig }: ServiceSpec): Causes {
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds
  if (sessionAffinity === 'ClientIP') {
    if (type === 'ExternalName') yield unsupported('spec.sessionAffinity', sessionAffinity, ['None'])
    if (seconds === undefined) yield required('spec.sessionAffinityConfig.clientIP.timeoutSeconds')
    else if (seconds < 1 || seconds > maxAffinitySeconds) {
      yield wrong(
        'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
        seconds,
        `must be greater than 0 and at most ${maxAffinitySeconds}`,
      )
    }
  }
}

function* validateOutside(spec: ServiceSpec): Causes {
  const { type, externalIPs = [], externalTrafficPolicy, healthCheckNodePort, loadBalancerSourceRanges = [] } = spec
  const balanced = type === 'LoadBalancer'
  for (const [i, address] of externalIPs.entries()) {
    const problem = unicastProblem(address)
    if (problem) yield wrong(`spec.externalIPs[${i}]`, address, problem)
  }
  if (externalTrafficPolicy && !isOutside(spec) && externalIPs.length === 0) {
    yield wrong(
      'spec.externalTrafficPolicy',
      externalTrafficPolicy,
      'may only be set for externally-accessible services: `type` NodePort or LoadBalancer, or `externalIPs`',
    )
  }
  if (healthCheckNodePort && !wantsHealthPort(spec)) {
    yield wrong(
      'spec.healthCheckNodePort',
      healthCheckNodePort,
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    )
  }
  if (loadBalancerSourceRanges.length > 0 && !balanced)
    yield forbidden('spec.loadBalancerSourceRanges', "may only be used when `type` is 'LoadBalancer'")
  for (const [i, range] of loadBalancerSourceRanges.entries()) {
    if (!isRange(range.trim()))
      yield wrong(`spec.loadBalancerSourceRanges[${i}]`, range, 'must be a range of addresses (such as 10.9.8.0/24)')
  }
  for (const key of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) {
    if (spec[key] !== undefined && !balanced) yield forbidden(`spec.${key}`, "may only be used when `type` is 'LoadBalancer'")
  }
  if (balanced && spec.loadBalancerClass !== undefined)
    yield* text('spec.loadBalancerClass', spec.loadBalancerClass, labelKeyProblem)
}

/** An address with a prefix length, of either family. */
export function isRange(range: string): boolean {
  return isAddress(range.split('/')[0]!) && ipaddr.isValidCIDR(range)
}

const notUnicast: Readonly<Record<string, string>> = {
  unspecified: 'may not be unspecified (such as 0.0.0.0 or ::)',
  loopback: 'may not be in the loopback range (such as 127.0.0.0/8 or ::1)',
  linkLocal: 'may not be in the link-local range (such as 169.254.0.0/16 or fe80::/10)',
  multicast: 'may not be in the multicast range (such as 224.0.0.0/4 or ff00::/8)',
}

/** The range, of those that are refused, in which an IPv4 address is (RFC 6890). */
function rangeOfFour(address: string): string {
  const [first, second] = address.split('.', 2)
  if (first === '0') return 'unspecified'
  if (first === '127') return 'loopback'
  if (first === '169' && second === '254') return 'linkLocal'
  return Number(first) >= 224 && Number(first) < 240 ? 'multicast' : ''
}

/** Why an address cannot be one that traffic is sent to. */
export function unicastProblem(address: string): string | undefined {
  if (isFourDecimals(address)) return notUnicast[rangeOfFour(address)]
  if (!isAddress(address)) return 'must be an IP address (such as 10.9.8.7 or 2001:db8::ffff)'
  return notUnicast[ipaddr.parse(address).range()]
}
