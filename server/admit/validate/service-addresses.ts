/** Checks of what a Service (core/v1 ServiceSpec) says of its addresses, as far as they need no knowledge of the cluster. */
import type { ServiceSpec } from '../../../api/objects.ts'
import { duplicate, forbidden, required, unsupported, wrong, type Causes } from '../causes.ts'
import { familyOf } from '../ranges.ts'
import { text } from './meta.ts'
import { dnsSubdomain } from './names.ts'

const families: readonly string[] = ['IPv4', 'IPv6']

export function* validateAddresses(spec: ServiceSpec): Causes {
  if (spec.type === 'ExternalName') return yield* validateExternalName(spec)
  const { clusterIP = '', clusterIPs = [] } = spec
  if (clusterIP !== '' && clusterIP !== 'None' && !familyOf(clusterIP))
    yield wrong('spec.clusterIP', clusterIP, "must be empty, 'None', or an IP address (such as 10.96.0.20)")
  if (clusterIPs.length > 0 && clusterIPs[0] !== clusterIP)
    yield wrong('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`')
  yield* validateLists(spec)
  if (clusterIP === 'None' && (spec.type === 'NodePort' || spec.type === 'LoadBalancer'))
    yield wrong('spec.clusterIP', clusterIP, `may not be set to 'None' for ${spec.type} services`)
}

function* validateExternalName({ clusterIP = '', clusterIPs = [], ipFamilies = [], ipFamilyPolicy, externalName }: ServiceSpec): Causes {
  const why = "may not be set when `type` is 'ExternalName'"
  if (clusterIP !== '') yield forbidden('spec.clusterIP', why)
  else if (clusterIPs.length > 0) yield forbidden('spec.clusterIPs', why)
  if (ipFamilies.length > 0) yield forbidden('spec.ipFamilies', why)
  if (ipFamilyPolicy) yield forbidden('spec.ipFamilyPolicy', why)
  if (!externalName) yield required('spec.externalName', "must name a host when `type` is 'ExternalName'")
  else yield* text('spec.externalName', externalName, (name) => dnsSubdomain(name.toLowerCase().replace(/\.$/, '')))
}

/** One address and one family each, in the same order. */
function* validateLists({ clusterIPs = [], ipFamilies = [] }: ServiceSpec): Causes {
  for (const [i, family] of ipFamilies.entries()) {
    if (!families.includes(family)) yield unsupported(`spec.ipFamilies[${i}]`, family, families)
    else if (ipFamilies.indexOf(family) < i) yield duplicate(`spec.ipFamilies[${i}]`, family)
  }
  if (clusterIPs.length > 2) yield wrong('spec.clusterIPs', clusterIPs, 'may hold two values, one of each address family')
  for (const [i, ip] of clusterIPs.slice(0, 2).entries()) {
    const field = `spec.clusterIPs[${i}]`
    const family = familyOf(ip)
    if (ip === 'None') {
      if (clusterIPs.length > 1) yield wrong(field, ip, "'None' stands alone: a headless service has no address of its own")
    } else if (!family) {
      // The first one was told of as `clusterIP`.
      if (i > 0) yield wrong(field, ip, 'must be an IP address (such as 10.96.0.20 or fd00:10:96::20)')
    } else if (i > 0 && familyOf(clusterIPs[0]!) === family) {
      yield wrong('spec.clusterIPs', clusterIPs, 'two values must be one of each address family')
    } else if (ipFamilies[i] && ipFamilies[i] !== family) {
      yield wrong(field, ip, `expected an ${ipFamilies[i]} value, as \`ipFamilies[${i}]\` says`)
    }
  }
}
