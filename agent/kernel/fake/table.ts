/**
 * The laws of the kernel's tables, as found out on Linux 6.18 with nft 1.0.6: what is missing, doubled, dangling or does not
 * fit is refused. test/conformance/kernel.test.ts holds them against the real kernel.
 */
import type { ChainName, Element, Listing, Operation, SetDeclaration } from '../../../rules/nft/model.ts'
import { createDraft, type Draft } from './draft.ts'
import { overlap } from './interval.ts'
import { referencesOf, shapeOf, tooDeep, type SetReference } from './references.ts'

/** @throws KernelError what the kernel would say; nothing has changed then */
export function applyAll(held: Listing | undefined, operations: readonly Operation[]): Listing | undefined {
  let place = 0
  const draft = createDraft(held, () => place)
  const laws: Laws = { ...tableLaws(draft), ...setLaws(draft), ...chainLaws(draft), ...ruleLaws(draft), ...elementLaws(draft) }
  for (const operation of operations) {
    place += 1
    ;(laws[operation.kind] as (operation: Operation) => void)(operation)
  }
  // The kernel looks for loops once, at the end, and only along ways that begin in a base chain.
  if (draft.exists() && draft.rerouted() && tooDeep(draft.table().chains)) {
    draft.refuse('KERNEL_REFUSED', 'a way through the chains is a loop or too long: Too many links')
  }
  return draft.finish()
}

type Laws = { readonly [K in Operation['kind']]: (operation: Extract<Operation, { kind: K }>) => void }

function tableLaws(draft: Draft): Pick<Laws, 'add-table' | 'delete-table'> {
  return {
    'add-table'() {
      if (!draft.exists()) draft.replace('empty')
    },
    'delete-table'() {
      draft.table()
      draft.replace('none')
    },
  }
}

function setLaws(draft: Draft): Pick<Laws, 'add-set'> {
  return {
    'add-set'({ set }) {
      const other = draft.table().sets.get(set.name)
      if (!other) draft.putSet(set)
      else if (other.kind !== set.kind || other.type !== set.type)
        draft.refuse('KERNEL_EXISTS', `set ${set.name} of another type: File exists`)
    },
  }
}

function chainLaws(draft: Draft): Pick<Laws, 'add-chain'> {
  return {
    'add-chain'({ chain: name, base }) {
      const { chains } = draft.table()
      const other = chains.get(name)
      if (!other) chains.set(name, { name, ...(base !== undefined && { base }), rules: [] })
      else if (base !== undefined && other.base !== base) {
        // Of a base chain that is there only the policy can be changed.
        if (other.base === undefined || hookOf(other.base) !== hookOf(base)) {
          draft.refuse('KERNEL_REFUSED', `chain ${name} on another hook: Operation not supported`)
        }
        chains.set(name, { ...other, base })
      }
    },
  }
}

function ruleLaws(draft: Draft): Pick<Laws, 'add-rule'> {
  return {
    'add-rule'({ chain: name, rule }) {
      const chain = draft.chain(name)
      const { chains, sets } = referencesOf(rule)
      for (const use of sets) useSet(draft, use)
      for (const target of chains) mustBePlain(draft, target)
      draft.table().chains.set(name, { ...chain, rules: [...chain.rules, rule] })
    },
  }
}

function useSet(draft: Draft, { name, use, translates, timeout }: SetReference): void {
  const set = draft.set(name)
  const { isDynamic, hasTimeouts } = shapeOf(set)
  const refused = (why: string): never => draft.refuse('KERNEL_REFUSED', `${use} @${name}: ${why}`)
  if (use === 'map' && set.kind !== 'map') refused('Expression is not a map')
  // The kernel lets packets write to any hash set; this table has declared those that they may.
  if ((use === 'update' || use === 'add' || use === 'delete') && !isDynamic) refused('the set is not dynamic')
  if (timeout && !hasTimeouts) refused('Operation not supported')
  // nft 1.0.6 cannot compile a translation through a map whose type it has to ask the kernel for.
  if (translates && !draft.made(name)) refused('conflicting protocols specified: ip vs. th')
}

function elementLaws(draft: Draft): Pick<Laws, 'add-elements' | 'delete-elements'> {
  const nothing = (): never => draft.refuse('KERNEL_REFUSED', "an empty list: syntax error, unexpected '}'")
  return {
    'add-elements'({ set: name, elements }) {
      const set = draft.set(name)
      if (elements.length === 0) nothing()
      for (const element of elements) addElement(draft, set, element)
    },
    'delete-elements'({ set: name, keys }) {
      draft.set(name)
      if (keys.length === 0) nothing()
      for (const key of keys) if (!draft.edit(name).delete(key)) draft.missing(`element ${key} of ${name}`)
    },
  }
}

function addElement(draft: Draft, set: SetDeclaration, element: Element): void {
  const { key, value } = element
  const { keyFields, valueFields, isInterval } = shapeOf(set)
  const refused = (why: string): never => draft.refuse('KERNEL_REFUSED', `element ${key} of ${set.name}: ${why}`)
  if (fieldsOf(key) !== keyFields) refused('datatype mismatch')
  if (value === undefined && set.kind === 'map') refused('Invalid argument')
  if (value !== undefined && set.kind === 'set') refused('set is not a map')
  if (value !== undefined && fieldsOf(value) !== valueFields) refused('invalid data type')

  const other = draft.elements(set.name).get(key)
  if (other && other.value !== value) draft.refuse('KERNEL_EXISTS', `element ${key} of ${set.name}: File exists`)
  // The same again is no error and changes nothing, not even the comment.
  if (other) return
  if (isInterval) {
    for (const known of draft.elements(set.name).keys()) {
      if (overlap(known, key)) draft.refuse('KERNEL_EXISTS', `${key} in ${set.name}: interval overlaps with an existing one`)
    }
  }
  draft.edit(set.name).set(key, element)
}

/** A rule may lead to a chain that is there and hangs on no hook. */
function mustBePlain(draft: Draft, name: ChainName): void {
  if (draft.chain(name).base !== undefined)
    draft.refuse('KERNEL_REFUSED', `a rule leads to the base chain ${name}: Operation not supported`)
  draft.reroute()
}

const fieldsOf = (text: string): number => text.split(' . ').length

/** `type nat hook prerouting priority -100` */
const hookOf = (base: string): string => base.split(';')[0]!.trim()
