/** What the text of a rule says: its matches from left to right, and its target. */
import { RulesError } from '../error.ts'

export type Match =
  | { readonly kind: 'address'; readonly side: 'source' | 'destination'; readonly address: string; readonly mask: string | undefined; readonly negated: boolean }
  | { readonly kind: 'interface'; readonly name: string; readonly negated: boolean }
  | { readonly kind: 'protocol'; readonly protocol: string }
  | { readonly kind: 'port'; readonly first: number; readonly last: number }
  | { readonly kind: 'local'; readonly side: 'source' | 'destination' }
  | { readonly kind: 'state'; readonly states: readonly string[]; readonly negated: boolean }
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  /** Rules with a probability choose; `one` of so many, roughly. */
  | { readonly kind: 'chance' }
  /** Whether a client is remembered. */
  | { readonly kind: 'recall'; readonly list: string }
  | { readonly kind: 'remember'; readonly list: string }

export type Target =
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'return' | 'accept' | 'drop' | 'reject' | 'masquerade' }
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  | { readonly kind: 'translate'; readonly address: string; readonly port: number }
  | { readonly kind: 'none' }

export interface Statement {
  readonly matches: readonly Match[]
  readonly target: Target
}

/** @throws RulesError RULES_UNREADABLE for words that this mode does not use */
export function readRule(text: string): Statement {
  const words = createWords(text)
  const matches: Match[] = []
  let target: Target = { kind: 'none' }
  while (words.more()) {
    const negated = words.skip('!')
    const word = words.next()
    if (word === '-j' || word === '-g') target = readTarget(words, word)
    else {
      const match = readMatch(words, word, negated)
      if (match) matches.push(match)
    }
  }
  return { matches, target }
}

interface Words {
  more(): boolean
  next(): string
  skip(word: string): boolean
  fail(): never
}

function createWords(text: string): Words {
  const list = text.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []
  let at = 0
  const fail = (): never => {
    throw new RulesError('RULES_UNREADABLE', `rule "${text}": nothing that the tracer knows at "${list.slice(Math.max(0, at - 1)).join(' ')}"`)
  }
  return {
    more: () => at < list.length,
    next: () => list[at++] ?? fail(),
    skip: (word) => list[at] === word && ++at > 0,
    fail,
  }
}

function readMatch(words: Words, word: string, negated: boolean): Match | undefined {
  const positive = <M extends Match>(match: M): M => (negated ? words.fail() : match)
  switch (word) {
    case '-s':
    case '-d': {
      const [address = '', mask] = words.next().split('/')
      return { kind: 'address', side: word === '-s' ? 'source' : 'destination', address, mask, negated }
    }
    case '-i':
      return { kind: 'interface', name: words.next(), negated }
    case '-p':
      return positive({ kind: 'protocol', protocol: words.next() })
    case '--dport': {
      const [first, last = first] = words.next().split(':').map(Number)
      return positive({ kind: 'port', first: first!, last: last! })
    }
    case '--src-type':
    case '--dst-type':
      if (words.next() !== 'LOCAL') words.fail()
      return positive({ kind: 'local', side: word === '--src-type' ? 'source' : 'destination' })
    case '--ctstate':
      return { kind: 'state', states: words.next().split(','), negated }
    case '--mark':
      return positive({ kind: 'mark', ...numbers(words.next()) })
    case '-m':
      return readExtension(words)
    default:
      return words.fail()
  }
}

const plainExtensions: ReadonlySet<string> = new Set(['tcp', 'udp', 'sctp', 'addrtype', 'conntrack', 'mark'])

function readExtension(words: Words): Match | undefined {
  const name = words.next()
  if (plainExtensions.has(name)) return undefined
  if (name === 'comment') {
    if (!words.skip('--comment')) words.fail()
    words.next()
    return undefined
  }
  if (name === 'statistic') {
    if (!words.skip('--mode') || !words.skip('random') || !words.skip('--probability')) words.fail()
    words.next()
    return { kind: 'chance' }
  }
  return name === 'recent' ? readRecent(words) : words.fail()
}

function readRecent(words: Words): Match {
  const recalls = words.skip('--update')
  if (recalls) {
    if (!words.skip('--seconds')) words.fail()
    words.next()
    if (!words.skip('--reap')) words.fail()
  } else if (!words.skip('--set')) words.fail()
  if (!words.skip('--name')) words.fail()
  const list = words.next()
  if (!words.skip('--mask')) words.fail()
  words.next()
  if (!words.skip('--rsource')) words.fail()
  return { kind: recalls ? 'recall' : 'remember', list }
}

function readTarget(words: Words, verb: '-j' | '-g'): Target {
  const name = words.next()
  switch (name) {
    case 'RETURN':
    case 'ACCEPT':
    case 'DROP':
      return { kind: name.toLowerCase() as 'return' | 'accept' | 'drop' }
    case 'REJECT':
      if (!words.skip('--reject-with') || !words.next().endsWith('port-unreachable')) words.fail()
      return { kind: 'reject' }
    case 'MARK':
      if (!words.skip('--set-xmark')) words.fail()
      return { kind: 'mark', ...numbers(words.next()) }
    case 'MASQUERADE':
      words.skip('--random-fully')
      return { kind: 'masquerade' }
    case 'DNAT': {
      if (!words.skip('--to-destination')) words.fail()
      const [, address, port] = /^\[?([0-9a-f.:]+?)\]?:(\d+)$/.exec(words.next()) ?? words.fail()
      return { kind: 'translate', address: address!, port: Number(port) }
    }
    default:
      return { kind: verb === '-j' ? 'jump' : 'goto', chain: name }
  }
}

function numbers(text: string): { readonly value: number; readonly mask: number } {
  const [value, mask = 0xffffffff] = text.split('/').map(Number)
  return { value: value!, mask }
}
