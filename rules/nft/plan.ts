/**
 * NodeView and what the kernel holds, to the transaction between them. A pass over everything and a pass over one service
 * are one path; they differ in which services are looked at and, after a read-back, in what stands for "before".
 */
import { reseat } from '../ledger.ts'
import type { NodeConfig, NodeView, Problem, ServiceKey } from '../model.ts'
import type { Accepted, Plan, Share } from './accepted.ts'
import { elementsOf, excesses, isShared } from './elements.ts'
import { extensionParts, layoutOf, type Layout } from './layout.ts'
import type { Element, ElementKey, Listing, Operation, PlacedElement, SetName } from './model.ts'
import { extensionOf } from './names.ts'
import { fits } from './fits.ts'

/**
 * The transaction that takes the kernel from `accepted` to what `view` says.
 *
 * With a set of services it costs what those services cost, whatever the view holds. With 'all', and always before the first
 * commit, everything is compared. Elements are repaired one by one. Where a chain, a rule or a set is not as it should be, the
 * table is deleted and made anew in the same transaction: no packet meets the time between.
 *
 * Pure: `accepted` is not altered.
 * @param changed services whose view may be another one than at the last commit, among them those that are gone
 */
export function plan(accepted: Accepted, view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>): Plan {
  const { family, held } = accepted
  const first = accepted.made === undefined
  const made = madeFor(accepted, view.config)
  const rebuild = first ? held === undefined || !fits(held, made.layout) : !sameStructure(accepted.made!.layout, made.layout)
  const reseating = reseat(accepted.ledger, view, first ? 'all' : changed)
  const fresh = first || rebuild
  const draft = createDraft(rebuild || !first ? undefined : held, fresh ? new Map() : accepted.shares)

  const problems: Problem[] = made === accepted.made ? [] : [...made.layout.problems]
  for (const key of rebuild ? view.services.keys() : reseating.affected) {
    const before = fresh ? undefined : reseating.before(key)
    const after = reseating.after(key)
    draft.change(before ? elementsOf(family, key, before) : nothing, after ? elementsOf(family, key, after) : nothing)
    if (after) problems.push(...after.problems, ...excesses(key, after))
  }
  if (made !== accepted.made || rebuild) draft.change(fresh ? nothing : configured(accepted.made!.layout), configured(made.layout))
  const steps = draft.finish()
  const extensions = extensionsFor(steps.adds, rebuild ? none : first ? new Set(held?.sets.keys()) : accepted.extensions)
  const operations = [...(rebuild ? remake(made.layout, held !== undefined || !first) : []), ...extend(made.layout, extensions), ...steps.operations]

  return {
    ...(operations.length > 0 && { transaction: { family, operations } }),
    services: fresh || changed === 'all' ? view.services.size : changed.size,
    elements: { added: steps.added, deleted: steps.deleted },
    problems,
    next: {
      version: accepted.version,
      rebuild: fresh,
      made,
      reseating,
      extensions: first && !rebuild ? new Set([...extensions, ...extensionsIn(held!)]) : extensions,
      shares: steps.shares,
    },
  }
}

const nothing: readonly PlacedElement[] = []
const none: ReadonlySet<SetName> = new Set()

function madeFor(accepted: Accepted, config: NodeConfig): NonNullable<Accepted['made']> {
  return accepted.made?.config === config ? accepted.made : { config, layout: layoutOf(accepted.family, config) }
}

function sameStructure(a: Layout, b: Layout): boolean {
  return [...a.chains.values()].every(({ name, rules }) => {
    const others = b.chains.get(name)!.rules
    return rules.length === others.length && rules.every((rule, i) => rule === others[i])
  })
}

function configured(layout: Layout): readonly PlacedElement[] {
  return [...layout.elements].flatMap(([set, elements]) => elements.map((element) => ({ set, ...element })))
}

/** Most shared elements are wanted by one service alone, and lead to nothing. */
const sole: Share = Object.freeze({ count: 1, value: undefined })

interface Steps {
  readonly operations: readonly Operation[]
  readonly adds: ReadonlySet<SetName>
  readonly added: number
  readonly deleted: number
  readonly shares: ReadonlyMap<string, Share>
}

