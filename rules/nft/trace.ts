/**
 * Walks a packet through a listing, as the kernel would. It reads the rules' text, so that it tells the truth about what
 * others changed, too.
 */
import { cidrContains } from '../address.ts'
import { RulesError } from '../error.ts'
import type { Fate, Host, Journey, Packet, Step } from '../packet.ts'
import { classId } from './affinity.ts'
import type { Chain, ChainName, Element, Listing, SetName } from './model.ts'
import { classNumber, readRule, type Field, type Statement } from './statements.ts'

/** What dynamic maps have learned: by map and key, the value. A journey may add to it. */
export type Memory = Map<string, string>

export interface Circumstances {
  /** From 0 up to but not including 1; asked once for each random choice. */
  readonly random: () => number
  readonly memory?: Memory
}

/**
 * One way of a packet through the chains, hook by hook in order of priority. Postrouting is left out where the packet ends on
 * the node itself.
 * @throws RulesError RULES_UNREADABLE on a rule that the tracer does not know, met or not
 */
export function trace(listing: Listing, host: Host, packet: Packet, { random, memory }: Circumstances): Journey {
  return walk({ listing, host, packet, choose: (count) => Math.floor(random() * count), memory: memory ?? new Map() })
}

/** Every way that the packet's random choice can take: one journey for each slot. Throws as `trace` does. */
export function outcomes(listing: Listing, host: Host, packet: Packet): readonly Journey[] {
  let ways = 1
  const take = (choice: number): Journey =>
    walk({ listing, host, packet, choose: (count) => choice % count, memory: new Map(), onChoice: (count) => (ways = Math.max(ways, count)) })
  const first = take(0)
  return [first, ...Array.from({ length: ways - 1 }, (_, i) => take(i + 1))]
}

interface Start {
  readonly listing: Listing
  readonly host: Host
  readonly packet: Packet
  readonly choose: (count: number) => number
  readonly memory: Memory
  /** Told when there is something to choose from. */
  readonly onChoice?: (count: number) => void
}

interface Traveller extends Start {
  readonly rules: (chain: ChainName) => Road
  destination: string
  destinationPort: number | undefined
  mark: number
  priority: number
  translated: boolean
  masqueraded: boolean
  readonly steps: Step[]
}

type Road = readonly { readonly text: string; readonly statements: readonly Statement[] }[]

interface BaseChain {
  readonly name: ChainName
  readonly nat: boolean
  readonly hook: string
  readonly priority: number
  readonly policy: 'accept' | 'drop'
}

function walk(start: Start): Journey {
  const { listing, packet } = start
  const roads = new Map([...listing.chains.values()].map((chain) => [chain.name, roadOf(chain)]))
  const bases = [...listing.chains.values()].flatMap((chain) => baseOf(chain) ?? [])
  bases.sort((a, b) => a.priority - b.priority)
  const traveller: Traveller = {
    ...start,
    rules: (chain) => {
      const road = roads.get(chain)
      if (!road) throw new RulesError('RULES_UNREADABLE', `chain ${chain}: a verdict leads to it, but it is not in the listing`)
      return road
    },
    destination: packet.destination,
    destinationPort: packet.destinationPort,
    mark: 0,
    priority: 0,
    translated: false,
    masqueraded: false,
    steps: [],
  }
  const fate = pass(traveller, bases)
  return { packet, fate, masqueraded: traveller.masqueraded, steps: traveller.steps }
}

function pass(traveller: Traveller, bases: readonly BaseChain[]): Fate {
  const through = (hook: string): Fate | undefined => passHook(traveller, bases.filter((base) => base.hook === hook))
  let end = through(traveller.packet.hook)
  if (traveller.packet.hook === 'output') end ??= through('postrouting')
  else if (traveller.host.addresses.includes(traveller.destination)) end ??= through('input')
  else end ??= through('forward') ?? through('postrouting')
  if (end) return end
  if (!traveller.translated) return { kind: 'passed' }
  return { kind: 'translated', address: traveller.destination, port: traveller.destinationPort! }
}

/** Undefined if the packet goes on. The first NAT chain of a hook that changes the packet is the last one it meets there. */
function passHook(traveller: Traveller, bases: readonly BaseChain[]): Fate | undefined {
  let changed = false
  for (const base of bases) {
    if (base.nat && changed) continue
    const end = follow(traveller, base.name)
    if (end === 'changed') changed = true
    else if (end === 'accept') continue
    else if (end !== 'return') return end
    else if (base.policy === 'drop') return { kind: 'dropped' }
  }
  return undefined
}

