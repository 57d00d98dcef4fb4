/** What changes in the table's sets, as services change one after the other, collected into as few operations as it takes. */
import type { Share } from './accepted.ts'
import { createDigestSum, type Digest } from './digest.ts'
import { slotElement, type Placement, type Slots } from './elements.ts'
import { elementOf, type Element, type ElementKey, type Listing, type Operation, type PlacedElement, type SetName } from './model.ts'

export interface Draft {
  /** A service, or the configuration, wants something else than before. */
  change(before: Placement, after: Placement): void
  finish(): Steps
}

export interface Steps {
  readonly operations: readonly Operation[]
  /** Sets to which something is added. */
  readonly adds: ReadonlySet<SetName>
  readonly added: number
  readonly deleted: number
  /** Shared elements that are wanted by others than before. */
  readonly shares: ReadonlyMap<string, Share>
  /** Of all elements that are wanted now. */
  readonly digest: Digest
}

/** What a draft begins with. */
export interface Beginning {
  /** Of a read-back: what is not wanted goes, and everything that is wanted has to be named. */
  readonly held: Listing | undefined
  /** Who wants which shared element up to now. */
  readonly shares: ReadonlyMap<string, Share>
  /** Of the elements that were wanted up to now. */
  readonly digest: Digest
}

export function createDraft(beginning: Beginning): Draft {
  const edits = createEdits(beginning)
  const shares = createShares(edits, beginning.shares)
  return {
    change(before, after) {
      for (const element of before.shared) shares.take(element, -1)
      for (const element of after.shared) shares.take(element, 1)
      changeOwn(edits, before.own, after.own)
      changeAllSlots(edits, before.slots, after.slots)
    },
    finish() {
      const changed = shares.finish()
      return { ...edits.finish(), shares: changed }
    },
  }
}

/** An element whose value or comment differs is deleted and added. */
function createEdits({ held, digest }: Pick<Beginning, 'held' | 'digest'>) {
  const adds = new Map<SetName, Element[]>()
  const deletes = new Map<SetName, ElementKey[]>()
  /** Of a read-back: what is wanted, each once. */
  const seen = new Map<SetName, ElementKey[]>()
  const sum = createDigestSum(digest)
  /** Of what was wanted, as it was. */
  const remove = (element: PlacedElement): void => {
    sum.remove(element)
    listed(deletes, element.set).push(element.key)
  }
  const add = (element: PlacedElement): void => {
    const { set, key, value, comment } = element
    sum.add(element)
    const found = held?.elements.get(set)?.get(key)
    if (found) {
      listed(seen, set).push(key)
      if (found.value === value && found.comment === comment) return
      listed(deletes, set).push(key)
    }
    listed(adds, set).push(elementOf(key, value, comment))
  }
  return {
    add,
    remove,
    finish(): Omit<Steps, 'shares'> {
      for (const [set, elements] of held?.elements ?? []) {
        const wanted = seen.get(set) ?? []
        // All of them, as a rule.
        if (wanted.length === elements.size) continue
        for (const key of new Set(elements.keys()).difference(new Set(wanted))) listed(deletes, set).push(key)
      }
      const operations = [
        ...[...deletes].map(([set, keys]): Operation => ({ kind: 'delete-elements', set, keys })),
        ...[...adds].map(([set, elements]): Operation => ({ kind: 'add-elements', set, elements })),
      ]
      return { operations, adds: new Set(adds.keys()), added: total(adds), deleted: total(deletes), digest: sum.value() }
    },
  }
}

type Edits = ReturnType<typeof createEdits>

/** Most shared elements are wanted by one service alone, and lead to nothing. */
const sole: Share = Object.freeze({ count: 1, value: undefined })

function createShares({ add, remove }: Edits, known: ReadonlyMap<string, Share>) {
  const changes = new Map<string, { readonly element: PlacedElement; step: number; value: string | undefined }>()
  return {
    /** @param step one service more that wants it, or one less */
    take(element: PlacedElement, step: 1 | -1): void {
      const id = `${element.set} ${element.key}`
      const change = changes.get(id)
      if (!change) changes.set(id, { element, step, value: step > 0 ? element.value : undefined })
      else {
        change.step += step
        if (step > 0) change.value = element.value
      }
    },
    finish(): ReadonlyMap<string, Share> {
      const shares = new Map<string, Share>()
      for (const [id, { element, step, value }] of changes) {
        const before = known.get(id)
        const count = (before?.count ?? 0) + step
        const now = value ?? before?.value
        if (before && before.value === now && before.count === count) continue
        shares.set(id, count === 1 && now === undefined ? sole : { count, value: now })
        if (before && (count === 0 || before.value !== now)) remove(shared(element, before.value))
        if (count > 0 && (!before || before.value !== now)) add(shared(element, now))
      }
      return shares
    },
  }
}

function shared({ set, key }: PlacedElement, value: string | undefined): PlacedElement {
  return { set, key, ...(value !== undefined && { value }) }
}

function changeOwn({ add, remove }: Edits, before: readonly PlacedElement[], after: readonly PlacedElement[]): void {
  const old = new Map(before.map((element) => [`${element.set} ${element.key}`, element]))
  for (const element of after) {
    const id = old.size === 0 ? '' : `${element.set} ${element.key}`
    const other = old.get(id)
    old.delete(id)
    if (other && other.value === element.value && other.comment === element.comment) continue
    if (other) remove(other)
    add(element)
  }
  for (const element of old.values()) remove(element)
}

function changeAllSlots(edits: Edits, before: readonly Slots[], after: readonly Slots[]): void {
  const old = new Map(before.map((slots) => [`${slots.set} ${slots.front}`, slots]))
  for (const slots of after) {
    const id = `${slots.set} ${slots.front}`
    changeSlots(edits, old.get(id), slots)
    old.delete(id)
  }
  for (const slots of old.values()) changeSlots(edits, slots, undefined)
}

/** Both of one set and front: there are as many before as after, unless all of them come or go. */
function changeSlots({ add, remove }: Edits, before: Slots | undefined, after: Slots | undefined): void {
  const isRenamed = before?.comment !== after?.comment
  for (let i = 0; i < (before ?? after)!.endpoints.length; i++) {
    const was = before?.endpoints[i]
    const is = after?.endpoints[i]
    if (was && is && was.address === is.address && was.port === is.port && !(i === 0 && isRenamed)) continue
    if (was) remove(slotElement(before!, i))
    if (is) add(slotElement(after!, i))
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