/** Collects what changes, element by element. An element whose value or comment differs is deleted and added. */
function createDraft(held: Listing | undefined, known: ReadonlyMap<string, Share>) {
  const adds = new Map<SetName, Element[]>()
  const deletes = new Map<SetName, ElementKey[]>()
  /** Of a read-back: what is wanted. The rest goes. */
  const seen = new Map<SetName, Set<ElementKey>>()
  const shared = new Map<string, { readonly element: PlacedElement; step: number; value: string | undefined }>()

  const remove = ({ set, key }: PlacedElement): void => void listed(deletes, set).push(key)
  const add = (element: PlacedElement): void => {
    const { set, key, value, comment } = element
    const found = held?.elements.get(set)?.get(key)
    if (found) {
      let keys = seen.get(set)
      if (!keys) seen.set(set, (keys = new Set()))
      keys.add(key)
      if (found.value === value && found.comment === comment) return
      remove(element)
    }
    listed(adds, set).push({ key, ...(value !== undefined && { value }), ...(comment !== undefined && { comment }) })
  }
  const share = (element: PlacedElement, step: 1 | -1): void => {
    const id = `${element.set} ${element.key}`
    const change = shared.get(id)
    if (!change) shared.set(id, { element, step, value: step > 0 ? element.value : undefined })
    else {
      change.step += step
      if (step > 0) change.value = element.value
    }
  }

  return {
    change(before: readonly PlacedElement[], after: readonly PlacedElement[]): void {
      const old = new Map<string, PlacedElement>()
      for (const element of before) {
        if (isShared(element.set)) share(element, -1)
        else old.set(`${element.set} ${element.key}`, element)
      }
      for (const element of after) {
        if (isShared(element.set)) {
          share(element, 1)
          continue
        }
        const id = old.size === 0 ? '' : `${element.set} ${element.key}`
        const other = old.get(id)
        old.delete(id)
        if (other && other.value === element.value && other.comment === element.comment) continue
        if (other) remove(other)
        add(element)
      }
      for (const element of old.values()) remove(element)
    },

    finish(): Steps {
      const shares = new Map<string, Share>()
      for (const [id, { element, step, value }] of shared) {
        const before = known.get(id)
        const count = (before?.count ?? 0) + step
        const now = value ?? before?.value
        if (before && before.value === now && before.count === count) continue
        shares.set(id, count === 1 && now === undefined ? sole : { count, value: now })
        const { set, key } = element
        if (before && (count === 0 || before.value !== now)) remove(element)
        if (count > 0 && (!before || before.value !== now)) add({ set, key, ...(now !== undefined && { value: now }) })
      }
      for (const [set, elements] of held?.elements ?? []) {
        const wanted = seen.get(set)
        for (const key of elements.keys()) if (!wanted?.has(key)) listed(deletes, set).push(key)
      }
      const operations = [
        ...[...deletes].map(([set, keys]): Operation => ({ kind: 'delete-elements', set, keys })),
        ...[...adds].map(([set, elements]): Operation => ({ kind: 'add-elements', set, elements })),
      ]
      return { operations, adds: new Set(adds.keys()), added: total(adds), deleted: total(deletes), shares }
    },
  }
}

function listed<V>(lists: Map<SetName, V[]>, set: SetName): V[] {
  const found = lists.get(set)
  if (found) return found
  const made: V[] = []
  lists.set(set, made)
  return made
}

function total(lists: ReadonlyMap<SetName, readonly unknown[]>): number {
  return [...lists.values()].reduce((sum, list) => sum + list.length, 0)
}

function extensionsFor(adds: ReadonlySet<SetName>, present: ReadonlySet<SetName>): ReadonlySet<SetName> {
  return new Set([...adds].filter((name) => extensionOf(name) !== undefined && !present.has(name)))
}

function extensionsIn({ sets }: Listing): readonly SetName[] {
  return [...sets.keys()].filter((name) => extensionOf(name) !== undefined)
}

/** What leads to something comes after it. nft types `dnat … map @endpoints-3` only where the map is made with the rule. */
function extend({ family }: Layout, extensions: ReadonlySet<SetName>): readonly Operation[] {
  const parts = [...extensions].map((name) => extensionParts(family, extensionOf(name)!))
  return [
    ...parts.map(({ set }): Operation => ({ kind: 'add-set', set })),
    ...parts.flatMap(({ rules }) => rules.map(([chain, rule]): Operation => ({ kind: 'add-rule', chain, rule }))),
  ]
}

function remake({ chains, sets }: Layout, present: boolean): readonly Operation[] {
  return [
    ...(present ? [{ kind: 'delete-table' } as const] : []),
    { kind: 'add-table' },
    ...[...sets.values()].map((set): Operation => ({ kind: 'add-set', set })),
    ...[...chains.values()].map(({ name, base }): Operation => ({ kind: 'add-chain', chain: name, ...(base !== undefined && { base }) })),
    ...[...chains.values()].flatMap(({ name, rules }) => rules.map((rule): Operation => ({ kind: 'add-rule', chain: name, rule }))),
  ]
}
