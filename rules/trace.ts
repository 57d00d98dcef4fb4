/**
 * Walks a packet through a listing, as the kernel would. It reads the rules' text, so that it tells the truth about what
 * others changed, too.
 */
import { RulesError } from './error.ts'
import { cidrContains } from './family.ts'
import type { Chain, ChainName, Element, Listing, Protocol, SetName } from './model.ts'
import { setNames } from './names.ts'
import { readRule, readVerdict, type Field, type Statement, type Verdict } from './statements.ts'

/** The first packet of a connection. */
export interface Packet {
  /** Where it enters: from the wire or from a pod, or from a process of the node itself. */
  readonly hook: 'prerouting' | 'output'
  readonly source: string
  readonly destination: string
  readonly protocol: Protocol | 'icmp'
  /** Ports are absent for ICMP. */
  readonly sourcePort?: number
  readonly destinationPort?: number
}

/** A rule that matched, with the element that decided, where there was one. */
export interface Step {
  readonly chain: ChainName
  readonly rule: string
  readonly element?: Element & { readonly set: SetName }
}

export type Fate =
  /** Nothing was done to its destination. */
  | { readonly kind: 'passed' }
  | { readonly kind: 'translated'; readonly address: string; readonly port: number }
  | { readonly kind: 'refused'; readonly answer: 'tcp-reset' | 'port-unreachable' }
  | { readonly kind: 'dropped' }

export interface Journey {
  readonly packet: Packet
  readonly fate: Fate
  /** Whether the endpoint sees the node's address in place of the client's. */
  readonly masqueraded: boolean
  readonly steps: readonly Step[]
}

/**
 * One way of a packet through the chains, hook by hook in order of priority. Postrouting is left out where the packet ends on
 * the node itself, that is, at an address of the set `node-port-addresses`.
 * @param random from 0 up to but not including 1, asked once for each random choice
 * @throws RulesError RULES_UNREADABLE on a rule that the tracer does not know, met or not
 */
export function trace(listing: Listing, packet: Packet, random: () => number): Journey {
  return walk(listing, packet, (count) => Math.floor(random() * count))
}

/** Every way that the packet's random choice can take: one journey for each endpoint. Throws as `trace` does. */
export function outcomes(listing: Listing, packet: Packet): readonly Journey[] {
  let ways = 1
  const first = walk(listing, packet, (count) => {
    ways = Math.max(ways, count)
    return 0
  })
  return [first, ...Array.from({ length: ways - 1 }, (_, i) => walk(listing, packet, (count) => (i + 1) % count))]
}

