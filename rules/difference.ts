/** The difference between what the kernel holds and what it should hold, as operations in an order that nft accepts. */
import type { Elements } from './accepted.ts'
import type { Chain, ChainName, Element, ElementKey, Operation, SetDeclaration, SetName } from './model.ts'
import { shapeOf } from './names.ts'

/** Chains and sets without their elements. */
export interface Structure {
  readonly chains: ReadonlyMap<ChainName, Chain>
  readonly sets: ReadonlyMap<SetName, SetDeclaration>
}

/** Operations by the step of the transaction in which they have their place. */
export interface Steps {
  readonly addSets: readonly Operation[]
  readonly addChains: readonly Operation[]
  readonly flushChains: readonly Operation[]
  readonly addRules: readonly Operation[]
}

/** Whether something is declared otherwise than it should be. Declarations cannot be altered: the table must be made anew. */
export function clashes(have: Structure, want: Structure): boolean {
  for (const chain of want.chains.values()) {
    const held = have.chains.get(chain.name)
    if (held && held.base !== chain.base) return true
  }
  for (const set of want.sets.values()) {
    const held = have.sets.get(set.name)
    if (held && (held.type !== set.type || held.kind !== set.kind)) return true
  }
  return false
}

/**
 * Maps of shapes whose chain gets its rules anew. nft (1.0.6) knows the types of `dnat … map @endpoints-k` only where the map
 * is made in the same transaction, so such a map is made anew as well, with all its elements.
 */
export function refilledMaps(have: Structure, want: Structure): ReadonlySet<SetName> {
  const names = new Set<SetName>()
  for (const chain of want.chains.values()) {
    const held = have.chains.get(chain.name)
    if (shapeOf(chain.name) && have.sets.has(chain.name) && !(held && sameRules(held, chain))) names.add(chain.name)
  }
  return names
}

/** Makes what is missing and refills chains whose rules differ. What stands in `have` alone is not touched. */
export function structureSteps(have: Structure, want: Structure): Steps {
  const addSets: Operation[] = []
  const addChains: Operation[] = []
  const flushChains: Operation[] = []
  const addRules: Operation[] = []
  for (const set of want.sets.values()) if (!have.sets.has(set.name)) addSets.push({ kind: 'add-set', set })
  for (const chain of want.chains.values()) {
    const held = have.chains.get(chain.name)
    if (held && sameRules(held, chain)) continue
    if (!held) addChains.push({ kind: 'add-chain', chain: chain.name, ...(chain.base !== undefined && { base: chain.base }) })
    else if (held.rules.length > 0) flushChains.push({ kind: 'flush-chain', chain: chain.name })
    for (const rule of chain.rules) addRules.push({ kind: 'add-rule', chain: chain.name, rule })
  }
  return { addSets, addChains, flushChains, addRules }
}

export interface ElementSteps {
  readonly deletes: readonly Operation[]
  readonly adds: readonly Operation[]
  readonly deleted: number
  readonly added: number
}

/** An element whose value or comment differs is deleted and added: nft does not overwrite. */
export function elementSteps(before: Elements, after: Elements): ElementSteps {
  const deletes: Operation[] = []
  const adds: Operation[] = []
  let deleted = 0
  let added = 0
  for (const set of new Set([...before.keys(), ...after.keys()])) {
    const { keys, elements } = changesOf(before.get(set) ?? none, after.get(set) ?? none)
    if (keys.length > 0) deletes.push({ kind: 'delete-elements', set, keys })
    if (elements.length > 0) adds.push({ kind: 'add-elements', set, elements })
    deleted += keys.length
    added += elements.length
  }
  return { deletes, adds, deleted, added }
}

const none: ReadonlyMap<ElementKey, Element> = new Map()

function changesOf(before: ReadonlyMap<ElementKey, Element>, after: ReadonlyMap<ElementKey, Element>) {
  const keys: ElementKey[] = []
  const elements: Element[] = []
  for (const [key, element] of before) {
    const kept = after.get(key)
    if (!kept || !sameElement(element, kept)) keys.push(key)
  }
  for (const [key, element] of after) {
    const held = before.get(key)
    if (!held || !sameElement(held, element)) elements.push(element)
  }
  return { keys, elements }
}

function sameElement(a: Element, b: Element): boolean {
  return a === b || (a.value === b.value && a.comment === b.comment)
}

export function sameRules(a: Chain, b: Chain): boolean {
  return a.rules.length === b.rules.length && a.rules.every((rule, i) => rule.text === b.rules[i]!.text)
}
