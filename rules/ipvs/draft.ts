/**
 * From what is there to what should be there, as steps. IPVS, addresses and rules cannot change in one piece, so the order
 * decides what a packet may meet in between (some milliseconds):
 *
 * 1. rules: what guards and records new fronts; fronts that are closed from now on
 * 2. virtual servers and real servers that come
 * 3. addresses that come: a new virtual address gets packets only when all is ready for them
 * 4. rules: fronts that change from one treatment to another, and the marks of outsiders
 * 5. addresses that go
 * 6. real servers and virtual servers that go
 * 7. rules: what guarded and recorded the fronts that are gone
 *
 * So an endpoint that replaces another is there before that one leaves, and a virtual server of ours is on record for as long
 * as it exists, whenever the agent is killed.
 */
import { setNames as set, virtualOf } from './names.ts'
import type { Family } from '../model.ts'
import type { Element, Listing as Table, Operation as RuleOperation, PlacedElement, SetName } from '../nft/model.ts'
import { keyOf } from '../nft/names.ts'
import type { Content, Shared, WantedServer } from './content.ts'
import type { Layout } from './layout.ts'
import type { AddressOperation, Listing, RealKey, ServerOperation, Settings, Step, VirtualKey } from './model.ts'

/** Real servers with weight 0 that wait for the end of their connections. */
export type Draining = ReadonlyMap<VirtualKey, ReadonlySet<RealKey>>

export interface DraftDeps {
  readonly family: Family
  readonly layout: Layout
  /** Whether the table of rules is made anew. */
  readonly rebuild: boolean
  /** What was read, where that stands for "before". */
  readonly held?: Listing
  /** How many services need a shared thing, by its text. */
  readonly shares: ReadonlyMap<string, number>
  readonly draining: Draining
}

export interface Draft {
  readonly steps: readonly Step[]
  readonly added: number
  readonly deleted: number
  /** What is different from before; 0 for what nobody needs any more. */
  readonly shares: ReadonlyMap<string, number>
  /** The same; an empty set for what drains no longer. */
  readonly draining: Draining
}

export interface Drafting {
  change(before: Content, after: Content): void
  finish(): Draft
}

interface Held {
  readonly settings: Settings
  /** With what is known of each. */
  readonly reals: ReadonlyMap<RealKey, { readonly serves: boolean; readonly idle: boolean; readonly fits: boolean }>
}

export function createDraft(deps: DraftDeps): Drafting {
  const elements = { before: new Map<string, PlacedElement>(), after: new Map<string, PlacedElement>() }
  const servers = { before: new Map<VirtualKey, WantedServer>(), after: new Map<VirtualKey, WantedServer>() }
  const counts = new Map<string, { readonly shared: Shared; step: number }>()
  const count = (shared: Shared, step: 1 | -1): void => {
    const id = shareText(shared)
    const entry = counts.get(id)
    if (entry) entry.step += step
    else counts.set(id, { shared, step })
  }
  return {
    change(before, after) {
      for (const [content, side, step] of [[before, 'before', -1], [after, 'after', 1]] as const) {
        for (const element of content.elements) elements[side].set(elementText(element), element)
        for (const [key, server] of content.servers) servers[side].set(key, server)
        for (const shared of content.shared) count(shared, step)
      }
    },
    finish() {
      const { held } = deps
      const shares = new Map<string, number>()
      const addresses = { before: new Set(held?.addresses), after: new Set<string>() }
      for (const [id, { shared, step }] of counts) {
        const known = deps.shares.get(id) ?? 0
        if (step !== 0) shares.set(id, known + step)
        for (const [side, number] of [['before', known], ['after', known + step]] as const) {
          if (number <= 0) continue
          for (const element of sharedElements(shared)) elements[side].set(elementText(element), element)
          if (shared.kind === 'address') addresses[side].add(shared.address)
        }
      }
      for (const element of tableElements(held?.table, deps.layout)) elements.before.set(elementText(element), element)
      const rules = ruleSteps(deps, elements)
      const { grow, shrink, draining } = serverSteps(heldServers(deps, servers), servers.after, deps)
      const come: AddressOperation[] = difference(addresses.after, addresses.before).map((address) => ({ kind: 'add-address', address }))
      const go: AddressOperation[] = difference(addresses.before, addresses.after).map((address) => ({ kind: 'delete-address', address }))
      if (held && !held.device) come.unshift({ kind: 'add-device' })
      const steps = inOrder({ ...rules, grow, shrink, come, go })
      return { steps, ...tally(steps), shares, draining }
    },
  }
}

const elementText = ({ set: name, key }: PlacedElement): string => `${name} ${key}`
const shareText = ({ kind, address }: Shared): string => `${kind} ${address}`
const difference = (a: ReadonlySet<string>, b: ReadonlySet<string>): readonly string[] => [...a].filter((text) => !b.has(text))

