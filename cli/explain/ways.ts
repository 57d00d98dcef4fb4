/** The ways that a packet can take, with their shares: how chance chooses differs from mode to mode. Pure. */
import { serverPlace } from '../../rules/ipvs/index.ts'
import type { Journey, Step } from '../../rules/packet.ts'

export interface Way extends Journey {
  /** Of new connections, more than 0 and up to 1; absent where the rules do not tell. */
  readonly share?: number
}

/** nftables: each journey is a slot of one map. If somebody put a front into two maps, slots of the shorter one come more than once. */
export function slotWays(journeys: readonly Journey[]): readonly Way[] {
  const served = journeys.filter(({ fate }) => fate.kind === 'translated').map(({ steps }) => choiceIn(steps))
  const maps = new Set(served.map((step) => step?.place))
  const slots = new Set(served.map((step) => step?.text))
  const even = maps.size <= 1 && slots.size === served.length
  return journeys.map((journey) => ({ ...journey, ...(even && { share: 1 / journeys.length }) }))
}

/**
 * iptables: rule after rule is asked with a probability, and the last one has what is left. Where a journey met several
 * probabilities, or two of them end alike, it is another tree than ours.
 */
export function ruleWays(journeys: readonly Journey[]): readonly Way[] {
  let left = 1
  const shares = journeys.map(({ steps }) => {
    const asked = steps.flatMap(({ text }) => / --probability ([\d.]+)/.exec(text)?.[1] ?? [])
    const share = asked.length > 1 ? Number.NaN : left * Number(asked[0] ?? 1)
    left -= share
    return share
  })
  const ends = new Set(journeys.map(({ steps }) => JSON.stringify(steps.filter(({ place }) => place.startsWith('nat ')))))
  const known = Math.abs(left) < 1e-9 && ends.size === journeys.length
  return journeys.map((journey, i) => ({ ...journey, ...(known && { share: shares[i]! }) }))
}

/**
 * IPVS: each journey is a real server. A scheduler that goes round by weight, or that goes by the client's address, gives new clients
 * to all of one weight alike; of others nobody can tell.
 */
export function serverWays(journeys: readonly Journey[]): readonly Way[] {
  const even = journeys.length === 1 || journeys.every(({ steps }) => /^\S+ \S+ (?:rr|mh|sh)\b/.test(choiceIn(steps)?.text ?? ''))
  return journeys.map((journey) => ({ ...journey, ...(even && { share: 1 / journeys.length }) }))
}

/** What chance chose: the element behind the rule that asks a map, the rule itself, or the real server. */
export function choiceIn(steps: readonly Step[]): Step | undefined {
  const at = steps.findIndex(({ text }) => text.startsWith('dnat '))
  return at < 0 ? steps.find(({ place, text }) => text.includes(' -j DNAT ') || place === serverPlace) : steps[at + 1]
}
