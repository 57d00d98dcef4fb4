/** Keys of interval sets: one field or several, of which some are ranges (an address, a CIDR, or `from-to`). */
import ipaddr from 'ipaddr.js'

/** Whether two keys of an interval set have something in common. */
export function overlap(a: string, b: string): boolean {
  const others = b.split(' . ')
  return a.split(' . ').every((field, i) => fieldsOverlap(field, others[i]!))
}

function fieldsOverlap(a: string, b: string): boolean {
  // Names of protocols and numbers of ports are no ranges here.
  if (a === b || !/[.:]/.test(a)) return a === b
  const [x, y] = [rangeOf(a), rangeOf(b)]
  return x.from <= y.to && y.from <= x.to
}

function rangeOf(key: string): { readonly from: bigint; readonly to: bigint } {
  const [from, to] = key.split('-') as [string, string?]
  if (to !== undefined) return { from: numberOf(from), to: numberOf(to) }
  const [address, length] = key.split('/') as [string, string?]
  const start = numberOf(address)
  const bits = ipaddr.parse(address).kind() === 'ipv4' ? 32 : 128
  const size = 1n << BigInt(bits - Number(length ?? bits))
  return { from: start - (start % size), to: start - (start % size) + size - 1n }
}

function numberOf(address: string): bigint {
  return BigInt(
    `0x${ipaddr
      .parse(address)
      .toByteArray()
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join('')}`,
  )
}
