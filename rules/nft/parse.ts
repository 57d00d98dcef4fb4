/** The text of `nft list table` back into a `Listing`. */
import { RulesError } from '../error.ts'
import type { Family } from '../model.ts'
import { isDynamic, protocolNames } from './bytes.ts'
import type { Chain, ChainName, Element, ElementKey, Listing, Rule, SetDeclaration, SetName } from './model.ts'

/**
 * Reads one table as `nft list table` prints it, with or without handles (`-a`) and with numeric or named priorities and
 * protocols. Rules are kept as they stand, known or not; objects that are neither chain, set nor map are passed over, and so
 * are counters, and what packets put into dynamic sets.
 * Linear in the length of the text.
 * @throws RulesError RULES_UNREADABLE, with the line, if the text has no table or ends in the middle of one
 */
export function parse(text: string): Listing {
  const lines = readerOf(text)
  for (;;) {
    const line = lines.next()
    if (line === undefined) throw new RulesError('RULES_UNREADABLE', 'listing: no table in it')
    if (/^table \S+ \S+ \{$/.test(line)) break
  }
  const chains = new Map<ChainName, Chain>()
  const sets = new Map<SetName, SetDeclaration>()
  const elements = new Map<SetName, ReadonlyMap<ElementKey, Element>>()
  for (;;) {
    const line = lines.need()
    if (line === '}') return { chains, sets, elements }
    const block = /^(\w+) (\S+) \{$/.exec(line)
    if (!block) continue
    const [, kind, name] = block as unknown as readonly [string, string, string]
    if (kind === 'chain') chains.set(name, readChain(lines, name))
    else if (kind === 'set' || kind === 'map') {
      const { set, members } = readSet(lines, kind, name)
      sets.set(name, set)
      elements.set(name, members)
    } else while (lines.need() !== '}');
  }
}

/** One table, out of what `nft list ruleset` prints; undefined if there is none of this name. */
export function tableIn(ruleset: string, family: Family, name: string): string | undefined {
  const [head, end] = [`table ${family} ${name} {\n`, '\n}\n']
  const start = ruleset.startsWith(head) ? 0 : ruleset.indexOf(`\n${head}`) + 1
  if (start === 0 && !ruleset.startsWith(head)) return undefined
  const last = ruleset.indexOf(end, start)
  return ruleset.slice(start, last < 0 ? undefined : last + end.length)
}

interface Reader {
  /** The next line that is not empty, trimmed and without its handle; undefined at the end. */
  next(): string | undefined
  /** The same, where the text must not end. */
  need(): string
  /** From here to the closing brace: comma-separated elements, which may stand on several lines. */
  elements(): Generator<Element>
  fail(why: string): RulesError
}

/** One element up to the comma or brace that ends it; within quotes these do not count. */
const elementPattern = /((?:[^",}]+|"[^"]*")*)([,}])/y
const commentPattern = / comment "([^"]*)"/
const counterPattern = / counter(?: packets \d+ bytes \d+)?/

const elementsStart = 'elements = {'

function readerOf(text: string): Reader {
  let at = 0
  const next = (): string | undefined => {
    while (at < text.length) {
      const start = at
      const end = text.indexOf('\n', at)
      const line = text.slice(start, end < 0 ? text.length : end).trim()
      at = end < 0 ? text.length : end + 1
      // The first elements stand in the same line: hand out its start and stay there.
      if (line.startsWith(elementsStart)) {
        at = text.indexOf(elementsStart, start) + elementsStart.length
        return elementsStart
      }
      if (line !== '') return line.replace(/ # handle \d+$/, '')
    }
    return undefined
  }
  const fail = (why: string): RulesError => {
    const line = text.slice(0, at).split('\n').length
    return new RulesError('RULES_UNREADABLE', `listing, line ${line}: ${why}`)
  }
  return {
    next,
    need() {
      const line = next()
      if (line === undefined) throw fail('the text ends in the middle of a table')
      return line
    },
    *elements() {
      for (;;) {
        elementPattern.lastIndex = at
        const match = elementPattern.exec(text)
        if (!match) throw fail('an element has no end')
        at = elementPattern.lastIndex
        yield elementOf(match[1]!.trim())
        if (match[2] === '}') return
      }
    },
    fail,
  }
}

/** `key`, `key : value`, each perhaps with a counter and a comment behind the key. */
function elementOf(text: string): Element {
  const comment = text.includes('"') ? commentPattern.exec(text)?.[1] : undefined
  const plain = comment === undefined ? text : text.replace(commentPattern, '')
  const bare = plain.includes(' counter') ? plain.replace(counterPattern, '') : plain
  const colon = bare.indexOf(' : ')
  return {
    key: colon < 0 ? bare : bare.slice(0, colon),
    ...(colon >= 0 && { value: bare.slice(colon + 3) }),
    ...(comment !== undefined && { comment }),
  }
}

interface ReadSet {
  readonly set: SetDeclaration
  readonly members: ReadonlyMap<ElementKey, Element>
}

function readSet(lines: Reader, kind: 'set' | 'map', name: SetName): ReadSet {
  const declared: string[] = []
  const members = new Map<ElementKey, Element>()
  const declaration = (): SetDeclaration => ({ name, kind, type: declared.map((line) => `${line};`).join(' ') })
  for (;;) {
    const line = lines.need()
    if (line === '}') break
    if (line === elementsStart) {
      const set = declaration()
      const named = protocolNamer(set.type)
      const passedOver = isDynamic(set)
      for (const element of lines.elements()) {
        if (passedOver) continue
        const key = named(element.key)
        members.set(key, key === element.key ? element : { ...element, key })
      }
    } else declared.push(line)
  }
  return { set: declaration(), members }
}

/** Where the host has no /etc/protocols, nft prints numbers in keys; the names are canonical. */
function protocolNamer(type: string): (key: ElementKey) => ElementKey {
  const fields = type.replace(/^type(of)? /, '').split(/ : |;/)[0]!.split(' . ')
  const place = fields.findIndex((field) => field === 'inet_proto' || field === 'meta l4proto')
  if (place < 0) return (key) => key
  return (key) => {
    const values = key.split(' . ')
    const name = protocolNames[Number(values[place])]
    return name === undefined ? key : values.with(place, name).join(' . ')
  }
}

function readChain(lines: Reader, name: ChainName): Chain {
  const rules: Rule[] = []
  let base: string | undefined
  for (;;) {
    const line = lines.need()
    if (line === '}') break
    if (line.startsWith('type ') && line.includes(' hook ')) base = canonicalBase(line)
    else if (!line.startsWith('comment "')) rules.push(wholeRule(lines, line))
  }
  return { name, ...(base !== undefined && { base }), rules }
}

/** A rule with a long anonymous set stands on several lines. */
function wholeRule(lines: Reader, first: string): string {
  let text = first
  while (braces(text, '{') > braces(text, '}')) text += ` ${lines.need()}`
  return text
}

function braces(text: string, which: string): number {
  return text.replace(/"[^"]*"/g, '').split(which).length - 1
}

const priorities: Readonly<Record<string, number>> = {
  raw: -300, mangle: -150, dstnat: -100, filter: 0, security: 50, srcnat: 100,
}

/** `priority dstnat + 10` becomes `priority -90`: versions of nft differ in where they print names. */
function canonicalBase(line: string): string {
  return line.replace(/priority ([a-z]+)(?: ([+-]) (\d+))?;/, (whole, name: string, sign?: string, offset?: string) => {
    const named = priorities[name]
    return named === undefined ? whole : `priority ${named + Number(`${sign ?? '+'}${offset ?? 0}`)};`
  })
}
