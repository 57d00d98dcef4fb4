/** Which of the machine's addresses are meant where the configuration speaks of ranges. */
import { networkInterfaces } from 'node:os'
import ipaddr from 'ipaddr.js'

/** Every address of every interface, without zones. */
export function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((i) => i.address.split('%')[0]!))
}

/**
 * @param ranges CIDRs or bare addresses, of both families
 * @returns the machine's addresses inside them; bare addresses count as they are
 */
export function addressesIn(ranges: readonly string[], machine: readonly string[]): readonly string[] {
  const bare = ranges.filter((r) => !r.includes('/'))
  const cidrs = ranges.filter((r) => r.includes('/')).map((r) => ipaddr.parseCIDR(r))
  const inside = (address: string): boolean => {
    const parsed = ipaddr.parse(address)
    return cidrs.some(([base, length]) => base.kind() === parsed.kind() && parsed.match(base, length))
  }
  return [...new Set([...bare, ...machine.filter(inside)])]
}
