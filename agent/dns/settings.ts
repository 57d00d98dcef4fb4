/** What a person says about names, checked. */
import { isIPv6 } from 'node:net'
import { canonicalAddress } from '../../rules/address.ts'
import { DnsError } from './error.ts'
import { isDomainName, lowerCase } from './names.ts'
import { dnsPort, parseUpstream, upstreamFault, type Upstream } from './upstreams.ts'

export interface DnsSettings {
  /** Where this node answers its pods; canonical. */
  readonly address: string
  /** In lower case, without a dot at the end. */
  readonly domain: string
  /** Absent: the node's own name servers. */
  readonly upstreams?: readonly Upstream[]
}

export interface DnsFlags {
  /** An address of this node alone, or `none`. */
  readonly address: string
  readonly domain: string
  /** `ADDRESS[:PORT]`, more than one with commas. */
  readonly upstream?: string
}

export const defaultDnsAddress = '169.254.20.10'

/** @returns undefined where names are not to be answered. @throws DnsError USAGE naming the flag */
export function dnsSettings(flags: DnsFlags): DnsSettings | undefined {
  if (flags.address === 'none') return undefined
  const address = canonicalAddress(isIPv6(flags.address) ? 'ip6' : 'ip', flags.address)
  if (address === undefined) throw wrong('cluster-dns', flags.address, 'expected an IP address, or none')
  // Loopback and unspecified addresses are the pods' own.
  if (/^(127|0)\.|^::1?$/.test(address)) throw wrong('cluster-dns', flags.address, 'pods cannot reach this address of the node')
  const domain = lowerCase(flags.domain).replace(/\.$/, '')
  const isDomain = isDomainName(domain) && /^[a-z0-9.-]+$/.test(domain)
  if (!isDomain) throw wrong('cluster-domain', flags.domain, 'expected a domain name')
  const upstreams = flags.upstream?.split(',').map((text) => {
    const upstream = parseUpstream(text.trim())
    if (!upstream) throw wrong('dns-upstream', text, 'expected ADDRESS or ADDRESS:PORT')
    const fault = upstreamFault(upstream, { address, port: dnsPort })
    if (fault) throw wrong('dns-upstream', text, fault)
    return upstream
  })
  return { address, domain, ...(upstreams && { upstreams }) }
}

const wrong = (flag: string, value: string, why: string): DnsError => new DnsError('USAGE', `--${flag} ${value}: ${why}`)
