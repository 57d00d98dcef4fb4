/** Ranges of addresses that services get theirs from, as numbers: the first one that may be given out is 0. Both families. */
import ipaddr from 'ipaddr.js'

export type Family = 'IPv4' | 'IPv6'

export interface AddressRange {
  readonly family: Family
  /** As it was given. */
  readonly cidr: string
  /** How many addresses may be given out. */
  readonly size: number
  /** Undefined for what is no address of this range, or one that is never given out. */
  indexOf(address: string): number | undefined
  at(index: number): string
}

/** Larger ranges have more addresses than can be counted exactly, and nobody needs them. */
const mostBits = 48

/** The family of an address, undefined for anything else. */
export function familyOf(address: string): Family | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return 'IPv4'
  return ipaddr.IPv6.isValid(address) && !address.includes('%') ? 'IPv6' : undefined
}

/**
 * One range, or two of different families with a comma between them (`10.96.0.0/12,fd00:10:96::/112`); the first one is the
 * family of services that do not ask for one.
 * @throws RangeError that says what is wrong and how it can be right
 */
export function parseRanges(text: string): readonly AddressRange[] {
  const ranges = text.split(',').map((cidr) => parseRange(cidr.trim()))
  if (ranges.length > 2 || (ranges[1] && ranges[0]!.family === ranges[1].family))
    throw new RangeError(`${text}: give one range, or one of IPv4 and one of IPv6 with a comma between them`)
  return ranges
}

function parseRange(cidr: string): AddressRange {
  const [address = '', length = ''] = cidr.split('/')
  const family = familyOf(address)
  if (!family || !/^\d{1,3}$/.test(length) || !ipaddr.isValidCIDR(cidr))
    throw new RangeError(`${cidr} must be a range of addresses such as 10.96.0.0/12 or fd00:10:96::/112`)
  const width = family === 'IPv4' ? 32 : 128
  const bits = width - Number(length)
  if (bits > mostBits) throw new RangeError(`${cidr} is larger than a range of services may be: use /${width - mostBits} or smaller`)
  // Without the address of the network and, in IPv4, the one of all hosts.
  const size = 2 ** bits - (family === 'IPv4' ? 2 : 1)
  if (size < 1) throw new RangeError(`${cidr} has no room for addresses: use /${width - 2} or larger`)
  const first = ((numberOf(address) >> BigInt(bits)) << BigInt(bits)) + 1n
  return {
    family,
    cidr,
    size,
    indexOf(wanted) {
      if (familyOf(wanted) !== family) return undefined
      const index = Number(numberOf(wanted) - first)
      return index >= 0 && index < size ? index : undefined
    },
    at: (index) => textOf(first + BigInt(index), width / 8),
  }
}

const numberOf = (address: string): bigint =>
  ipaddr
    .parse(address)
    .toByteArray()
    .reduce((n, byte) => n * 256n + BigInt(byte), 0n)

/** IPv6 in the short form of RFC 5952. */
function textOf(n: bigint, bytes: number): string {
  const parts = Array.from({ length: bytes }, (_, i) => Number((n >> BigInt(8 * (bytes - 1 - i))) & 255n))
  return ipaddr.fromByteArray(parts).toString()
}
