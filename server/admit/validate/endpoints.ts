/** Checks of discovery/v1 EndpointSlice and of core/v1 Endpoints. */
import { labelKeyProblem, labelValueProblem } from '../../../api/labels.ts'
import type { Endpoints, EndpointSlice } from '../../../api/objects.ts'
import { duplicate, required, tooLong, wrong, type Causes } from '../causes.ts'
import { text, unique } from './meta.ts'
import { dnsLabel, dnsSubdomain, isPort, portRule, type Form } from './names.ts'
import { isAddress, isFourDecimals } from './pod.ts'
import { unicastProblem } from './service.ts'

export const sliceBounds = { endpoints: 1000, addresses: 100, ports: 100, hints: 8 } as const

type SlicePort = NonNullable<EndpointSlice['ports']>[number]

/** @param slice with its defaults */
export function* validateEndpointSlice(slice: EndpointSlice): Causes {
  const { endpoints = [], ports = [], addressType } = slice
  if (endpoints.length > sliceBounds.endpoints) yield tooLong('endpoints', `must have at most ${sliceBounds.endpoints} items`)
  if (ports.length > sliceBounds.ports) yield tooLong('ports', `must have at most ${sliceBounds.ports} items`)
  for (const [i, endpoint] of endpoints.slice(0, sliceBounds.endpoints).entries()) {
    const at = `endpoints[${i}]`
    if (endpoint.addresses.length === 0) yield required(`${at}.addresses`, 'must contain at least one address')
    if (endpoint.addresses.length > sliceBounds.addresses)
      yield tooLong(`${at}.addresses`, `must have at most ${sliceBounds.addresses} items`)
    for (const [j, address] of endpoint.addresses.slice(0, sliceBounds.addresses).entries()) {
      const problem = addressProblem(addressType, address)
      if (problem) yield wrong(`${at}.addresses[${j}]`, address, problem)
    }
    if (endpoint.hostname) yield* text(`${at}.hostname`, endpoint.hostname, dnsLabel)
    if (endpoint.nodeName) yield* text(`${at}.nodeName`, endpoint.nodeName, dnsSubdomain)
    const { forZones, forNodes } = endpoint.hints ?? {}
    yield* validateHints(`${at}.hints.forZones`, forZones ?? [], labelValueProblem)
    yield* validateHints(`${at}.hints.forNodes`, forNodes ?? [], dnsSubdomain)
  }
  yield* validatePorts('ports', ports)
  yield* unique(
    ports.map((p) => p.name ?? ''),
    (i) => `ports[${i}].name`,
  )
}

function* validateHints(field: string, hints: readonly { readonly name: string }[], form: Form): Causes {
  if (hints.length > sliceBounds.hints) yield tooLong(field, `must have at most ${sliceBounds.hints} items`)
  const seen = new Set<string>()
  for (const [i, { name }] of hints.slice(0, sliceBounds.hints).entries()) {
    if (name === '') yield required(`${field}[${i}].name`)
    else if (seen.has(name)) yield duplicate(`${field}[${i}].name`, name)
    else yield* text(`${field}[${i}].name`, name, form)
    seen.add(name)
  }
}

function* validatePorts(field: string, ports: readonly SlicePort[]): Causes {
  for (const [i, { name, port, appProtocol }] of ports.slice(0, sliceBounds.ports).entries()) {
    if (name) yield* text(`${field}[${i}].name`, name, dnsLabel)
    if (port !== undefined && !isPort(port)) yield wrong(`${field}[${i}].port`, port, portRule)
    if (appProtocol) yield* text(`${field}[${i}].appProtocol`, appProtocol, labelKeyProblem)
  }
}

function addressProblem(type: EndpointSlice['addressType'], address: string): string | undefined {
  if (type === 'FQDN') return domainProblem(address.replace(/\.$/, ''))
  const ofType = type === 'IPv4' ? isFourDecimals(address) : isAddress(address) && address.includes(':')
  return ofType ? unicastProblem(address) : `must be an ${type} address`
}

/** A name with a domain behind it; `localhost` and its like are not. */
const domainProblem: Form = (name) =>
  dnsSubdomain(name) ?? (name.includes('.') ? undefined : 'must have at least two parts with a dot between them (such as db.example.com)')

/** @param endpoints with their defaults */
export function* validateEndpoints(endpoints: Endpoints): Causes {
  for (const [i, subset] of (endpoints.subsets ?? []).entries()) {
    const at = `subsets[${i}]`
    const { addresses = [], notReadyAddresses = [], ports = [] } = subset
    if (addresses.length + notReadyAddresses.length === 0) yield required(at, 'must have `addresses` or `notReadyAddresses`')
    for (const [list, items] of [
      ['addresses', addresses],
      ['notReadyAddresses', notReadyAddresses],
    ] as const) {
      for (const [j, { ip, hostname }] of items.entries()) {
        const problem = unicastProblem(ip)
        if (problem) yield wrong(`${at}.${list}[${j}].ip`, ip, problem)
        if (hostname) yield* text(`${at}.${list}[${j}].hostname`, hostname, dnsLabel)
      }
    }
    for (const [j, { name, port }] of ports.entries()) {
      if (name) yield* text(`${at}.ports[${j}].name`, name, dnsLabel)
      else if (ports.length > 1) yield required(`${at}.ports[${j}].name`, 'ports have names where there is more than one')
      if (!isPort(port)) yield wrong(`${at}.ports[${j}].port`, port, portRule)
    }
  }
}
