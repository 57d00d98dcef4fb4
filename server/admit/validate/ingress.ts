/** Checks of networking.k8s.io/v1 Ingress, IngressClass and NetworkPolicy. */
import ipaddr from 'ipaddr.js'
import { labelKeyProblem } from '../../../api/labels.ts'
import type { Ingress, IngressClass, NetworkPolicy } from '../../../api/objects.ts'
import { forbidden, required, unsupported, wrong, type Causes } from '../causes.ts'
import { text, validateSelector } from './meta.ts'
import { dns1035Label, dnsSubdomain, ianaPortName, isPort, portRule } from './names.ts'
import { isAddress } from './pod.ts'
import { isRange } from './service.ts'

type Rule = NonNullable<NonNullable<Ingress['spec']>['rules']>[number]
type Path = NonNullable<Rule['http']>['paths'][number]
type Backend = Path['backend']
type Incoming = NonNullable<NonNullable<NetworkPolicy['spec']>['ingress']>[number]
type Peer = NonNullable<Incoming['from']>[number]
type Port = NonNullable<Incoming['ports']>[number]

const wildcard = (host: string): string => (host.startsWith('*.') ? host.slice(2) : host)

export function* validateIngress({ metadata, spec = {} }: Ingress): Causes {
  const { ingressClassName, defaultBackend, rules = [], tls = [] } = spec
  if (ingressClassName !== undefined) yield* text('spec.ingressClassName', ingressClassName, dnsSubdomain)
  if (ingressClassName !== undefined && metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined)
    yield wrong('metadata.annotations[kubernetes.io/ingress.class]', metadata.annotations['kubernetes.io/ingress.class'], 'can not be set when the class field is also set')
  if (rules.length === 0 && !defaultBackend) yield wrong('spec', spec, 'either `defaultBackend` or `rules` must be specified')
  if (defaultBackend) yield* validateBackend('spec.defaultBackend', defaultBackend)
  for (const [i, { hosts = [] }] of tls.entries())
    for (const [j, host] of hosts.entries()) yield* text(`spec.tls[${i}].hosts[${j}]`, host, (h) => dnsSubdomain(wildcard(h)))
  for (const [i, rule] of rules.entries()) yield* validateRule(`spec.rules[${i}]`, rule)
}

function* validateRule(field: string, { host, http }: Rule): Causes {
  if (host) {
    if (isAddress(host)) yield wrong(`${field}.host`, host, 'must be a DNS name, not an IP address')
    else yield* text(`${field}.host`, host, (h) => dnsSubdomain(wildcard(h)))
  }
  if (http && http.paths.length === 0) yield required(`${field}.http.paths`)
  for (const [i, path] of (http?.paths ?? []).entries()) yield* validatePath(`${field}.http.paths[${i}]`, path)
}

function* validatePath(field: string, { path = '', pathType, backend }: Path): Causes {
  if (!pathType) yield required(`${field}.pathType`, 'pathType must be specified')
  const exact = pathType === 'Exact' || pathType === 'Prefix'
  if ((exact || path !== '') && !path.startsWith('/')) yield wrong(`${field}.path`, path, 'must be an absolute path')
  const bad = exact ? ['//', '/./', '/../', '%2f', '%2F'].find((part) => path.includes(part)) : undefined
  if (bad) yield wrong(`${field}.path`, path, `must not contain '${bad}'`)
  yield* validateBackend(`${field}.backend`, backend)
}

function* validateBackend(field: string, { service, resource }: Backend): Causes {
  if (service && resource) return yield wrong(field, 'service, resource', 'cannot set both resource and service backends')
  if (!service && !resource) return yield required(field, 'must have one of `service`, `resource`')
  if (resource) {
    if (resource.kind === '') yield required(`${field}.resource.kind`)
    if (resource.name === '') yield required(`${field}.resource.name`)
    return
  }
  if (service!.name === '') yield required(`${field}.service.name`)
  else yield* text(`${field}.service.name`, service!.name, dns1035Label)
  const { name, number } = service!.port ?? {}
  if (name && number) yield wrong(`${field}.service.port`, { name, number }, 'cannot set both port name & port number')
  else if (name) yield* text(`${field}.service.port.name`, name, ianaPortName)
  else if (number) {
    if (!isPort(number)) yield wrong(`${field}.service.port.number`, number, portRule)
  } else yield required(`${field}.service.port`, 'port name or number is required')
}

