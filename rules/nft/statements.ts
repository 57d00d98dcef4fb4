/** Rule text into statements, for the tracer. Knows what the layout writes and little more; anything else is an error. */
import { RulesError } from '../error.ts'
import type { ChainName, SetName } from './model.ts'

/** A part of a key, or what is compared. */
export type Field =
  | { readonly kind: 'source' | 'destination' | 'protocol' | 'source-port' | 'destination-port' | 'input-interface' }
  /** The address that stands for every address. */
  | { readonly kind: 'any-destination'; readonly address: string }
  | { readonly kind: 'priority'; readonly mask: number }
  /** A random number from 0 to count - 1. */
  | { readonly kind: 'random'; readonly count: number }

export type Statement =
  | { readonly kind: 'in-set'; readonly fields: readonly Field[]; readonly negated: boolean; readonly set: SetName }
  /** The text of an address, a range or an interface, the latter perhaps with `*` at its end. */
  | { readonly kind: 'compare'; readonly field: Field; readonly negated: boolean; readonly value: string }
  | { readonly kind: 'local'; readonly field: Field }
  | { readonly kind: Plain }
  | { readonly kind: 'marked'; readonly mask: number }
  | { readonly kind: 'set-mark'; readonly operator: '|' | '^' | '&'; readonly value: number }
  | { readonly kind: 'mask-priority'; readonly mask: number }
  | { readonly kind: 'look-up-priority'; readonly fields: readonly Field[]; readonly map: SetName }
  | { readonly kind: 'remember' | 'forget'; readonly map: SetName; readonly fields: readonly Field[] }
  | { readonly kind: 'translate'; readonly fields: readonly Field[]; readonly map: SetName }
  | { readonly kind: 'reject'; readonly answer: 'tcp-reset' | 'port-unreachable' }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }

/** Statements of one meaning only. */
type Plain = 'new-connection' | 'invalid' | 'translated' | 'counter' | 'masquerade' | 'clear-priority'

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'goto' | 'jump'; readonly chain: ChainName }

const classID = '[0-9a-f]+:[0-9a-f]+'
const field =
  `(?:ip daddr & 0\\.0\\.0\\.0|ip6 daddr & ::|ip6? [sd]addr|@nh,96,96|meta l4proto|th [sd]port|numgen random mod [1-9]\\d*|meta priority & ${classID}|meta priority)`
const fields = `(${field}(?: \\. ${field})*)`
const name = '([\\w./\\\\-]+)'
const mask = '(0x[0-9a-f]+)'

interface Form {
  readonly pattern: RegExp
  readonly statement: (words: readonly string[]) => Statement
}

const form = (pattern: string, statement: Form['statement']): Form => ({ pattern: new RegExp(`^${pattern}(?: |$)`), statement })
const plain = (pattern: string, kind: Plain): Form => form(pattern, () => ({ kind }))

const forms: readonly Form[] = [
  form(`dnat ip6? to ${fields} map @${name}`, ([key, map]) => ({ kind: 'translate', fields: fieldsOf(key!), map: map! })),
  form(`meta priority set ${fields} map @${name}`, ([key, map]) => ({ kind: 'look-up-priority', fields: fieldsOf(key!), map: map! })),
  form(`meta priority set meta priority & (${classID})`, ([bits]) => ({ kind: 'mask-priority', mask: classNumber(bits!) })),
  plain('meta priority set none', 'clear-priority'),
  form(`update @${name} \\{ ${fields} timeout \\w+ : meta priority \\}`, ([map, key]) => ({ kind: 'remember', map: map!, fields: fieldsOf(key!) })),
  form(`delete @${name} \\{ ${fields} : meta priority \\}`, ([map, key]) => ({ kind: 'forget', map: map!, fields: fieldsOf(key!) })),
  form(`${fields} (!= )?@${name}`, ([key, not, set]) => ({
    kind: 'in-set', fields: fieldsOf(key!), negated: not !== undefined, set: set!,
  })),
  form('fib ([sd])addr type local', ([which]) => ({ kind: 'local', field: { kind: which === 's' ? 'source' : 'destination' } })),
  form('iifname (!= )?"([^"]+)"', ([not, value]) => ({
    kind: 'compare', field: { kind: 'input-interface' }, negated: not !== undefined, value: value!,
  })),
  form('ip6? ([sd])addr (!= )?([0-9a-f.:/]+)', ([which, not, value]) => ({
    kind: 'compare', field: { kind: which === 's' ? 'source' : 'destination' }, negated: not !== undefined, value: value!,
  })),
  plain('ct state new', 'new-connection'),
  plain('ct state invalid', 'invalid'),
  plain('ct status dnat', 'translated'),
  plain('counter(?: packets \\d+ bytes \\d+)?', 'counter'),
  form('meta mark != 0x0+/1', () => ({ kind: 'marked', mask: 0x80000000 })),
  form(`meta mark & ${mask} != 0x0+`, ([bits]) => ({ kind: 'marked', mask: Number(bits) })),
  form(`meta mark set meta mark ([|^&]) ${mask}`, ([operator, value]) => ({
    kind: 'set-mark', operator: operator as '|' | '^' | '&', value: Number(value),
  })),
  plain('masquerade(?: fully-random)?', 'masquerade'),
  form('reject with tcp reset', () => ({ kind: 'reject', answer: 'tcp-reset' })),
  form('reject(?: with icmp(?:v6)?(?: type)? port-unreachable)?', () => ({ kind: 'reject', answer: 'port-unreachable' })),
  form('(accept|drop|return|(?:goto|jump) \\S+)', ([text]) => ({ kind: 'verdict', verdict: verdictOf(text!) })),
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

/** `1:2001`, as nft prints a class ID; `none` is 0. */
export function classNumber(text: string): number {
  const [major = '0', minor = '0'] = text === 'none' ? [] : text.split(':')
  return Number.parseInt(major, 16) * 0x10000 + Number.parseInt(minor, 16)
}

function verdictOf(text: string): Verdict {
  const [kind, chain] = text.split(' ')
  return chain === undefined ? { kind: kind as 'accept' | 'drop' | 'return' } : { kind: kind as 'goto' | 'jump', chain }
}

const plainFields: Readonly<Record<string, Field>> = {
  'ip saddr': { kind: 'source' },
  'ip6 saddr': { kind: 'source' },
  '@nh,96,96': { kind: 'source' },
  'ip daddr': { kind: 'destination' },
  'ip6 daddr': { kind: 'destination' },
  'ip daddr & 0.0.0.0': { kind: 'any-destination', address: '0.0.0.0' },
  'ip6 daddr & ::': { kind: 'any-destination', address: '::' },
  'meta l4proto': { kind: 'protocol' },
  'th sport': { kind: 'source-port' },
  'th dport': { kind: 'destination-port' },
  'meta priority': { kind: 'priority', mask: 0xffffffff },
}

function fieldsOf(text: string): readonly Field[] {
  const last = (word: string): string => word.slice(word.lastIndexOf(' ') + 1)
  return text.split(' . ').map((word) => {
    const known = plainFields[word]
    if (known) return known
    return word.startsWith('meta priority') ? { kind: 'priority', mask: classNumber(last(word)) } : { kind: 'random', count: Number(last(word)) }
  })
}
