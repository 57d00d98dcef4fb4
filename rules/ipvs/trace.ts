/**
 * Walks a packet through what the kernel holds, as the kernel would: rules around IPVS, virtual servers, rules again. It reads
 * the rules' text, so that it tells the truth about what others changed, too.
 */
import { RulesError } from '../error.ts'
import type { ChainName, Listing as Table } from '../nft/model.ts'
import type { Fate, Host, Journey, Outcomes, Packet, Step } from '../packet.ts'
import type { Listing } from './model.ts'
import { socketOf, virtualKey } from './names.ts'
import { readRule, type Outcome, type Statement, type Traveller } from './statements.ts'

/** Every way that IPVS's choice can take: one journey for each real server that takes new connections. */
export const outcomes: Outcomes<Listing> = (listing, host, packet) => {
  let ways = 1
  const choose = (count: number): number => {
    ways = count
    return 0
  }
  const first = walk({ listing, host, packet, choose })
  return [first, ...Array.from({ length: ways - 1 }, (_, i) => walk({ listing, host, packet, choose: () => i + 1 }))]
}

interface Start {
  readonly listing: Listing
  readonly host: Host
  readonly packet: Packet
  /** Asked at most once. */
  readonly choose: (count: number) => number
}

interface BaseChain {
  readonly name: ChainName
  readonly hook: string
  readonly priority: number
  readonly drops: boolean
}

interface Walk extends Traveller {
  readonly listing: Listing
  readonly choose: Start['choose']
  readonly rules: ReadonlyMap<ChainName, readonly { readonly text: string; readonly statements: readonly Statement[] }[]>
  readonly bases: readonly BaseChain[]
}

const noTable: Table = { chains: new Map(), sets: new Map(), elements: new Map() }

function walk({ listing, host, packet, choose }: Start): Journey {
  const { table = noTable } = listing
  const chains = [...table.chains.values()]
  const owned = new Set([...host.addresses, ...listing.addresses, ...listing.hostAddresses])
  const traveller: Walk = {
    listing, choose, packet, table,
    isLocal: (address) => owned.has(address),
    rules: new Map(chains.map(({ name, rules }) => [name, rules.map((text) => ({ text, statements: readRule(text) }))])),
    bases: chains.flatMap(({ name, base }) => (base === undefined ? [] : baseOf(name, base))).sort((a, b) => a.priority - b.priority),
    destination: packet.destination,
    destinationPort: packet.destinationPort,
    mark: 0,
    masqueraded: false,
    steps: [],
  }
  const fate = packet.hook === 'output' ? leave(traveller) : arrive(traveller)
  return { packet, fate, masqueraded: traveller.masqueraded, steps: traveller.steps }
}

/** Of the step in which IPVS chose a real server. */
export const serverPlace = 'virtual server'

/** Where IPVS stands among the chains of a hook. */
const place = { input: 98.5, output: -98.5 } as const

function arrive(traveller: Walk): Fate {
  if (!traveller.isLocal(traveller.destination)) return through(traveller, 'forward') ?? through(traveller, 'postrouting') ?? { kind: 'passed' }
  const stopped = through(traveller, 'input', -Infinity, place.input)
  if (stopped) return stopped
  const served = serve(traveller)
  if (served?.kind === 'refused') return served
  // An endpoint on this very host gets the packet at once; any other one gets it by way of output and postrouting.
  if (!served || traveller.isLocal(traveller.destination)) return through(traveller, 'input', place.input) ?? served ?? { kind: 'passed' }
  return through(traveller, 'output') ?? through(traveller, 'postrouting') ?? served
}

function leave(traveller: Walk): Fate {
  const stopped = through(traveller, 'output', -Infinity, place.output)
  if (stopped) return stopped
  const served = serve(traveller)
  if (served?.kind === 'refused') return served
  if (served) {
    const from = traveller.isLocal(traveller.destination) ? place.output : -Infinity
    return through(traveller, 'output', from) ?? through(traveller, 'postrouting') ?? served
  }
  const end = through(traveller, 'output', place.output) ?? through(traveller, 'postrouting')
  // To an address of the host itself it comes back, by the loopback device.
  return end ?? (traveller.isLocal(traveller.destination) ? arrive(traveller) : { kind: 'passed' })
}

/** What IPVS does; undefined if the packet is none of its business. A virtual server by mark comes before those by address. */
function serve(traveller: Walk): Extract<Fate, { kind: 'translated' | 'refused' }> | undefined {
  const { listing, packet, mark, destination, destinationPort: port } = traveller
  if (packet.protocol === 'icmp' || port === undefined) return undefined
  const keys = [virtualKey({ kind: 'mark', mark }), virtualKey({ kind: 'address', address: destination, protocol: packet.protocol, port })]
  const key = keys.find((some) => listing.servers.has(some))
  if (key === undefined) return undefined
  const { settings, reals } = listing.servers.get(key)!
  const serving = [...reals].filter(([, { weight }]) => weight > 0).map(([real]) => real)
  const real = serving[serving.length > 1 ? traveller.choose(serving.length) : 0]
  traveller.steps.push({ place: serverPlace, text: `${key} ${settings}${real === undefined ? '' : ` -> ${real}`}` })
  if (real === undefined) return { kind: 'refused', answer: 'port-unreachable' }
  const chosen = socketOf(real)
  Object.assign(traveller, { destination: chosen.address, destinationPort: chosen.port })
  return { kind: 'translated', ...chosen }
}

/** The chains of a hook between two priorities; undefined if the packet goes on. */
function through(traveller: Walk, hook: string, from = -Infinity, to = Infinity): Fate | undefined {
  for (const { name, drops } of traveller.bases.filter((base) => base.hook === hook && from < base.priority && base.priority < to)) {
    const end = follow(traveller, name)
    if (typeof end === 'object') return end
    if (drops && end === 'return') return { kind: 'dropped' }
  }
  return undefined
}

type End = Fate | 'changed' | 'accept' | 'return'

function follow(traveller: Walk, chain: ChainName): End {
  const rules = traveller.rules.get(chain)
  if (!rules) throw new RulesError('RULES_UNREADABLE', `chain ${chain}: a verdict leads to it, but it is not in the listing`)
  for (const { text, statements } of rules) {
    const found: Step[] = []
    const end = meet(traveller, statements, found)
    if (end === 'unmatched') continue
    traveller.steps.push({ place: chain, text }, ...found)
    if (end === 'on') continue
    if (typeof end === 'string' || !('chain' in end)) return end
    const inner = follow(traveller, end.chain)
    if (end.kind === 'goto' || inner !== 'return') return inner
  }
  return 'return'
}

/** Statements from left to right, up to the first that does not match or that ends the rule. */
function meet(traveller: Walk, statements: readonly Statement[], found: Step[]): Outcome {
  for (const statement of statements) {
    const outcome = statement(traveller, found)
    if (outcome !== 'on') return outcome
  }
  return 'on'
}

/** @throws RulesError RULES_UNREADABLE for a base chain whose words are not known */
function baseOf(name: ChainName, base: string): BaseChain {
  const match = /^type (?:nat|filter|route) hook (\w+) priority (-?\d+); policy (accept|drop);$/.exec(base)
  if (!match) throw new RulesError('RULES_UNREADABLE', `chain ${name}: "${base}" is nothing that the tracer knows`)
  const [, hook, priority, policy] = match
  return { name, hook: hook!, priority: Number(priority), drops: policy === 'drop' }
}
