/**
 * One table that obeys the laws of the kernel's, as found out on Linux 6.18 with nft 1.0.6; test/conformance/kernel.test.ts
 * holds it against the real one. Copying is cheap: the elements of a set are copied when that set is first written to.
 */
import type { Chain, ChainName, Element, ElementKey, Listing, Operation, SetDeclaration, SetName } from '../../../rules/model.ts'
import { KernelError, type KernelErrorCode } from '../errors.ts'
import { overlap } from './interval.ts'
import { referencesOf, shapeOf, targetOf, tooDeep } from './references.ts'

/** @throws KernelError what the kernel would say; nothing has changed then */
export function applyAll(held: Listing | undefined, operations: readonly Operation[]): Listing | undefined {
  const draft = createDraft(held)
  operations.forEach((operation, i) => draft.apply(operation, i + 1))
  return draft.finish()
}

interface Table {
  readonly chains: Map<ChainName, Chain>
  readonly sets: Map<SetName, SetDeclaration>
  readonly elements: Map<SetName, Map<ElementKey, Element>>
  /** Sets whose elements are the draft's own copy. */
  readonly own: Set<SetName>
}

type Handlers = { readonly [K in Operation['kind']]: (operation: Extract<Operation, { kind: K }>) => void }

function createDraft(held: Listing | undefined) {
  let table = held && copyOf(held)
  let place = 0
  /** Whether anything could lead to a chain in a new way. */
  let rerouted = false

  const refuse = (code: KernelErrorCode, said: string): never => {
    throw new KernelError(code, `the kernel refused operation ${place}: ${said}`, { said })
  }
  const missing = (what: string): never => refuse('KERNEL_NOT_FOUND', `${what}: No such file or directory`)
  const ours = (): Table => table ?? missing('table')
  const chainOf = (name: ChainName): Chain => ours().chains.get(name) ?? missing(`chain ${name}`)
  const setOf = (name: SetName): SetDeclaration => ours().sets.get(name) ?? missing(`set ${name}`)
  const mustLeadTo = (name: ChainName): void => {
    if (chainOf(name).base) refuse('KERNEL_REFUSED', `a verdict leads to the base chain ${name}: Operation not supported`)
    rerouted = true
  }
  const writable = (name: SetName): Map<ElementKey, Element> => {
    const { elements, own } = ours()
    const found = elements.get(name)!
    if (own.has(name)) return found
    const copy = new Map(found)
    elements.set(name, copy)
    own.add(name)
    return copy
  }

  const handlers: Handlers = {
    'add-table'() {
      table ??= { chains: new Map(), sets: new Map(), elements: new Map(), own: new Set() }
    },
    'delete-table'() {
      ours()
      table = undefined
    },
    'add-set'({ set }) {
      const { sets, elements, own } = ours()
      const other = sets.get(set.name)
      if (!other) {
        sets.set(set.name, set)
        elements.set(set.name, new Map())
        own.add(set.name)
      } else if (other.kind !== set.kind || other.type !== set.type) refuse('KERNEL_EXISTS', `set ${set.name} of another type: File exists`)
    },
    'delete-set'({ set: { name } }) {
      const { chains, sets, elements, own } = ours()
      setOf(name)
      for (const chain of chains.values()) {
        if (chain.rules.some((rule) => referencesOf(rule).sets.has(name))) refuse('KERNEL_BUSY', `set ${name}: Device or resource busy`)
      }
      sets.delete(name)
      elements.delete(name)
      own.delete(name)
    },
    'add-chain'({ chain: name, base }) {
      const { chains } = ours()
      const other = chains.get(name)
      if (!other) chains.set(name, { name, base, rules: [] })
      else if (base !== undefined && other.base !== base) {
        // Of a base chain that is there only the policy can be changed.
        if (other.base === undefined || hookOf(other.base) !== hookOf(base)) {
          refuse('KERNEL_REFUSED', `chain ${name} on another hook: Operation not supported`)
        }
        chains.set(name, { ...other, base })
      }
    },
    'flush-chain'({ chain: name }) {
      ours().chains.set(name, { ...chainOf(name), rules: [] })
    },
    'delete-chain'({ chain: name }) {
      const { chains, elements, sets } = ours()
      chainOf(name)
      const ruled = [...chains.values()].some((c) => c.name !== name && c.rules.some((rule) => referencesOf(rule).chains.has(name)))
      const mapped = [...sets.values()].some((set) => shapeOf(set).isVerdict && leadsTo(elements.get(set.name)!, name))
      if (ruled || mapped) refuse('KERNEL_BUSY', `chain ${name}: Device or resource busy`)
      chains.delete(name)
    },
    'add-rule'({ chain: name, rule }) {
      const chain = chainOf(name)
      const references = referencesOf(rule)
      for (const [set, use] of references.sets) {
        const isVerdict = shapeOf(setOf(set)).isVerdict
        const fits = use === 'vmap' ? isVerdict : use === 'map' ? setOf(set).kind === 'map' && !isVerdict : true
        if (!fits) refuse('KERNEL_REFUSED', `${use} @${set}: Expression is not a map`)
        rerouted ||= isVerdict
      }
      for (const target of references.chains) mustLeadTo(target)
      ours().chains.set(name, { ...chain, rules: [...chain.rules, rule] })
    },
    'add-elements'({ set: name, elements }) {
      const set = setOf(name)
      for (const element of elements) add(set, element)
    },
    'delete-elements'({ set: name, keys }) {
      setOf(name)
      for (const key of keys) if (!writable(name).delete(key)) missing(`element ${key} of ${name}`)
    },
  }

  const add = (set: SetDeclaration, element: Element): void => {
    const { key, value } = element
    const shape = shapeOf(set)
    if (fieldsOf(key) !== shape.keyFields) refuse('KERNEL_REFUSED', `element ${key} of ${set.name}: datatype mismatch`)
    if ((value === undefined) !== (set.kind === 'set')) refuse('KERNEL_REFUSED', `element ${key} of ${set.name}: Invalid argument`)
    if (value !== undefined && !shape.isVerdict && fieldsOf(value) !== shape.valueFields) {
      refuse('KERNEL_REFUSED', `value ${value} in ${set.name}: invalid data type`)
    }
    const target = shape.isVerdict ? targetOf(value!) : undefined
    if (target !== undefined) mustLeadTo(target)
    const elements = writable(set.name)
    const other = elements.get(key)
    if (other && other.value !== value) refuse('KERNEL_EXISTS', `element ${key} of ${set.name}: File exists`)
    // The same again is no error and changes nothing, not even the comment.
    if (other) return
    if (shape.isInterval) {
      for (const known of elements.keys()) {
        if (overlap(known, key)) refuse('KERNEL_EXISTS', `${key} in ${set.name}: interval overlaps with an existing one`)
      }
    }
    elements.set(key, element)
  }

  return {
    apply(operation: Operation, at: number): void {
      place = at
      ;(handlers[operation.kind] as (operation: Operation) => void)(operation)
    },
    /** The kernel looks for loops once, at the end, and only along ways that begin in a base chain. */
    finish(): Listing | undefined {
      if (table && rerouted && tooDeep(table)) refuse('KERNEL_REFUSED', 'a way through the chains is a loop or too long: Too many links')
      return table && { chains: table.chains, sets: table.sets, elements: table.elements }
    },
  }
}

function copyOf({ chains, sets, elements }: Listing): Table {
  // Inner maps are copied before they are written to: see `writable`.
  return { chains: new Map(chains), sets: new Map(sets), elements: new Map(elements as Table['elements']), own: new Set() }
}

function leadsTo(elements: ReadonlyMap<ElementKey, Element>, chain: ChainName): boolean {
  for (const { value } of elements.values()) if (value !== undefined && targetOf(value) === chain) return true
  return false
}

const fieldsOf = (text: string): number => text.split(' . ').length

/** `type nat hook prerouting priority -100` */
const hookOf = (base: string): string => base.split(';')[0]!.trim()
