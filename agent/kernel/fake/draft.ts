/** A table while a transaction writes to it: a copy that is kept only if all goes well. */
import type { Chain, ChainName, Element, ElementKey, Listing, SetDeclaration, SetName } from '../../../rules/nft/model.ts'
import { KernelError, type KernelErrorCode } from '../errors.ts'

export interface Table {
  readonly chains: Map<ChainName, Chain>
  readonly sets: Map<SetName, SetDeclaration>
  readonly elements: Map<SetName, ReadonlyMap<ElementKey, Element>>
}

/** Copying is cheap: the elements of a set are copied when that set is first written to. */
export interface Draft {
  /** @throws KernelError KERNEL_NOT_FOUND if there is none */
  table(): Table
  chain(name: ChainName): Chain
  set(name: SetName): SetDeclaration
  elements(name: SetName): ReadonlyMap<ElementKey, Element>
  /** The elements of a set, to be altered. */
  edit(name: SetName): Map<ElementKey, Element>
  exists(): boolean
  /** An empty table, or none. */
  replace(table: 'empty' | 'none'): void
  putSet(set: SetDeclaration): void
  /** Whether this transaction made the set. */
  made(name: SetName): boolean
  /** To be told when something may lead to a chain in a new way. */
  reroute(): void
  rerouted(): boolean
  refuse(code: KernelErrorCode, said: string): never
  missing(what: string): never
  finish(): Listing | undefined
}

/** @param place tells which operation is at hand, for error messages */
export function createDraft(held: Listing | undefined, place: () => number): Draft {
  let table: Table | undefined = held && {
    chains: new Map(held.chains),
    sets: new Map(held.sets),
    elements: new Map(held.elements),
  }
  /** Element maps that are this draft's own. */
  const own = new Map<SetName, Map<ElementKey, Element>>()
  const fresh = new Set<SetName>()
  let rerouted = false

  const draft: Draft = {
    table: () => table ?? draft.missing('table'),
    chain: (name) => draft.table().chains.get(name) ?? draft.missing(`chain ${name}`),
    set: (name) => draft.table().sets.get(name) ?? draft.missing(`set ${name}`),
    elements: (name) => draft.table().elements.get(name)!,
    edit(name) {
      const mine = own.get(name)
      if (mine) return mine
      const copy = new Map(draft.elements(name))
      own.set(name, copy)
      draft.table().elements.set(name, copy)
      return copy
    },
    exists: () => table !== undefined,
    replace(by) {
      table = by === 'none' ? undefined : { chains: new Map(), sets: new Map(), elements: new Map() }
      own.clear()
      fresh.clear()
    },
    putSet(set) {
      const { sets, elements } = draft.table()
      sets.set(set.name, set)
      elements.set(set.name, new Map())
      fresh.add(set.name)
    },
    made: (name) => fresh.has(name),
    reroute() {
      rerouted = true
    },
    rerouted: () => rerouted,
    refuse(code, said) {
      throw new KernelError(code, `the kernel refused operation ${place()}: ${said}`, { said })
    },
    missing: (what) => draft.refuse('KERNEL_NOT_FOUND', `${what}: No such file or directory`),
    finish: () => table,
  }
  return draft
}
