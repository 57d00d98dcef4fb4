/** Domain names as texts: lower case, labels joined by dots, without the dot at the end; the root is ''. Pure. */
import { isIPv4, isIPv6 } from 'node:net'
import { canonicalAddress } from '../../rules/address.ts'

/** Only A to Z have two cases in DNS (RFC 4343). */
export const lowerCase = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** @returns the labels in front of a domain, the leftmost first; undefined where the name does not lie in it */
export function labelsBelow(name: string, domain: string): readonly string[] | undefined {
  if (name === domain) return []
  return name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1).split('.') : undefined
}

/** Whether a text can be written as a name in a message (RFC 1035 2.3.4). */
export function isDomainName(text: string): boolean {
  const fits = (part: string, bytes: number): boolean => part !== '' && Buffer.byteLength(part) <= bytes
  return fits(text, 253) && text.split('.').every((label) => fits(label, 63))
}

/** What stands for an endpoint without a hostname, and for a pod: its address with dashes. */
export const dashed = (address: string): string => address.replace(/[.:]/g, '-')

/** @returns the address that `dashed` was given, in canonical form */
export function undashed(label: string): string | undefined {
  const v4 = label.replaceAll('-', '.')
  if (isIPv4(v4)) return canonicalAddress('ip', v4)
  const v6 = label.replaceAll('-', ':')
  return isIPv6(v6) ? canonicalAddress('ip6', v6) : undefined
}

export type ReverseZone = 'in-addr.arpa' | 'ip6.arpa'

/** What a name below in-addr.arpa or ip6.arpa stands for (RFC 1035 3.5, RFC 3596 2.5); undefined for what is no address. */
export function reverseAddress(name: string): { readonly zone: ReverseZone; readonly address: string } | undefined {
  const octets = labelsBelow(name, 'in-addr.arpa')
  if (octets?.length === 4 && octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet))) {
    const address = octets.toReversed().join('.')
    return isIPv4(address) ? { zone: 'in-addr.arpa', address } : undefined
  }
  const nibbles = labelsBelow(name, 'ip6.arpa')
  if (nibbles?.length !== 32 || !nibbles.every((nibble) => /^[0-9a-f]$/.test(nibble))) return undefined
  const address = canonicalAddress('ip6', nibbles.toReversed().join('').replace(/(.{4})(?=.)/g, '$1:'))
  return address === undefined ? undefined : { zone: 'ip6.arpa', address }
}
