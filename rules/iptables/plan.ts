/**
 * NodeView and what the kernel holds, to the transaction between them. Only rules that change are written (`edit.ts`).
 * A pass over everything and a pass over one service are one path; they differ in which services are looked at and, after a
 * read-back, in what stands for "before".
 */
import { reseat, type Reseating } from '../ledger.ts'
import type { NodeConfig, NodeView, Problem, ServiceKey, ServiceView } from '../model.ts'
import type { ServiceRoutes } from '../routes.ts'
import type { Accepted, Owners, Plan } from './accepted.ts'
import { changeOf } from './edit.ts'
import { entriesOf, type Entry, type Node } from './entries.ts'
import { jumps, layoutOf } from './layout.ts'
import { tableNames, type HookName, type Listing, type Operation, type Rule, type TableName } from './model.ts'
import { partsOf, type Place } from './names.ts'
import { leadTo, parentOf } from './tree.ts'

/**
 * The transaction that takes the kernel from `accepted` to what `view` says.
 *
 * With a set of services it costs what those services cost, and the few that share chains with them, whatever the view holds.
 * With 'all', and always before the first commit, everything is compared.
 *
 * Pure: `accepted` is not altered.
 * @param changed services whose view may be another one than at the last commit, among them those that are gone
 */
export function plan(accepted: Accepted, view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>): Plan {
  const { family } = accepted
  const first = accepted.made === undefined
  const made = madeFor(accepted, view.config)
  const reseating = reseat(accepted.ledger, view, first ? 'all' : changed)
  const known: Index = { owners: (place) => accepted.owners.get(place), children: (place) => accepted.children.get(place) }
  const before = accepted.made && imageOf({ family, ...accepted.made }, askedBefore(accepted, reseating), known)
  const moves = createMoves(accepted)
  const after = imageOf({ family, ...made }, askedAfter(accepted, reseating), moves)

  for (const key of reseating.affected) moves.move(key, before?.entries(key) ?? [], after.entries(key))
  const touched = new Set([...moves.touched(), ...(made === accepted.made ? [] : made.layout.frames.keys())])
  const draft = first ? fromHeld(accepted.held, touched, after) : fromImage(before!, touched, after)
  const problems = [...(made === accepted.made ? [] : made.layout.problems), ...problemsOf(reseating)]

  return {
    ...(tableNames.some((table) => draft.operations[table].length > 0) && { transaction: { family, operations: draft.operations } }),
    services: first || changed === 'all' ? view.services.size : changed.size,
    elements: { added: draft.added, deleted: draft.deleted },
    problems,
    next: { version: accepted.version, made, reseating, ...moves.changes() },
  }
}

function madeFor(accepted: Accepted, config: NodeConfig): NonNullable<Accepted['made']> {
  return accepted.made?.config === config ? accepted.made : { config, layout: layoutOf(accepted.family, config) }
}

function problemsOf(reseating: Reseating): readonly Problem[] {
  return [...reseating.affected].flatMap((key) => reseating.after(key)?.problems ?? [])
}

/** What a service asks for, and what of it it gets; undefined for one that is not there. */
type Asked = (key: ServiceKey) => { readonly view: ServiceView; readonly routes: ServiceRoutes } | undefined

function askedBefore({ ledger }: Accepted, reseating: Reseating): Asked {
  return (key) => both(ledger.views.get(key), reseating.before(key))
}

function askedAfter({ ledger }: Accepted, reseating: Reseating): Asked {
  const { views } = reseating.next
  return (key) => both(views.has(key) ? views.get(key) : ledger.views.get(key), reseating.after(key))
}

function both(view: ServiceView | undefined, routes: ServiceRoutes | undefined): ReturnType<Asked> {
  return view && routes && { view, routes }
}

/** All rules as they are, or as they should be, made when they are asked for. */
interface Image {
  entries(key: ServiceKey): readonly Entry[]
  /** Undefined if there is no such chain. */
  rules(place: Place): readonly Rule[] | undefined
}

/** Who has rules in chains, and which chains lead to which. */
interface Index {
  owners(place: Place): Owners | undefined
  children(place: Place): ReadonlySet<Place> | undefined
}

function imageOf(node: Node, asked: Asked, index: Index): Image {
  const made = new Map<ServiceKey, readonly Entry[]>()
  const entries = (key: ServiceKey): readonly Entry[] => {
    let mine = made.get(key)
    if (!mine) {
      const found = asked(key)
      made.set(key, (mine = found ? entriesOf(node, found.view, found.routes) : []))
    }
    return mine
  }
  const leads = (place: Place): readonly Rule[] => [...(index.children(place) ?? [])].sort().map((child) => leadTo(node.family, child))
  return {
    entries,
    rules(place) {
      const frame = node.layout.frames.get(place)
      const leading = leads(place)
      if (frame) return [...frame.head, ...leading, ...frame.tail]
      const owners = index.owners(place)
      if (owners === undefined) return leading.length > 0 ? leading : undefined
      const mine = new Map<string, readonly Rule[]>()
      for (const key of each(owners)) for (const entry of entries(key)) if (entry.place === place) mine.set(entry.order, entry.rules)
      return [...mine].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, rules]) => rules)
    },
  }
}