function sharedElements({ kind, address }: Shared): readonly PlacedElement[] {
  return [kind === 'address' ? { set: set.addresses, key: address } : { set: set.hairpin, key: `${address} . ${address}` }]
}

/** What a read table has in the sets that services fill, where these are as we make them. */
function tableElements(table: Table | undefined, { sets }: Layout): readonly PlacedElement[] {
  return [...(table?.elements ?? [])].flatMap(([name, elements]) =>
    sets.has(name) && sets.get(name)!.type === table?.sets.get(name)?.type && name !== set.podRanges
      ? [...elements.values()].map((element) => ({ set: name, ...element }))
      : [],
  )
}

interface Sides<T> {
  readonly before: ReadonlyMap<string, T>
  readonly after: ReadonlyMap<string, T>
}

/** Elements of one rules step by what is done to them; what is deleted and added is replaced. */
interface Batch {
  readonly adds: PlacedElement[]
  readonly deletes: PlacedElement[]
}

function ruleSteps({ rebuild, layout }: DraftDeps, { before, after }: Sides<PlacedElement>) {
  const batches = { guard: emptyBatch(), turn: emptyBatch(), release: emptyBatch() }
  const { guard, turn, release } = batches
  for (const [id, element] of after) {
    const other = before.get(id)
    const same = other !== undefined && other.value === element.value && other.comment === element.comment
    if (same && !rebuild) continue
    // An outsider's mark leads somewhere only once its virtual server is there.
    const late = !same && (element.set === set.outsiders || (other !== undefined && element.value !== 'drop'))
    const batch = late && (!rebuild || element.set === set.outsiders) ? turn : guard
    batch.adds.push(element)
    if (other && !rebuild) batch.deletes.push(other)
  }
  for (const [id, element] of before) {
    if (after.has(id)) continue
    if (!rebuild) (element.set === set.outsiders ? turn : isNarrowed(element, after) ? guard : release).deletes.push(element)
    else if (element.set === set.services || element.set === set.marks) {
      // On record until it is gone.
      guard.adds.push(element.set === set.services ? { ...element, value: 'drop' } : element)
      release.deletes.push(element)
    }
  }
  const podRanges = layout.podRanges.map((element) => ({ set: set.podRanges, ...element }))
  const make = rebuild ? [...remake(layout), ...operationsOf({ adds: podRanges, deletes: [] })] : []
  return { guard: [...make, ...operationsOf(guard)], turn: operationsOf(turn), release: operationsOf(release) }
}

const emptyBatch = (): Batch => ({ adds: [], deletes: [] })

/** A source range that its front loses while it stays restricted: ranges may overlap, so old and new change places at once. */
function isNarrowed({ set: name, key }: PlacedElement, after: ReadonlyMap<string, PlacedElement>): boolean {
  return name === set.sourceRanges && after.has(`${set.restricted} ${key.slice(0, key.lastIndexOf(' . '))}`)
}

function remake({ chains, sets }: Layout): readonly RuleOperation[] {
  return [
    { kind: 'delete-table' },
    { kind: 'add-table' },
    ...[...sets.values()].map((declaration): RuleOperation => ({ kind: 'add-set', set: declaration })),
    ...[...chains.values()].map(({ name, base }): RuleOperation => ({ kind: 'add-chain', chain: name, ...(base !== undefined && { base }) })),
    ...[...chains.values()].flatMap(({ name, rules }) => rules.map((rule): RuleOperation => ({ kind: 'add-rule', chain: name, rule }))),
  ]
}

function operationsOf({ adds, deletes }: Batch): readonly RuleOperation[] {
  return [
    ...[...bySet(deletes)].map(([name, list]): RuleOperation => ({ kind: 'delete-elements', set: name, keys: list.map(({ key }) => key) })),
    ...[...bySet(adds)].map(([name, list]): RuleOperation => ({ kind: 'add-elements', set: name, elements: list.map(bare) })),
  ]
}

function bare({ key, value, comment }: PlacedElement): Element {
  return { key, ...(value !== undefined && { value }), ...(comment !== undefined && { comment }) }
}

function bySet(elements: readonly PlacedElement[]): ReadonlyMap<SetName, readonly PlacedElement[]> {
  return Map.groupBy(elements, (element) => element.set)
}

