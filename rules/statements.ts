/** Rule text into statements, for the tracer. Knows what the skeleton writes and little more; anything else is an error. */
import { RulesError } from './error.ts'
import type { ChainName, SetName } from './model.ts'

export type Field =
  | { readonly kind: 'source' }
  | { readonly kind: 'destination' }
  | { readonly kind: 'protocol' }
  | { readonly kind: 'source-port' }
  | { readonly kind: 'destination-port' }
  /** A random number from 0 to count - 1. */
  | { readonly kind: 'random'; readonly count: number }

export type Statement =
  | { readonly kind: 'in-set'; readonly fields: readonly Field[]; readonly negated: boolean; readonly set: SetName }
  | { readonly kind: 'new-connection' }
  | { readonly kind: 'translated' }
  | { readonly kind: 'marked'; readonly mask: number }
  | { readonly kind: 'set-mark'; readonly operator: '|' | '^' | '&'; readonly value: number }
  | { readonly kind: 'verdict-map'; readonly fields: readonly Field[]; readonly map: SetName }
  | { readonly kind: 'translate'; readonly fields: readonly Field[]; readonly map: SetName }
  | { readonly kind: 'masquerade' }
  | { readonly kind: 'reject'; readonly answer: 'tcp-reset' | 'port-unreachable' }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'goto' | 'jump'; readonly chain: ChainName }

const field = '(?:ip6? [sd]addr|meta l4proto|th [sd]port|numgen random mod [1-9]\\d*)'
const fields = `(${field}(?: \\. ${field})*)`
const name = '([\\w./\\\\-]+)'
const mask = '(0x[0-9a-f]+)'

interface Form {
  readonly pattern: RegExp
  readonly statement: (words: readonly string[]) => Statement
}

const form = (pattern: string, statement: Form['statement']): Form => ({ pattern: new RegExp(`^${pattern}(?: |$)`), statement })

const forms: readonly Form[] = [
  form(`dnat ip6? to ${fields} map @${name}`, ([key, map]) => ({ kind: 'translate', fields: fieldsOf(key!), map: map! })),
  form(`${fields} vmap @${name}`, ([key, map]) => ({ kind: 'verdict-map', fields: fieldsOf(key!), map: map! })),
  form(`${fields} (!= )?@${name}`, ([key, not, set]) => ({
    kind: 'in-set', fields: fieldsOf(key!), negated: not !== undefined, set: set!,
  })),
  form('ct state new', () => ({ kind: 'new-connection' })),
  form('ct status dnat', () => ({ kind: 'translated' })),
  form(`meta mark & ${mask} != 0x0+`, ([bits]) => ({ kind: 'marked', mask: Number(bits) })),
  form(`meta mark set meta mark ([|^&]) ${mask}`, ([operator, value]) => ({
    kind: 'set-mark', operator: operator as '|' | '^' | '&', value: Number(value),
  })),
  form('masquerade(?: fully-random)?', () => ({ kind: 'masquerade' })),
  form('reject with tcp reset', () => ({ kind: 'reject', answer: 'tcp-reset' })),
  form('reject(?: with icmp(?:v6)?(?: type)? port-unreachable)?', () => ({ kind: 'reject', answer: 'port-unreachable' })),
  form('(accept|drop|return|(?:goto|jump) \\S+)', ([text]) => ({ kind: 'verdict', verdict: readVerdict(text!) })),
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

/** @throws RulesError RULES_UNREADABLE */
export function readVerdict(text: string): Verdict {
  const [kind, chain] = text.split(' ')
  if ((kind === 'goto' || kind === 'jump') && chain !== undefined) return { kind, chain }
  if (kind === 'accept' || kind === 'drop' || kind === 'return') return { kind }
  throw new RulesError('RULES_UNREADABLE', `verdict "${text}" is none that the tracer knows`)
}

const plainFields: Readonly<Record<string, Field>> = {
  'ip saddr': { kind: 'source' },
  'ip6 saddr': { kind: 'source' },
  'ip daddr': { kind: 'destination' },
  'ip6 daddr': { kind: 'destination' },
  'meta l4proto': { kind: 'protocol' },
  'th sport': { kind: 'source-port' },
  'th dport': { kind: 'destination-port' },
}

function fieldsOf(text: string): readonly Field[] {
  const random = (word: string): Field => ({ kind: 'random', count: Number(word.slice(word.lastIndexOf(' ') + 1)) })
  return text.split(' . ').map((word) => plainFields[word] ?? random(word))
}
