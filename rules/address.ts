/** Addresses, ranges and ports that come from outside: checked, and brought into the one text that tools print. */
import ipaddr from 'ipaddr.js'
import type { Family } from './model.ts'

const noAddress: Readonly<Record<Family, string>> = { ip: 'is not an IPv4 address', ip6: 'is not an IPv6 address' }
const bits: Readonly<Record<Family, number>> = { ip: 32, ip6: 128 }

/** The address that stands for every address: 0.0.0.0 or ::. */
export const anyAddress: Readonly<Record<Family, string>> = { ip: '0.0.0.0', ip6: '::' }

/** Of an address or a range. */
export const familyOf = (text: string): Family => (text.includes(':') ? 'ip6' : 'ip')

/** The range of every address. */
export const allAddresses: Readonly<Record<Family, string>> = { ip: '0.0.0.0/0', ip6: '::/0' }

/** First and last IPv4 address of what is no place for an endpoint. */
const ranges = [
  { from: 0x00000000, to: 0x00ffffff, what: 'is an unspecified address' },
  { from: 0x7f000000, to: 0x7fffffff, what: 'is a loopback address' },
  { from: 0xa9fe0000, to: 0xa9feffff, what: 'is a link-local address' },
  { from: 0xe0000000, to: 0xefffffff, what: 'is a multicast address' },
  { from: 0xf0000000, to: 0xffffffff, what: 'is a reserved or broadcast address' },
] as const

/** The names that ipaddr.js gives to IPv6 ranges. */
const ranges6: Readonly<Partial<Record<string, string>>> = {
  unspecified: 'is an unspecified address',
  loopback: 'is a loopback address',
  linkLocal: 'is a link-local address',
  multicast: 'is a multicast address',
  ipv4Mapped: 'is an IPv4 address in IPv6 clothes',
}

/** An address as tools print it: zeros in front of IPv4 numbers are dropped (010 is 10), IPv6 is shortened (RFC 5952). */
export function canonicalAddress(family: Family, text: string): string | undefined {
  if (family === 'ip') {
    if (bitsOf(text) !== undefined) return text
    return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) ? canonicalAddress4(text) : undefined
  }
  return ipaddr.IPv6.isValid(text) && !text.includes('%') ? ipaddr.IPv6.parse(text).toString() : undefined
}

function canonicalAddress4(text: string): string | undefined {
  const plain = text.split('.').map(Number).join('.')
  return bitsOf(plain) === undefined ? undefined : plain
}

/**
 * Why traffic must not be sent to, or taken from, an address (the API server's rule for endpoint addresses:
 * core/v1 EndpointAddress.ip); undefined if it may. The text must be canonical.
 */
export function unicastFault(family: Family, text: string): string | undefined {
  if (family === 'ip') {
    const value = bitsOf(text)
    if (value === undefined) return noAddress.ip
    for (const { from, to, what } of ranges) if (from <= value && value <= to) return what
    return undefined
  }
  if (canonicalAddress('ip6', text) !== text) return noAddress.ip6
  return ranges6[ipaddr.IPv6.parse(text).range()]
}

/** Why a text is not an address of the family in canonical form; undefined if it is one. */
export function addressFault(family: Family, text: string): string | undefined {
  return canonicalAddress(family, text) === text ? undefined : noAddress[family]
}

/** Whether a number is a port that a packet can carry. */
export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535
}

/** Whether a text looks like an address or range of the other family, and so is none of our business. */
export function isOtherFamily(family: Family, text: string): boolean {
  return text.includes(':') === (family === 'ip')
}

/** A CIDR as tools print it (host bits cleared, no `/32` or `/128`); undefined if the text is none. Blanks around it do no harm. */
export function canonicalCIDR(family: Family, text: string): string | undefined {
  const block = blockOf(family, text.trim())
  return block && blockText(family, block)
}

/** Without those that lie inside another one, which an interval set would refuse; in order of address. */
export function disjointCIDRs(family: Family, cidrs: readonly string[]): readonly string[] {
  const blocks = cidrs
    .flatMap((text) => blockOf(family, text) ?? [])
    .sort((a, b) => (a.from === b.from ? a.length - b.length : a.from < b.from ? -1 : 1))
  const kept: Block[] = []
  for (const block of blocks) {
    const last = kept.at(-1)
    if (!last || block.from > last.to) kept.push(block)
  }
  return kept.map((block) => blockText(family, block))
}

/** Whether an address lies in a CIDR, a bare address, or a `from-to` range, as interval sets print them. */
export function cidrContains(range: string, address: string): boolean {
  const family: Family = address.includes(':') ? 'ip6' : 'ip'
  const value = valueOf(family, address)
  if (value === undefined) return false
  const dash = range.indexOf('-')
  if (dash > 0) {
    const from = valueOf(family, range.slice(0, dash))
    const to = valueOf(family, range.slice(dash + 1))
    return from !== undefined && to !== undefined && from <= value && value <= to
  }
  const block = blockOf(family, range)
  return block !== undefined && block.from <= value && value <= block.to
}

interface Block {
  readonly from: bigint
  readonly to: bigint
  readonly length: number
}

function blockOf(family: Family, text: string): Block | undefined {
  const [, address = '', mask] = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? []
  const value = valueOf(family, canonicalAddress(family, address) ?? '')
  const length = mask === undefined ? bits[family] : Number(mask)
  if (value === undefined || length > bits[family]) return undefined
  const size = 1n << BigInt(bits[family] - length)
  const from = value - (value % size)
  return { from, to: from + size - 1n, length }
}

function blockText(family: Family, { from, length }: Block): string {
  const address = family === 'ip' ? textOf(Number(from)) : text6Of(from)
  return length === bits[family] ? address : `${address}/${length}`
}

function valueOf(family: Family, text: string): bigint | undefined {
  if (family === 'ip') {
    const value = bitsOf(text)
    return value === undefined ? undefined : BigInt(value)
  }
  if (!ipaddr.IPv6.isValid(text)) return undefined
  return ipaddr.IPv6.parse(text).parts.reduce((value, part) => (value << 16n) | BigInt(part), 0n)
}

function text6Of(value: bigint): string {
  return new ipaddr.IPv6(Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn))).toString()
}

/** A hand-written loop: with 90,000 endpoints a regular expression here is most of a full pass. */
function bitsOf(text: string): number | undefined {
  let value = 0
  let octet = -1
  let dots = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 46) {
      if (octet < 0 || ++dots > 3) return undefined
      value = value * 256 + octet
      octet = -1
    } else {
      // No sign, no blank, and no zero in front of another digit.
      if (code < 48 || code > 57 || octet === 0) return undefined
      octet = Math.max(octet, 0) * 10 + code - 48
      if (octet > 255) return undefined
    }
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : undefined
}

function textOf(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}
