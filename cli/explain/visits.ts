/** What becomes of a sender's packet: the ways that it can take, counted together. Pure. */
import { serverPlace } from '../../rules/ipvs/index.ts'
import type { Fate, Journey, Step } from '../../rules/packet.ts'
import { choiceIn, type Way } from './ways.ts'

export interface Ending {
  readonly fate: Fate
  /** Of new connections, more than 0 and up to 1; absent where the rules do not tell. */
  readonly share?: number
  /** Whether the other side sees the node's address in place of the sender's. */
  readonly masqueraded: boolean
}

/** Each fate once. */
export function endingsOf(ways: readonly Way[]): readonly Ending[] {
  const endings = new Map<string, Ending>()
  for (const { fate, masqueraded, share } of ways) {
    const key = JSON.stringify([fate, masqueraded])
    const before = endings.get(key)?.share ?? 0
    endings.set(key, { fate, masqueraded, ...(share !== undefined && { share: before + share }) })
  }
  return [...endings.values()]
}

/** A rule or an element that decided something. */
export interface Decision extends Step {
  /** How many more elements of the same map chance chooses among. */
  readonly others: number
}

const decisive = /\bdnat ip6? to |\breject\b|\bdrop$|\bmasquerade\b|\bmeta mark set\b| -j (DNAT|REJECT|DROP|MASQUERADE|MARK)\b|^-j (MASQUERADE|MARK)\b/
/** These say what is no service at all; source ranges belong to one. */
const ranges = /^(service|external|pod)-ranges$|^node-port-addresses$/

/**
 * The rules that did something, and the elements of sets that belong to services. What only leads from chain to chain is left out,
 * and of the elements among which chance chooses all but one.
 */
export function decisionsOf(journeys: readonly Journey[]): readonly Decision[] {
  const [first] = journeys
  if (!first) return []
  const choice = choiceIn(first.steps)
  const others = new Set(journeys.flatMap(({ steps }) => choiceIn(steps)?.text ?? [])).size - 1
  return first.steps
    .filter(({ place, text }) => (place === serverPlace || isElement(text) ? !ranges.test(place) : decisive.test(text)))
    .map((step) => ({ ...step, others: step === choice ? others : 0 }))
}

/** Keys begin with an address or a number of affinity, rules with a word. */
const isElement = (text: string): boolean => /[.:]/.test(text.split(' ', 1)[0]!)