interface Traveller {
  readonly listing: Listing
  readonly rules: (chain: ChainName) => Road
  readonly choose: (count: number) => number
  readonly packet: Packet
  destination: string
  destinationPort: number | undefined
  mark: number
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

function walk(listing: Listing, packet: Packet, choose: (count: number) => number): Journey {
  const roads = new Map([...listing.chains.values()].map((chain) => [chain.name, roadOf(chain)]))
  const bases = [...listing.chains.values()].flatMap((chain) => baseOf(chain) ?? [])
  bases.sort((a, b) => a.priority - b.priority)
  const traveller: Traveller = {
    listing,
    rules: (chain) => {
      const road = roads.get(chain)
      if (!road) throw new RulesError('RULES_UNREADABLE', `chain ${chain}: a verdict leads to it, but it is not in the listing`)
      return road
    },
    choose,
    packet,
    destination: packet.destination,
    destinationPort: packet.destinationPort,
    mark: 0,
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
  else if (endsHere(traveller)) end ??= through('input')
  else end ??= through('forward') ?? through('postrouting')
  if (end) return end
  if (!traveller.translated) return { kind: 'passed' }
  return { kind: 'translated', address: traveller.destination, port: traveller.destinationPort! }
}

function endsHere({ listing, destination }: Traveller): boolean {
  return listing.elements.get(setNames.nodePortAddresses)?.has(destination) ?? false
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
    const { end, element } = meet(traveller, statements)
    if (end === 'unmatched') continue
    traveller.steps.push({ chain, rule: text, ...(element && { element }) })
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

interface Meeting {
  readonly end: End | Leap | 'matched' | 'unmatched'
  readonly element?: Step['element']
}

const unmatched: Meeting = { end: 'unmatched' }

/** Statements from left to right, up to the first that does not match or that ends the rule. */
function meet(traveller: Traveller, statements: readonly Statement[]): Meeting {
  let element: Step['element']
  for (const statement of statements) {
    switch (statement.kind) {
      case 'in-set': {
        const found = lookUp(traveller, statement.set, statement.fields)
        if (found === 'no key' || (found !== undefined) === statement.negated) return unmatched
        element = found ?? element
        break
      }
      case 'new-connection':
        break
      case 'translated':
        if (!traveller.translated) return unmatched
        break
      case 'marked':
        if ((traveller.mark & statement.mask) === 0) return unmatched
        break
      case 'set-mark':
        traveller.mark = changedMark(traveller.mark, statement)
        break
      case 'verdict-map': {
        const found = lookUp(traveller, statement.map, statement.fields)
        if (found === 'no key' || found === undefined) return unmatched
        return { end: plainEnd(readVerdict(found.value ?? '')), element: found }
      }
      case 'translate': {
        const found = lookUp(traveller, statement.map, statement.fields)
        if (found === 'no key' || found === undefined) return unmatched
        const [address, port] = (found.value ?? '').split(' . ')
        Object.assign(traveller, { destination: address, destinationPort: Number(port), translated: true })
        return { end: 'changed', element: found }
      }
      case 'masquerade':
        traveller.masqueraded = true
        return { end: 'changed', element }
      case 'reject':
        if (statement.answer === 'tcp-reset' && traveller.packet.protocol !== 'tcp') return unmatched
        return { end: { kind: 'refused', answer: statement.answer }, element }
      case 'verdict':
        return { end: plainEnd(statement.verdict), element }
    }
  }
  return { end: 'matched', element }
}

function changedMark(mark: number, { operator, value }: Extract<Statement, { kind: 'set-mark' }>): number {
  if (operator === '|') return (mark | value) >>> 0
  return (operator === '^' ? mark ^ value : mark & value) >>> 0
}

function plainEnd(verdict: Verdict): Meeting['end'] {
  if (verdict.kind === 'goto' || verdict.kind === 'jump') return verdict
  return verdict.kind === 'drop' ? { kind: 'dropped' } : verdict.kind
}

/** The element under the packet's key; 'no key' if the packet lacks one of the fields. */
function lookUp(traveller: Traveller, set: SetName, fields: readonly Field[]): Step['element'] | 'no key' {
  const values = fields.map((field) => valueOf(traveller, field))
  if (values.includes(undefined)) return 'no key'
  const elements = traveller.listing.elements.get(set)
  if (!elements) throw new RulesError('RULES_UNREADABLE', `set ${set}: a rule names it, but it is not in the listing`)
  const key = values.join(' . ')
  const interval = traveller.listing.sets.get(set)?.type.includes('interval') ?? false
  const element = interval ? [...elements.values()].find((e) => cidrContains(e.key, key)) : elements.get(key)
  return element && { set, ...element }
}

function valueOf(traveller: Traveller, field: Field): string | undefined {
  switch (field.kind) {
    case 'source':
      return traveller.packet.source
    case 'destination':
      return traveller.destination
    case 'protocol':
      return traveller.packet.protocol
    case 'source-port':
      return traveller.packet.sourcePort?.toString()
    case 'destination-port':
      return traveller.destinationPort?.toString()
    case 'random':
      return String(traveller.choose(field.count))
  }
}

function roadOf(chain: Chain): Road {
  return chain.rules.map(({ text }) => ({ text, statements: readRule(text) }))
}

/** @throws RulesError RULES_UNREADABLE for a base chain whose words are not known */
function baseOf({ name, base }: Chain): BaseChain | undefined {
  if (base === undefined) return undefined
  const match = /^type (nat|filter|route) hook (\w+) priority (-?\d+); policy (accept|drop);$/.exec(base)
  if (!match) throw new RulesError('RULES_UNREADABLE', `chain ${name}: "${base}" is nothing that the tracer knows`)
  const [, type, hook, priority, policy] = match
  return { name, nat: type === 'nat', hook: hook!, priority: Number(priority), policy: policy as 'accept' | 'drop' }
}
