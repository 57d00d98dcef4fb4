/**
 * How clients are remembered. `meta priority`, a scratch number of the packet that forwarding sets anew anyway, carries 32
 * bits: the upper 20 name the service port, the lower 12 one of its endpoints (0: none). Numbers are hashes, so that a
 * restarted agent finds what it wrote. Two service ports with the same upper bits (one pair among a thousand) forget a client
 * that uses both in turns; nothing worse, since an endpoint is only ever looked up together with its front.
 */
import type { EndpointView, ServiceKey } from '../model.ts'
import { hash } from './names.ts'

/** The bits that name the service port, as nft prints a class ID. */
export const portMask = 'ffff:f000'

const memberBits = 12
/** Further endpoints of a service port are served, but clients do not stay with them. */
export const mostMembers = 2 ** memberBits - 1

/** 1 to 2^20 - 1, shifted; never 0, which is what packets carry that are no business of ours. */
export function portNumber(service: ServiceKey, portName: string, protocol: string): number {
  const upper = hash(`${service} ${portName} ${protocol}`) >>> memberBits
  return (upper === 0 ? 1 : upper) * 2 ** memberBits
}

/** A number for each endpoint, none twice: the hash of its address and port, or the next that is free. */
export function memberNumbers(port: number, endpoints: readonly EndpointView[]): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>()
  const taken = new Set<number>()
  for (const { address, port: at } of endpoints) {
    const name = `${address} . ${at}`
    if (taken.size >= mostMembers || numbers.has(name)) continue
    let member = (hash(name) % mostMembers) + 1
    while (taken.has(member)) member = (member % mostMembers) + 1
    taken.add(member)
    numbers.set(name, port + member)
  }
  return numbers
}

/** As nft prints a class ID: two hexadecimal numbers of 16 bits. */
export function classId(value: number): string {
  return `${Math.floor(value / 0x10000).toString(16)}:${(value % 0x10000).toString(16)}`
}

/** As nft prints a time: `3h`, `1m30s`. */
export function durationText(seconds: number): string {
  const units = [['d', 86_400], ['h', 3_600], ['m', 60], ['s', 1]] as const
  let rest = seconds
  let text = ''
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) text += `${count}${unit}`
  }
  return text
}