type End = Fate | 'accept' | 'return' | 'changed'

function follow(traveller: Traveller, chain: ChainName): End {
  for (const { text, statements } of traveller.rules(chain)) {
    const { end, elements } = meet(traveller, statements)
    if (end === 'unmatched') continue
    traveller.steps.push({ place: chain, text }, ...elements.map(({ set, key, value }) => ({ place: set, text: value === undefined ? key : `${key} : ${value}` })))
    if (end === 'matched') continue
    if (!isLeap(end)) return end
    const inner = follow(traveller, end.chain)
    if (end.kind === 'goto' || inner !== 'return') return inner
  }
  return 'return'
}

/** Another chain is to be followed. */
interface Leap {
  readonly kind: 'goto' | 'jump'
  readonly chain: ChainName
}

function isLeap(end: End | Leap): end is Leap {
  return typeof end === 'object' && (end.kind === 'goto' || end.kind === 'jump')
}

type Found = Element & { readonly set: SetName }

interface Meeting {
  readonly end: End | Leap | 'matched' | 'unmatched'
  readonly elements: readonly Found[]
}

/** Statements from left to right, up to the first that does not match or that ends the rule. */
function meet(traveller: Traveller, statements: readonly Statement[]): Meeting {
  const elements: Found[] = []
  for (const statement of statements) {
    const end = matches(traveller, statement, elements) ? effect(traveller, statement, elements) : 'unmatched'
    if (end !== undefined) return { end, elements }
  }
  return { end: 'matched', elements }
}

/** Whether the rule goes on at this statement; elements that were found are noted. */
function matches(traveller: Traveller, statement: Statement, elements: Found[]): boolean {
  switch (statement.kind) {
    case 'in-set': {
      const found = lookUp(traveller, statement.set, statement.fields)
      if (found === 'no key') return false
      if (found) elements.push(found)
      return (found !== undefined) !== statement.negated
    }
    case 'look-up-priority':
    case 'translate': {
      tellChoice(traveller, statement)
      const found = lookUp(traveller, statement.map, statement.fields)
      if (found === 'no key' || found === undefined) return false
      elements.push(found)
      return true
    }
    case 'compare': {
      const value = valueOf(traveller, statement.field)
      return value !== undefined && isLike(statement.value, value) !== statement.negated
    }
    case 'local':
      return traveller.host.addresses.includes(valueOf(traveller, statement.field)!)
    case 'translated':
      return traveller.translated
    case 'invalid':
      return false
    case 'marked':
      return (traveller.mark & statement.mask) !== 0
    case 'reject':
      return statement.answer !== 'tcp-reset' || traveller.packet.protocol === 'tcp'
    case 'new-connection':
    case 'counter':
    case 'masquerade':
    case 'clear-priority':
    case 'mask-priority':
    case 'set-mark':
    case 'remember':
    case 'forget':
    case 'verdict':
      return true
  }
}

/** A random number is a choice where at least one of its slots leads anywhere. */
function tellChoice(traveller: Traveller, { fields, map }: { readonly fields: readonly Field[]; readonly map: SetName }): void {
  const random = fields.find((field) => field.kind === 'random')
  if (!random || !traveller.onChoice) return
  const slot = (i: number): Traveller => ({ ...traveller, choose: () => i })
  const leads = (i: number): boolean => typeof lookUp(slot(i), map, fields) === 'object'
  if (Array.from({ length: random.count }, (_, i) => i).some(leads)) traveller.onChoice(random.count)
}