/** Collects which services come to chains and leave them, and which chains come and go by it. */
function createMoves({ owners: known, children: knownChildren }: Accepted) {
  const moved = new Map<Place, Set<ServiceKey>>()
  const led = new Map<Place, Set<Place>>()
  const open = (place: Place): Set<ServiceKey> => {
    let owners = moved.get(place)
    if (!owners) moved.set(place, (owners = new Set(each(known.get(place)))))
    return owners
  }
  const openChildren = (place: Place): Set<Place> => {
    let children = led.get(place)
    if (!children) led.set(place, (children = new Set(knownChildren.get(place))))
    return children
  }
  const lead = (place: Place, isThere: boolean): void => {
    const parent = parentOf(place)
    if (parent === undefined) return
    const children = openChildren(parent)
    const before = children.size > 0
    if (isThere) children.add(place)
    else children.delete(place)
    if (before !== children.size > 0) lead(parent, children.size > 0)
  }
  return {
    owners(place: Place): Owners | undefined {
      const now = moved.get(place)
      if (!now) return known.get(place)
      return now.size > 0 ? now : undefined
    },
    children: (place: Place): ReadonlySet<Place> | undefined => led.get(place) ?? knownChildren.get(place),
    move(key: ServiceKey, before: readonly Entry[], after: readonly Entry[]): void {
      for (const { place } of before) open(place).delete(key)
      for (const { place } of after) open(place).add(key)
    },
    /** Chains with entries of services that moved, and those that lead to chains that come or go. To be asked once. */
    touched(): readonly Place[] {
      for (const [place, owners] of moved) if (known.has(place) !== owners.size > 0) lead(place, owners.size > 0)
      return [...moved.keys(), ...led.keys()]
    },
    changes: (): Pick<Plan['next'], 'owners' | 'children'> => ({
      owners: new Map([...moved].map(([place, now]) => [place, now.size === 0 ? undefined : now.size === 1 ? [...now][0]! : now])),
      children: led,
    }),
  }
}

function each(owners: Owners | undefined): Iterable<ServiceKey> {
  return owners === undefined ? [] : typeof owners === 'string' ? [owners] : owners
}

interface Draft {
  readonly operations: Readonly<Record<TableName, readonly Operation[]>>
  readonly added: number
  readonly deleted: number
}

function fromImage(before: Image, touched: ReadonlySet<Place>, after: Image): Draft {
  const draft = createDraft()
  for (const place of touched) draft.chain(place, before.rules(place), after.rules(place))
  return draft.finish()
}

function fromHeld(held: Listing | undefined, touched: ReadonlySet<Place>, after: Image): Draft {
  const draft = createDraft()
  const found = (place: Place): readonly Rule[] | undefined => {
    const { table, chain } = partsOf(place)
    return held?.[table].chains.get(chain)
  }
  for (const place of touched) draft.chain(place, found(place), after.rules(place))
  for (const table of tableNames) {
    const { chains, jumps: present } = held?.[table] ?? { chains: new Map<string, readonly Rule[]>(), jumps: new Map<HookName, readonly Rule[]>() }
    for (const [chain, rules] of chains) if (!touched.has(`${table} ${chain}`)) draft.chain(`${table} ${chain}`, rules, undefined)
    const wanted = jumps.get(table)!
    for (const [hook, rule] of wanted) draft.hook(table, hook, present.get(hook) ?? [], rule)
    for (const [hook, rules] of present) if (!wanted.has(hook)) draft.hook(table, hook, rules, undefined)
  }
  return draft.finish()
}

function createDraft() {
  const operations: Record<TableName, Operation[]> = { filter: [], nat: [] }
  let added = 0
  let deleted = 0
  return {
    chain(place: Place, before: readonly Rule[] | undefined, after: readonly Rule[] | undefined): void {
      const { table, chain } = partsOf(place)
      const operation = changeOf(chain, before, after)
      if (!operation) return
      const [old, now] = [new Set(before), new Set(after)]
      added += now.difference(old).size
      deleted += old.difference(now).size
      operations[table].push(operation)
    },
    /** One is wanted, or none. Its place among the rules of others is their business. */
    hook(table: TableName, hook: HookName, present: readonly Rule[], wanted: Rule | undefined): void {
      const keep = wanted === undefined ? -1 : present.indexOf(wanted)
      // A rule is deleted by its text, and of two alike the first goes.
      for (const [i, rule] of present.entries()) if (i !== keep) operations[table].push({ kind: 'delete-jump', hook, rule })
      if (wanted !== undefined && keep < 0) operations[table].push({ kind: 'add-jump', hook, rule: wanted })
      added += wanted !== undefined && keep < 0 ? 1 : 0
      deleted += present.length - (keep < 0 ? 0 : 1)
    },
    finish: (): Draft => ({ operations, added, deleted }),
  }
}
