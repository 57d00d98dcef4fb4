/**
 * Walks a packet through our part of the tables, as the kernel would. It reads the rules' text, so that it tells the truth
 * about what others changed there, too; rules of others are not followed.
 */
import { cidrContains } from '../address.ts'
import { RulesError } from '../error.ts'
import type { Fate, Host, Journey, Packet, Step } from '../packet.ts'
import type { ChainName, HookName, Listing, Rule, TableName } from './model.ts'
import { readRule, type Match, type Statement, type Target } from './statements.ts'

/**
 * One journey for each rule that chance can choose. Nobody is remembered. Postrouting is left out where the packet ends on the
 * node itself.
 * @throws RulesError RULES_UNREADABLE on a rule that the tracer does not know, if the packet meets it
 */
export function outcomes(listing: Listing, host: Host, packet: Packet): readonly Journey[] {
  const journeys: Journey[] = []
  const read = createReader()
  /** How the rules with a probability are to end; beyond its end, they match. */
  const scripts: (readonly boolean[])[] = [[]]
  for (let script = scripts.pop(); script; script = scripts.pop()) {
    const taken: boolean[] = []
    const given = script
    const choose = (): boolean => {
      const choice = given[taken.length] ?? true
      if (taken.length >= given.length) scripts.push([...taken, false])
      taken.push(choice)
      return choice
    }
    journeys.push(walk({ listing, host, packet, read, choose }))
  }
  return journeys
}

interface Start {
  readonly listing: Listing
  readonly host: Host
  readonly packet: Packet
  readonly read: (rule: Rule) => Statement
  readonly choose: () => boolean
}

interface Traveller extends Start {
  destination: string
  destinationPort: number | undefined
  mark: number
  translated: boolean
  masqueraded: boolean
  readonly steps: Step[]
}

function createReader(): (rule: Rule) => Statement {
  const known = new Map<Rule, Statement>()
  return (rule) => {
    let statement = known.get(rule)
    if (!statement) known.set(rule, (statement = readRule(rule)))
    return statement
  }
}

function walk(start: Start): Journey {
  const { packet, host } = start
  const { destination, destinationPort } = packet
  const traveller: Traveller = { ...start, destination, destinationPort, mark: 0, translated: false, masqueraded: false, steps: [] }
  const through = (table: TableName, hook: HookName): Fate | undefined => passHook(traveller, table, hook)
  const outward = packet.hook === 'output'
  const end =
    through('nat', outward ? 'OUTPUT' : 'PREROUTING') ??
    (outward
      ? (through('filter', 'OUTPUT') ?? through('nat', 'POSTROUTING'))
      : host.addresses.includes(traveller.destination)
        ? through('filter', 'INPUT')
        : (through('filter', 'FORWARD') ?? through('nat', 'POSTROUTING')))
  return { packet, fate: end ?? fateOf(traveller), masqueraded: traveller.masqueraded, steps: traveller.steps }
}

function fateOf({ translated, destination, destinationPort }: Traveller): Fate {
  return translated ? { kind: 'translated', address: destination, port: destinationPort! } : { kind: 'passed' }
}

/** Undefined if the packet goes on. */
function passHook(traveller: Traveller, table: TableName, hook: HookName): Fate | undefined {
  const end = follow(traveller, { table, name: hook, rules: traveller.listing[table].jumps.get(hook) ?? [] })
  return typeof end === 'object' ? end : undefined
}

/** `changed`: the packet was given another address, and so is done with this hook of the nat table. */
type End = Fate | 'accept' | 'return' | 'changed'

interface Road {
  readonly table: TableName
  readonly name: ChainName
  readonly rules: readonly Rule[]
}

function follow(traveller: Traveller, { table, name, rules }: Road): End {
  for (const rule of rules) {
    const { matches, target } = traveller.read(rule)
    if (!matches.every((match) => isMet(traveller, match))) continue
    traveller.steps.push({ place: `${table} ${name}`, text: rule })
    if (isLeap(target)) {
      const inner = follow(traveller, roadTo(traveller, table, target.chain))
      if (target.kind === 'goto' || inner !== 'return') return inner
      continue
    }
    const end = effect(traveller, target)
    if (end !== undefined) return end
  }
  return 'return'
}

function roadTo({ listing }: Traveller, table: TableName, name: ChainName): Road {
  const rules = listing[table].chains.get(name)
  if (!rules) throw new RulesError('RULES_UNREADABLE', `chain ${name}: a rule of table ${table} leads to it, but it is none of ours`)
  return { table, name, rules }
}

function isMet(traveller: Traveller, match: Match): boolean {
  const { packet, host } = traveller
  const addressAt = (side: 'source' | 'destination'): string => (side === 'source' ? packet.source : traveller.destination)
  switch (match.kind) {
    case 'address':
      return isInside(addressAt(match.side), match.address, match.mask) !== match.negated
    case 'interface':
      return isNamed(match.name, packet.inputInterface ?? '') !== match.negated
    case 'protocol':
      return packet.protocol === match.protocol
    case 'port':
      return traveller.destinationPort !== undefined && match.first <= traveller.destinationPort && traveller.destinationPort <= match.last
    case 'local':
      return host.addresses.includes(addressAt(match.side))
    case 'state':
      return match.states.some((state) => state === 'NEW' || (state === 'DNAT' && traveller.translated)) !== match.negated
    case 'mark':
      return (traveller.mark & match.mask) >>> 0 === match.value
    case 'chance':
      return traveller.choose()
    case 'recall':
      return false
    case 'remember':
      return true
  }
}

type Leap = Extract<Target, { readonly chain: string }>
type Effect = Exclude<Target, Leap>

function isLeap(target: Target): target is Leap {
  return target.kind === 'jump' || target.kind === 'goto'
}

function effect(traveller: Traveller, target: Effect): End | undefined {
  switch (target.kind) {
    case 'return':
    case 'accept':
      return target.kind
    case 'drop':
      return { kind: 'dropped' }
    case 'reject':
      return { kind: 'refused', answer: 'port-unreachable' }
    case 'mark':
      traveller.mark = ((traveller.mark & ~target.mask) ^ target.value) >>> 0
      return undefined
    case 'translate':
      Object.assign(traveller, { destination: target.address, destinationPort: target.port, translated: true })
      return 'changed'
    case 'masquerade':
      traveller.masqueraded = true
      return 'changed'
    case 'none':
      return undefined
  }
}

function isNamed(pattern: string, name: string): boolean {
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

/** A mask is a length, or an address whose bits need not stand together. */
function isInside(address: string, base: string, mask: string | undefined): boolean {
  if (address.includes(':') !== base.includes(':')) return false
  if (mask === undefined || /^\d+$/.test(mask)) return cidrContains(mask === undefined ? base : `${base}/${mask}`, address)
  const [at, from, bits] = [address, base, mask].map(lastBits) as [number, number, number]
  return (at & bits) === from
}

/** Masks that are no length are over the last sixteen bits here (see tree.ts). */
function lastBits(text: string): number {
  if (text.includes(':')) return Number.parseInt(text.slice(text.lastIndexOf(':') + 1) || '0', 16)
  const [, , third, fourth] = text.split('.')
  return Number(third) * 256 + Number(fourth)
}
