/** What becomes of a sender's packet: the ways that it can take, counted together. Pure. */
import type { Fate, Journey, Step } from '../../rules/packet.ts'

export interface Ending {
  readonly fate: Fate
  /** Of new connections, more than 0 and up to 1; absent where the rules do not tell. */
  readonly share?: number
  /** Whether the other side sees the node's address in place of the sender's. */
  readonly masqueraded: boolean
}

/** Each fate once. */
export function endingsOf(journeys: readonly Journey[]): readonly Ending[] {
  const even = isEven(journeys)
  const endings = new Map<string, { fate: Fate; masqueraded: boolean; count: number }>()
  for (const { fate, masqueraded } of journeys) {
    const key = JSON.stringify([fate, masqueraded])
    const ending = endings.get(key)
    if (ending) ending.count++
    else endings.set(key, { fate, masqueraded, count: 1 })
  }
  return [...endings.values()].map(({ count, ...ending }) => ({ ...ending, ...(even && { share: count / journeys.length }) }))
}

/** Each journey is a slot of one map; if somebody put a front into two maps, slots of the shorter one come more than once. */
function isEven(journeys: readonly Journey[]): boolean {
  const maps = new Set(journeys.flatMap(({ fate, steps }) => (fate.kind === 'translated' ? (slotOf(steps)?.place ?? []) : [])))
  const slots = new Set(journeys.flatMap(({ fate, steps }) => (fate.kind === 'translated' ? (slotOf(steps)?.text ?? []) : [])))
  const others = journeys.filter(({ fate }) => fate.kind !== 'translated').length
  return maps.size <= 1 && slots.size + others === journeys.length
}

function slotOf(steps: readonly Step[]): Step | undefined {
  return steps[steps.findIndex(({ text }) => text.startsWith('dnat ')) + 1]
}

/** A rule or an element that decided something. */
export interface Decision extends Step {
  /** How many more elements of the same map chance chooses among. */
  readonly others: number
}

const decisive = /\bdnat ip6? to |\breject\b|\bdrop$|\bmasquerade\b|\bmeta mark set\b/
/** These say what is no service at all; source ranges belong to one. */
const ranges = /^(service|external|pod)-ranges$|^node-port-addresses$/

/**
 * The rules that did something, and the elements of sets that belong to services. What only leads from chain to chain is left out,
 * and of the elements among which chance chooses all but one.
 */
export function decisionsOf(journeys: readonly Journey[]): readonly Decision[] {
  const [first] = journeys
  if (!first) return []
  const slot = slotOf(first.steps)
  const others = new Set(journeys.flatMap(({ steps }) => slotOf(steps)?.text ?? [])).size - 1
  return first.steps
    .filter(({ place, text }) => (isElement(text) ? !ranges.test(place) : decisive.test(text)))
    .map((step) => ({ ...step, others: step === slot ? others : 0 }))
}

/** Keys begin with an address or a number of affinity, rules with a word. */
const isElement = (text: string): boolean => /[.:]/.test(text.split(' ', 1)[0]!)
