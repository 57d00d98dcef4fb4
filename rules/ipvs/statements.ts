/** Rule text into what it does to a packet. Knows what the layout writes and little more; anything else is an error. */
import { cidrContains } from '../address.ts'
import { RulesError } from '../error.ts'
import type { ChainName, Element, Listing as Table, SetName } from '../nft/model.ts'
import type { Fate, Packet, Step } from '../packet.ts'
import { markText } from './names.ts'

/** A packet on its way. */
export interface Traveller {
  readonly packet: Packet
  readonly table: Table
  readonly isLocal: (address: string) => boolean
  destination: string
  destinationPort: number | undefined
  mark: number
  masqueraded: boolean
  readonly steps: Step[]
}

/** What a statement comes to: the rule goes on, does not match, or is at its end. */
export type Outcome = 'on' | 'unmatched' | 'changed' | 'accept' | 'return' | Leap | Fate

/** Another chain is to be followed. */
export interface Leap {
  readonly kind: 'goto' | 'jump'
  readonly chain: ChainName
}

export type Statement = (traveller: Traveller, found: Step[]) => Outcome

interface Form {
  readonly pattern: RegExp
  readonly statement: (words: readonly string[]) => Statement
}

const field = '(?:ip6? [sd]addr|meta l4proto|th dport|meta mark)'
const fields = `(${field}(?: \\. ${field})*)`
const set = '@([\\w-]+)'
const number = '(0x[0-9a-f]+)'
const form = (pattern: string, statement: Form['statement']): Form => ({ pattern: new RegExp(`^${pattern}(?: |$)`), statement })
const when = (holds: (traveller: Traveller) => boolean): Statement => (traveller) => (holds(traveller) ? 'on' : 'unmatched')
const always = (outcome: Outcome): Statement => () => outcome

const forms: readonly Form[] = [
  form('ct state new', () => always('on')),
  form('ct state invalid', () => always('unmatched')),
  form('fib saddr type local', () => when(({ isLocal, packet }) => isLocal(packet.source))),
  form('iifname (!= )?"([^"]+)"', ([not, name]) =>
    when(({ packet: { inputInterface: at } }) => at !== undefined && isNamed(name!, at) !== (not !== undefined)),
  ),
  form(`${fields} (!= )?${set}`, ([key, not, name]) => (traveller, found) => {
    const element = lookUp(traveller, name!, key!)
    if (element) found.push(stepOf(name!, element))
    return (element !== undefined) !== (not !== undefined) ? 'on' : 'unmatched'
  }),
  form(`${fields} vmap ${set}`, ([key, name]) => (traveller, found) => {
    const element = lookUp(traveller, name!, key!)
    if (!element) return 'unmatched'
    found.push(stepOf(name!, element))
    return verdictOf(element.value ?? '')
  }),
  form(`meta mark set ${fields} map ${set}`, ([key, name]) => (traveller, found) => {
    const element = lookUp(traveller, name!, key!)
    if (!element) return 'unmatched'
    found.push(stepOf(name!, element))
    traveller.mark = Number(element.value)
    return 'on'
  }),
  form(`meta mark & ${number} != 0x0+`, ([bits]) => when(({ mark }) => (mark & Number(bits)) !== 0)),
  form(`meta mark set meta mark ([|^]) ${number}`, ([operator, value]) => (traveller) => {
    const { mark } = traveller
    traveller.mark = (operator === '|' ? mark | Number(value) : mark ^ Number(value)) >>> 0
    return 'on'
  }),
  form(`meta mark set ${number}`, ([value]) => (traveller) => {
    traveller.mark = Number(value)
    return 'on'
  }),
  form('masquerade(?: fully-random)?', () => (traveller) => {
    traveller.masqueraded = true
    return 'changed'
  }),
  form('reject with tcp reset', () => ({ packet }) => (packet.protocol === 'tcp' ? { kind: 'refused', answer: 'tcp-reset' } : 'unmatched')),
  form('reject(?: with icmp(?:v6)?(?: type)? port-unreachable)?', () => always({ kind: 'refused', answer: 'port-unreachable' })),
  form('(accept|drop|return|(?:goto|jump) \\S+)', ([text]) => always(verdictOf(text!))),
]

/** @throws RulesError RULES_UNREADABLE, with the words that are not known */
export function readRule(text: string): readonly Statement[] {
  const statements: Statement[] = []
  for (let rest = text; rest !== '';) {
    const found = forms.map(({ pattern, statement }) => ({ match: pattern.exec(rest), statement })).find(({ match }) => match)
    if (!found?.match) throw new RulesError('RULES_UNREADABLE', `rule "${text}": "${rest}" is nothing that the tracer knows`)
    statements.push(found.statement(found.match.slice(1)))
    rest = rest.slice(found.match[0].length)
  }
  return statements
}

function verdictOf(text: string): Outcome {
  const [kind, chain] = text.split(' ')
  if (kind === 'drop') return { kind: 'dropped' }
  if ((kind === 'goto' || kind === 'jump') && chain !== undefined) return { kind, chain }
  if (kind === 'accept' || kind === 'return') return kind
  throw new RulesError('RULES_UNREADABLE', `verdict "${text}" is none that the tracer knows`)
}

function isNamed(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

const stepOf = (place: SetName, { key, value }: Element): Step => ({ place, text: value === undefined ? key : `${key} : ${value}` })

function lookUp(traveller: Traveller, name: SetName, key: string): Element | undefined {
  const { table } = traveller
  const elements = table.elements.get(name)
  if (!elements) throw new RulesError('RULES_UNREADABLE', `set ${name}: a rule names it, but it is not in the listing`)
  const values = key.split(' . ').map((word) => valueOf(traveller, word))
  if (values.includes(undefined)) return undefined
  if (!table.sets.get(name)?.type.includes('interval')) return elements.get(values.join(' . '))
  const contains = (range: string, i: number): boolean => range === values[i] || cidrContains(range, values[i]!)
  return [...elements.values()].find((element) => element.key.split(' . ').every(contains))
}

function valueOf({ packet, destination, destinationPort, mark }: Traveller, word: string): string | undefined {
  switch (word.replace('ip6', 'ip')) {
    case 'ip saddr':
      return packet.source
    case 'ip daddr':
      return destination
    case 'meta l4proto':
      return packet.protocol
    case 'th dport':
      return destinationPort?.toString()
    default:
      return markText(mark)
  }
}