/** What a statement that matched does; undefined if the rule goes on. */
function effect(traveller: Traveller, statement: Statement, elements: readonly Found[]): Meeting['end'] | undefined {
  const value = elements.at(-1)?.value ?? ''
  switch (statement.kind) {
    case 'set-mark':
      traveller.mark = changedMark(traveller.mark, statement)
      return undefined
    case 'look-up-priority':
      traveller.priority = classNumber(value)
      return undefined
    case 'mask-priority':
      traveller.priority = (traveller.priority & statement.mask) >>> 0
      return undefined
    case 'clear-priority':
      traveller.priority = 0
      return undefined
    case 'remember':
      traveller.memory.set(memoryKey(traveller, statement), classId(traveller.priority))
      return undefined
    case 'forget':
      traveller.memory.delete(memoryKey(traveller, statement))
      return undefined
    case 'translate': {
      const [address, port] = value.split(' . ')
      Object.assign(traveller, { destination: address, destinationPort: Number(port), translated: true })
      return 'changed'
    }
    case 'masquerade':
      traveller.masqueraded = true
      return 'changed'
    case 'reject':
      return { kind: 'refused', answer: statement.answer }
    case 'verdict': {
      const { verdict } = statement
      if (verdict.kind === 'goto' || verdict.kind === 'jump') return verdict
      return verdict.kind === 'drop' ? { kind: 'dropped' } : verdict.kind
    }
    case 'in-set':
    case 'compare':
    case 'local':
    case 'new-connection':
    case 'invalid':
    case 'translated':
    case 'marked':
    case 'counter':
      return undefined
  }
}

function changedMark(mark: number, { operator, value }: Extract<Statement, { kind: 'set-mark' }>): number {
  if (operator === '|') return (mark | value) >>> 0
  return (operator === '^' ? mark ^ value : mark & value) >>> 0
}

function memoryKey(traveller: Traveller, { map, fields }: { readonly map: SetName; readonly fields: readonly Field[] }): string {
  return `${map} ${keyOf(traveller, fields)}`
}

function keyOf(traveller: Traveller, fields: readonly Field[]): string | undefined {
  const values = fields.map((field) => valueOf(traveller, field))
  return values.includes(undefined) ? undefined : values.join(' . ')
}

/** The element under the packet's key; 'no key' if the packet lacks one of the fields. */
function lookUp(traveller: Traveller, set: SetName, fields: readonly Field[]): Found | undefined | 'no key' {
  const key = keyOf(traveller, fields)
  if (key === undefined) return 'no key'
  const { listing, memory } = traveller
  const elements = listing.elements.get(set)
  if (!elements) throw new RulesError('RULES_UNREADABLE', `set ${set}: a rule names it, but it is not in the listing`)
  const learned = memory.get(`${set} ${key}`)
  if (learned !== undefined) return { set, key, value: learned }
  const interval = listing.sets.get(set)?.type.includes('interval') ?? false
  const element = interval ? [...elements.values()].find((e) => isInside(e.key, key)) : elements.get(key)
  return element && { set, ...element }
}

/** Field by field: each is equal, or a range that contains the other. */
function isInside(ranges: string, key: string): boolean {
  const values = key.split(' . ')
  return ranges.split(' . ').every((range, i) => range === values[i] || cidrContains(range, values[i]!))
}

function isLike(pattern: string, value: string): boolean {
  if (pattern.endsWith('*')) return value.startsWith(pattern.slice(0, -1))
  return pattern === value || cidrContains(pattern, value)
}

function valueOf(traveller: Traveller, field: Field): string | undefined {
  switch (field.kind) {
    case 'source':
      return traveller.packet.source
    case 'destination':
      return traveller.destination
    case 'any-destination':
      return field.address
    case 'protocol':
      return traveller.packet.protocol
    case 'source-port':
      return traveller.packet.sourcePort?.toString()
    case 'destination-port':
      return traveller.destinationPort?.toString()
    case 'input-interface':
      return traveller.packet.inputInterface
    case 'priority':
      return classId((traveller.priority & field.mask) >>> 0)
    case 'random':
      return String(traveller.choose(field.count))
  }
}

function roadOf(chain: Chain): Road {
  return chain.rules.map((text) => ({ text, statements: readRule(text) }))
}

/** @throws RulesError RULES_UNREADABLE for a base chain whose words are not known */
function baseOf({ name, base }: Chain): BaseChain | undefined {
  if (base === undefined) return undefined
  const match = /^type (nat|filter|route) hook (\w+) priority (-?\d+); policy (accept|drop);$/.exec(base)
  if (!match) throw new RulesError('RULES_UNREADABLE', `chain ${name}: "${base}" is nothing that the tracer knows`)
  const [, type, hook, priority, policy] = match
  return { name, nat: type === 'nat', hook: hook!, priority: Number(priority), policy: policy as 'accept' | 'drop' }
}
