/** The words that differ between the nft families, and the checks of addresses that come from outside. */
import { RulesError } from './error.ts'
import type { Family } from './model.ts'

export interface FamilyWords {
  /** Protocol word in expressions: `ip daddr`, `dnat ip to`. */
  readonly ip: string
  /** Data type of an address. */
  readonly addressType: string
}

const words: Readonly<Partial<Record<Family, FamilyWords>>> = { ip: { ip: 'ip', addressType: 'ipv4_addr' } }

/** @throws RulesError RULES_MISUSED for a family that is not served */
export function wordsOf(family: Family): FamilyWords {
  const found = words[family]
  if (found) return found
  const served = Object.keys(words).join(', ')
  throw new RulesError('RULES_MISUSED', `family: "${family}" is not served; make rules for one of these: ${served}`)
}

/** First and last address of what is no place for an endpoint. */
const ranges = [
  { from: 0x00000000, to: 0x00ffffff, what: 'is an unspecified address' },
  { from: 0x7f000000, to: 0x7fffffff, what: 'is a loopback address' },
  { from: 0xa9fe0000, to: 0xa9feffff, what: 'is a link-local address' },
  { from: 0xe0000000, to: 0xefffffff, what: 'is a multicast address' },
  { from: 0xf0000000, to: 0xffffffff, what: 'is a reserved or broadcast address' },
] as const

const noAddress = 'is not an IPv4 address'

/** Why a text is not an IPv4 address in canonical form; undefined if it is one. */
export function addressFault(text: string): string | undefined {
  return bitsOf(text) === undefined ? noAddress : undefined
}

/**
 * Why traffic must not be sent to, or taken from, an address (the API server's rule for endpoint addresses:
 * core/v1 EndpointAddress.ip); undefined if it may.
 */
export function unicastFault(text: string): string | undefined {
  const bits = bitsOf(text)
  if (bits === undefined) return noAddress
  return ranges.find(({ from, to }) => from <= bits && bits <= to)?.what
}

/** Whether a number is a port that a packet can carry. */
export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535
}

/** A CIDR as nft prints it (host bits cleared, no `/32`); undefined if the text is none. A bare address is a /32. */
export function canonicalCIDR(text: string): string | undefined {
  const block = blockOf(text)
  if (!block) return undefined
  const address = textOf(block.bits)
  return block.length === 32 ? address : `${address}/${block.length}`
}

/** Without those that lie inside another one, which an interval set would refuse; in order of address. */
export function disjointCIDRs(cidrs: readonly string[]): readonly string[] {
  const blocks = cidrs.map((text) => ({ text, ...blockOf(text)! })).sort((a, b) => a.bits - b.bits || a.length - b.length)
  const kept: typeof blocks = []
  for (const block of blocks) {
    const last = kept.at(-1)
    if (!last || masked(block.bits, last.length) !== last.bits || block.length < last.length) kept.push(block)
  }
  return kept.map((b) => b.text)
}

/** Whether an address lies in a CIDR, a bare address, or a `from-to` range, as interval sets print them. */
export function cidrContains(range: string, address: string): boolean {
  const bits = bitsOf(address)
  if (bits === undefined) return false
  const dash = range.indexOf('-')
  if (dash > 0) {
    const from = bitsOf(range.slice(0, dash))
    const to = bitsOf(range.slice(dash + 1))
    return from !== undefined && to !== undefined && from <= bits && bits <= to
  }
  const block = blockOf(range)
  return block !== undefined && masked(bits, block.length) === block.bits
}

function blockOf(text: string): { readonly bits: number; readonly length: number } | undefined {
  const match = /^([\d.]+)(?:\/(0|[1-9]\d?))?$/.exec(text)
  const bits = match ? bitsOf(match[1]!) : undefined
  const length = match?.[2] === undefined ? 32 : Number(match[2])
  return bits === undefined || length > 32 ? undefined : { bits: masked(bits, length), length }
}

function masked(bits: number, length: number): number {
  return length === 0 ? 0 : (bits & (0xffffffff << (32 - length))) >>> 0
}

/** A hand-written loop: with 90,000 endpoints a regular expression here is most of a full pass. */
function bitsOf(text: string): number | undefined {
  let bits = 0
  let octet = -1
  let dots = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 46) {
      if (octet < 0 || ++dots > 3) return undefined
      bits = bits * 256 + octet
      octet = -1
    } else {
      // No sign, no blank, and no zero in front of another digit.
      if (code < 48 || code > 57 || octet === 0) return undefined
      octet = Math.max(octet, 0) * 10 + code - 48
      if (octet > 255) return undefined
    }
  }
  return dots === 3 && octet >= 0 ? bits * 256 + octet : undefined
}

function textOf(bits: number): string {
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.')
}