/** Virtual servers of ours as they were: as we made them, or as they were read. */
function heldServers({ held, draining }: DraftDeps, { before, after }: Sides<WantedServer>): ReadonlyMap<VirtualKey, Held> {
  if (!held) {
    return new Map([...before].map(([key, { settings, reals }]) => {
      const [serving, leaving] = [[...reals], [...(draining.get(key) ?? [])]]
      const known = [...serving.map((real) => ({ real, serves: true })), ...leaving.map((real) => ({ real, serves: false }))]
      return [key, { settings, reals: new Map(known.map(({ real, serves }) => [real, { serves, idle: false, fits: true }])) }]
    }))
  }
  // What a Service object asks for is ours by right, whoever made it.
  const ours = [...held.servers].filter(([key]) => after.has(key) || isRecorded(held, key))
  return new Map(ours.map(([key, { settings, reals }]) => [key, {
    settings,
    reals: new Map([...reals].map(([real, { weight, translated, connections }]) => [
      real, { serves: weight > 0, idle: connections === 0, fits: translated && weight <= 1 },
    ])),
  }]))
}

/** Other people's virtual servers are neither in our table nor at addresses that only our device has. */
export function isRecorded({ table, addresses }: Listing, key: VirtualKey): boolean {
  const virtual = virtualOf(key)
  if (virtual.kind === 'mark') return [...(table?.elements.get(set.marks)?.keys() ?? [])].some((text) => Number(text) === virtual.mark)
  const { address, protocol, port } = virtual
  return addresses.has(address) || (table?.elements.get(set.services)?.has(keyOf(address, protocol, port)) ?? false)
}

function serverSteps(before: ReadonlyMap<VirtualKey, Held>, after: ReadonlyMap<VirtualKey, WantedServer>, known: DraftDeps) {
  const grow: ServerOperation[] = []
  const shrink: ServerOperation[] = []
  const draining = new Map<VirtualKey, ReadonlySet<RealKey>>()
  for (const [virtual, { settings, reals, protocol }] of after) {
    const held = before.get(virtual)
    if (!held) grow.push({ kind: 'add-server', virtual, settings })
    else if (held.settings !== settings) grow.push({ kind: 'edit-server', virtual, settings })
    for (const real of reals) {
      const there = held?.reals.get(real)
      if (!there) grow.push({ kind: 'add-real', virtual, real, weight: 1 })
      else if (!there.serves || !there.fits) grow.push({ kind: 'edit-real', virtual, real, weight: 1 })
    }
    const leaving = new Set<RealKey>()
    for (const [real, { serves, idle }] of held?.reals ?? []) {
      if (reals.has(real)) continue
      // Of UDP and SCTP nothing can be lost that waiting would save; expire_nodest_conn moves the flows.
      if (protocol !== 'tcp' || idle) shrink.push({ kind: 'delete-real', virtual, real })
      else {
        leaving.add(real)
        if (serves) shrink.push({ kind: 'edit-real', virtual, real, weight: 0 })
      }
    }
    if (leaving.size > 0 || known.draining.has(virtual)) draining.set(virtual, leaving)
  }
  for (const virtual of before.keys()) {
    if (after.has(virtual)) continue
    shrink.push({ kind: 'delete-server', virtual })
    if (known.draining.has(virtual)) draining.set(virtual, new Set())
  }
  return { grow, shrink, draining }
}

interface Parts {
  readonly guard: readonly RuleOperation[]
  readonly turn: readonly RuleOperation[]
  readonly release: readonly RuleOperation[]
  readonly grow: readonly ServerOperation[]
  readonly shrink: readonly ServerOperation[]
  readonly come: readonly AddressOperation[]
  readonly go: readonly AddressOperation[]
}

function inOrder({ guard, grow, come, turn, go, shrink, release }: Parts): readonly Step[] {
  // With nothing in between, what comes and what goes is one run of the tool.
  const whole = come.length + turn.length + go.length === 0
  const steps: readonly Step[] = [
    { kind: 'rules', operations: guard },
    { kind: 'servers', operations: whole ? [...grow, ...shrink] : grow },
    { kind: 'addresses', operations: come },
    { kind: 'rules', operations: turn },
    { kind: 'addresses', operations: go },
    { kind: 'servers', operations: whole ? [] : shrink },
    { kind: 'rules', operations: release },
  ]
  return steps.filter(({ operations }) => operations.length > 0)
}

function tally(steps: readonly Step[]): Pick<Draft, 'added' | 'deleted'> {
  let added = 0
  let deleted = 0
  for (const step of steps)
    for (const operation of step.operations) {
      if (operation.kind === 'add-elements') added += operation.elements.length
      else if (operation.kind === 'delete-elements') deleted += operation.keys.length
      else if (operation.kind === 'add-server' || operation.kind === 'add-real' || operation.kind === 'add-address') added++
      else if (operation.kind === 'edit-server' || operation.kind === 'edit-real') {
        added++
        deleted++
      } else if (step.kind !== 'rules' && operation.kind !== 'add-device') deleted++
    }
  return { added, deleted }
}

