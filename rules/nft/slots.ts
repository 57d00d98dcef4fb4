/**
 * The slots among which a new connection chooses one at random. Up to `exact` endpoints have one slot each. More share a
 * larger, fixed number of slots evenly (shares differ by one slot of at least eight), so that a change among many endpoints
 * moves a few slots instead of the whole service, and so that the number of maps stays small.
 */
import type { EndpointView } from '../model.ts'
import { hash } from './names.ts'

const exact = 16
const sizes = [256, 1_024, 4_096, 16_384, 65_536] as const
const slotsEach = 8

/** A service port with more endpoints than this uses the first of them, in order of address. */
export const mostEndpoints = sizes.at(-1)! / slotsEach

/** @param count of endpoints, 1 to `mostEndpoints` */
export function slotCount(count: number): number {
  return count <= exact ? count : sizes.find((size) => size >= count * slotsEach)!
}

/** @param endpoints 1 to `mostEndpoints`, each address and port once. @returns as many as `slotCount` says */
export function slotsOf(endpoints: readonly EndpointView[]): readonly EndpointView[] {
  return endpoints.length <= exact ? endpoints : shared(endpoints, slotCount(endpoints.length))
}

/**
 * Every endpoint takes slots in an order of its own, in turns, until all are taken (Maglev, NSDI 2016, section 3.4). An odd
 * step visits every slot of a power of two.
 */
function shared(endpoints: readonly EndpointView[], count: number): readonly EndpointView[] {
  const slots = Array.from<EndpointView | undefined>({ length: count })
  const takers = endpoints.map((endpoint) => {
    const name = `${endpoint.address} ${endpoint.port}`
    return { endpoint, next: hash(name) % count, step: (hash(`${name} step`) % (count / 2)) * 2 + 1, turn: hash(`${name} turn`) }
  })
  takers.sort((a, b) => a.turn - b.turn)
  for (let taken = 0; ; ) {
    for (const taker of takers) {
      while (slots[taker.next] !== undefined) taker.next = (taker.next + taker.step) % count
      slots[taker.next] = taker.endpoint
      if (++taken === count) return slots as EndpointView[]
    }
  }
}