export function* validateIngressClass({ spec = {} }: IngressClass): Causes {
  const { controller = '', parameters } = spec
  if (controller === '') yield required('spec.controller', 'must name the controller (such as example.com/ingress-controller)')
  else if (controller.length > 250) yield wrong('spec.controller', controller, 'must be no more than 250 characters')
  else yield* text('spec.controller', controller, (name) => (name.includes('/') ? labelKeyProblem(name) : 'must be a name with a domain and a path (such as example.com/ingress-controller)'))
  if (!parameters) return
  if (parameters.kind === '') yield required('spec.parameters.kind')
  if (parameters.name === '') yield required('spec.parameters.name')
  const { scope, namespace } = parameters
  if (scope !== 'Cluster' && scope !== 'Namespace') yield unsupported('spec.parameters.scope', scope, ['Cluster', 'Namespace'])
  if (scope === 'Namespace' && !namespace) yield required('spec.parameters.namespace', "must be given where `scope` is 'Namespace'")
  if (scope === 'Cluster' && namespace) yield forbidden('spec.parameters.namespace', "may not be given where `scope` is 'Cluster'")
}

export function* validateNetworkPolicy({ spec }: NetworkPolicy): Causes {
  if (!spec) return yield required('spec')
  if (spec.podSelector) yield* validateSelector('spec.podSelector', spec.podSelector)
  for (const [i, { ports = [], from = [] }] of (spec.ingress ?? []).entries()) {
    yield* validatePorts(`spec.ingress[${i}].ports`, ports)
    yield* validatePeers(`spec.ingress[${i}].from`, from)
  }
  for (const [i, { ports = [], to = [] }] of (spec.egress ?? []).entries()) {
    yield* validatePorts(`spec.egress[${i}].ports`, ports)
    yield* validatePeers(`spec.egress[${i}].to`, to)
  }
  const types: readonly string[] = spec.policyTypes ?? []
  if (types.length > 2) yield wrong('spec.policyTypes', types, 'may not specify more than two policyTypes')
}

function* validatePorts(field: string, ports: readonly Port[]): Causes {
  for (const [i, { port, endPort }] of ports.entries()) {
    const at = `${field}[${i}]`
    if (typeof port === 'string') yield* text(`${at}.port`, port, ianaPortName)
    else if (port !== undefined && !isPort(port)) yield wrong(`${at}.port`, port, portRule)
    if (endPort === undefined) continue
    if (port === undefined) yield required(`${at}.port`, 'must be specified when `endPort` is specified')
    else if (typeof port === 'string') yield wrong(`${at}.endPort`, endPort, 'may not be specified when `port` is non-numeric')
    else if (endPort < port) yield wrong(`${at}.endPort`, endPort, 'must be greater than or equal to `port`')
    else if (!isPort(endPort)) yield wrong(`${at}.endPort`, endPort, portRule)
  }
}

function* validatePeers(field: string, peers: readonly Peer[]): Causes {
  for (const [i, { podSelector, namespaceSelector, ipBlock }] of peers.entries()) {
    const at = `${field}[${i}]`
    if (!podSelector && !namespaceSelector && !ipBlock) yield required(at, 'must specify a peer: `podSelector`, `namespaceSelector` or `ipBlock`')
    if (ipBlock && (podSelector || namespaceSelector)) yield forbidden(at, 'may not specify both ipBlock and another peer')
    if (podSelector) yield* validateSelector(`${at}.podSelector`, podSelector)
    if (namespaceSelector) yield* validateSelector(`${at}.namespaceSelector`, namespaceSelector)
    if (!ipBlock) continue
    if (!isRange(ipBlock.cidr)) yield wrong(`${at}.ipBlock.cidr`, ipBlock.cidr, 'must be a range of addresses (such as 10.9.8.0/24)')
    for (const [j, inner] of (ipBlock.except ?? []).entries()) {
      if (!isRange(inner)) yield wrong(`${at}.ipBlock.except[${j}]`, inner, 'must be a range of addresses (such as 10.9.8.0/28)')
      else if (isRange(ipBlock.cidr) && !isWithin(inner, ipBlock.cidr))
        yield wrong(`${at}.ipBlock.except[${j}]`, inner, `must be a strict subset of \`cidr\`, which is ${ipBlock.cidr}`)
    }
  }
}

/** Whether a range is part of another one, and smaller. */
function isWithin(inner: string, outer: string): boolean {
  const [address, bits] = ipaddr.parseCIDR(inner)
  const [base, length] = ipaddr.parseCIDR(outer)
  return address.kind() === base.kind() && bits > length && address.match(base, length)
}
