/** Checks of core/v1 ServiceStatus, which balancers and their like write. */
import type { Service } from '../../../api/objects.ts'
import { forbidden, unsupported, wrong, type Causes } from '../causes.ts'
import { familyOf } from '../ranges.ts'
import { text } from './meta.ts'
import { dnsSubdomain, isPort, portRule } from './names.ts'

const modes: readonly string[] = ['VIP', 'Proxy']

/** @param service with its defaults */
export function* validateBalancer({ spec = {}, status }: Service): Causes {
  const ingress = status?.loadBalancer?.ingress ?? []
  const field = 'status.loadBalancer.ingress'
  if (ingress.length > 0 && spec.type !== 'LoadBalancer')
    return yield forbidden(field, "may only be used when `spec.type` is 'LoadBalancer'; addresses of other services go into `spec.externalIPs`")
  for (const [i, { ip, hostname, ipMode, ports = [] }] of ingress.entries()) {
    const at = `${field}[${i}]`
    if (ip && !familyOf(ip)) yield wrong(`${at}.ip`, ip, 'must be an IP address (such as 203.0.113.7 or 2001:db8::7)')
    if (ipMode !== undefined && !ip) yield forbidden(`${at}.ipMode`, 'may not be used when `ip` is not set')
    else if (ipMode !== undefined && !modes.includes(ipMode)) yield unsupported(`${at}.ipMode`, ipMode, modes)
    if (hostname) {
      if (familyOf(hostname)) yield wrong(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address: that goes into `ip`')
      else yield* text(`${at}.hostname`, hostname, dnsSubdomain)
    }
    for (const [j, { port }] of ports.entries()) if (!isPort(port)) yield wrong(`${at}.ports[${j}].port`, port, portRule)
  }
}
