/**
 * What a kernel holds after each step, by the laws of its tools: whoever applies steps keeps one, to tell his own changes from
 * other people's.
 */
import { cidrContains } from '../address.ts'
import type { Chain, Element, Listing as Table, Operation as RuleOperation, SetDeclaration } from '../nft/model.ts'
import type { AddressOperation, Listing, RealKey, RealServer, ServerOperation, Step, VirtualKey, VirtualServer } from './model.ts'
import { setNames } from './names.ts'

/** Why an operation is refused: what it adds is there, or what it needs is not. */
export interface Fault {
  /** Of the operation in its step. */
  readonly index: number
  readonly kind: 'exists' | 'missing'
}

export interface Image {
  /**
   * nft does all or nothing; ip stops at the first fault; ipvsadm goes on after it.
   * @returns what the tool complains of
   */
  apply(step: Step): readonly Fault[]
  /** A live view: it changes with the image. */
  readonly listing: Listing
}

type FaultKind = Fault['kind'] | undefined

interface MutableTable {
  readonly chains: Map<string, Chain>
  readonly sets: Map<string, SetDeclaration>
  readonly elements: Map<string, Map<string, Element>>
}

interface State {
  table: MutableTable | undefined
  readonly servers: Map<VirtualKey, { settings: string; readonly reals: Map<RealKey, RealServer> }>
  device: boolean
  readonly addresses: Set<string>
}

export function createImage(from: Listing): Image {
  const state: State = {
    table: from.table && tableCopy(from.table),
    servers: new Map([...from.servers].map(([key, { settings, reals }]) => [key, { settings, reals: new Map(reals) }])),
    device: from.device,
    addresses: new Set(from.addresses),
  }
  return {
    apply(step) {
      switch (step.kind) {
        case 'rules':
          return inOnePiece(state, step.operations)
        case 'servers':
          return faultsOf(step.operations.map((operation) => serverFault(state.servers, operation)))
        case 'addresses': {
          const index = step.operations.findIndex((operation) => addressFault(state, operation) !== undefined)
          return index < 0 ? [] : [{ index, kind: addressFault(state, step.operations[index]!)! }]
        }
      }
    },
    listing: {
      family: from.family,
      get table() {
        return state.table
      },
      servers: state.servers as ReadonlyMap<VirtualKey, VirtualServer>,
      get device() {
        return state.device
      },
      addresses: state.addresses,
      hostAddresses: from.hostAddresses,
    },
  }
}

function tableCopy(table: Table): MutableTable {
  const elements = new Map([...table.sets.keys()].map((name) => [name, new Map(table.elements.get(name))]))
  return { chains: new Map(table.chains), sets: new Map(table.sets), elements }
}

function faultsOf(kinds: readonly FaultKind[]): readonly Fault[] {
  return kinds.flatMap((kind, index) => (kind ? [{ index, kind }] : []))
}

/** Does an operation, or tells why not. */
function serverFault(servers: State['servers'], operation: ServerOperation): FaultKind {
  const server = servers.get(operation.virtual)
  if (operation.kind === 'add-server') {
    if (server) return 'exists'
    servers.set(operation.virtual, { settings: operation.settings, reals: new Map() })
    return undefined
  }
  if (!server) return 'missing'
  switch (operation.kind) {
    case 'edit-server':
      server.settings = operation.settings
      return undefined
    case 'delete-server':
      servers.delete(operation.virtual)
      return undefined
    case 'add-real':
    case 'edit-real': {
      const known = server.reals.get(operation.real)
      if ((known !== undefined) !== (operation.kind === 'edit-real')) return known ? 'exists' : 'missing'
      server.reals.set(operation.real, { connections: 0, ...known, weight: operation.weight, translated: true })
      return undefined
    }
    case 'delete-real':
      return server.reals.delete(operation.real) ? undefined : 'missing'
  }
}

function addressFault(state: State, operation: AddressOperation): FaultKind {
  if (operation.kind === 'add-device') {
    if (state.device) return 'exists'
    state.device = true
    return undefined
  }
  if (!state.device) return 'missing'
  if (operation.kind === 'delete-address') return state.addresses.delete(operation.address) ? undefined : 'missing'
  if (state.addresses.has(operation.address)) return 'exists'
  state.addresses.add(operation.address)
  return undefined
}

function inOnePiece(state: State, operations: readonly RuleOperation[]): readonly Fault[] {
  const before = state.table
  // Only touched sets are copied, so that a small change of a large table is a small copy.
  state.table = before && { chains: new Map(before.chains), sets: new Map(before.sets), elements: new Map(before.elements) }
  const copied = new Set<string>()
  for (const [index, operation] of operations.entries()) {
    const kind = ruleFault(state, operation, copied)
    if (!kind) continue
    state.table = before
    return [{ index, kind }]
  }
  return []
}

function ruleFault(state: State, operation: RuleOperation, copied: Set<string>): FaultKind {
  if (operation.kind === 'add-table') {
    state.table ??= { chains: new Map(), sets: new Map(), elements: new Map() }
    return undefined
  }
  if (operation.kind === 'delete-table') {
    state.table = undefined
    copied.clear()
    return undefined
  }
  const { table } = state
  if (!table) return 'missing'
  switch (operation.kind) {
    case 'add-set':
      if (table.sets.has(operation.set.name)) return undefined
      table.sets.set(operation.set.name, operation.set)
      table.elements.set(operation.set.name, new Map())
      return undefined
    case 'add-chain':
      if (!table.chains.has(operation.chain)) {
        const { chain: name, base } = operation
        table.chains.set(name, { name, ...(base !== undefined && { base }), rules: [] })
      }
      return undefined
    case 'add-rule': {
      const chain = table.chains.get(operation.chain)
      if (!chain) return 'missing'
      table.chains.set(chain.name, { ...chain, rules: [...chain.rules, operation.rule] })
      return undefined
    }
    case 'add-elements':
    case 'delete-elements': {
      const held = table.elements.get(operation.set)
      if (!held) return 'missing'
      const elements = copied.has(operation.set) ? held : new Map(held)
      copied.add(operation.set)
      table.elements.set(operation.set, elements)
      if (operation.kind === 'delete-elements') return operation.keys.every((key) => elements.delete(key)) ? undefined : 'missing'
      return addedFault(table, elements, operation)
    }
  }
}

function addedFault(table: MutableTable, held: Map<string, Element>, added: Extract<RuleOperation, { kind: 'add-elements' }>): FaultKind {
  for (const element of added.elements) {
    const [, chain] = /^goto (\S+)$/.exec(element.value ?? '') ?? []
    if (chain !== undefined && !table.chains.has(chain)) return 'missing'
    const other = held.get(element.key)
    if (other ? other.value !== element.value : added.set === setNames.sourceRanges && overlaps(held, element.key)) return 'exists'
    if (!other) held.set(element.key, element)
  }
  return undefined
}

function overlaps(held: ReadonlyMap<string, Element>, key: string): boolean {
  const parts = (text: string) => ({ front: text.slice(0, text.lastIndexOf(' . ')), range: text.slice(text.lastIndexOf(' . ') + 3) })
  const mine = parts(key)
  const start = (range: string): string => range.split('/')[0]!
  return [...held.keys()].map(parts).some(
    ({ front, range }) => front === mine.front && (cidrContains(range, start(mine.range)) || cidrContains(mine.range, start(range))),
  )
}
