/**
 * How a packet finds the rules of its front. Chains are what costs time to load, so services have none of their own: the rules
 * of all fronts whose addresses end in the same ten bits share a chain, and two levels of chains of at most 32 rules each lead
 * there. Addresses of one cluster differ in their last bits, whatever its ranges are. NodePorts are led by ranges of 32 ports.
 */
import type { Family, Protocol } from '../model.ts'
import type { Rule, TableName } from './model.ts'
import { chainNames, partsOf, placeOf, type Place } from './names.ts'
import { portWords } from './words.ts'

/** A tree over addresses. */
interface AddressTree {
  readonly table: TableName
  /** `WHERRY-A` in `WHERRY-A-05-1F`. */
  readonly stem: string
  readonly root: Place
  readonly flag: '-s' | '-d'
}

interface PortTree {
  readonly table: TableName
  readonly stem: string
  readonly root: Place
}

export const trees = {
  services: { table: 'nat', stem: 'WHERRY-A', root: placeOf('nat', chainNames.services), flag: '-d' },
  hairpin: { table: 'nat', stem: 'WHERRY-H', root: placeOf('nat', chainNames.hairpin), flag: '-s' },
  refuse: { table: 'filter', stem: 'WHERRY-R', root: placeOf('filter', chainNames.refuse), flag: '-d' },
} as const satisfies Readonly<Record<string, AddressTree>>

export const portTrees = {
  nodePorts: { table: 'nat', stem: 'WHERRY-N', root: placeOf('nat', chainNames.nodePorts) },
  refuse: { table: 'filter', stem: 'WHERRY-M', root: placeOf('filter', chainNames.refuseNodePorts) },
  healthChecks: { table: 'filter', stem: 'WHERRY-C', root: placeOf('filter', chainNames.healthChecks) },
} as const satisfies Readonly<Record<string, PortTree>>

/** Children of one chain. Each level takes as many values. */
const width = 32
const bitsOfLevel = 5

/** @param address canonical */
export function addressLeaf({ table, stem }: AddressTree, address: string): Place {
  const low = lowBits(address)
  return placeOf(table, `${stem}-${hex(low % width)}-${hex((low >>> bitsOfLevel) % width)}`)
}

export function portLeaf({ table, stem }: PortTree, protocol: Protocol, port: number): Place {
  return placeOf(table, `${stem}-${protocol}-${port - (port % width)}`)
}

/** The chain that leads to a leaf or branch, or undefined if nothing of a tree does. */
export function parentOf(place: Place): Place | undefined {
  const { table, chain } = partsOf(place)
  const [, stem, branch, leaf] = addressPattern.exec(chain) ?? []
  const tree = addressTreeOf(table, stem)
  if (tree) return leaf === undefined ? tree.root : placeOf(table, `${stem}-${branch}`)
  return portTreeOf(table, portPattern.exec(chain)?.[1])?.root
}

/** The rule by which the parent of a leaf or branch leads to it. */
export function leadTo(family: Family, place: Place): Rule {
  const { table, chain } = partsOf(place)
  const [, stem, branch, leaf] = addressPattern.exec(chain) ?? []
  const tree = addressTreeOf(table, stem)
  if (!tree) {
    const [, , protocol, first] = portPattern.exec(chain)!
    return `${portWords(protocol as Protocol, Number(first), Number(first) + width - 1)}-j ${chain}`
  }
  const unit = leaf === undefined ? 1 : width
  const value = Number.parseInt(leaf ?? branch!, 16)
  return `${tree.flag} ${maskedText(family, value * unit)}/${maskedText(family, (width - 1) * unit)} -j ${chain}`
}

const addressPattern = /^(WHERRY-\w)-([0-9A-F]{2})(?:-([0-9A-F]{2}))?$/
const portPattern = /^(WHERRY-\w)-(tcp|udp|sctp)-(\d+)$/
const addressTreeOf = (table: TableName, stem: string | undefined): AddressTree | undefined =>
  Object.values(trees).find((tree) => tree.table === table && tree.stem === stem)
const portTreeOf = (table: TableName, stem: string | undefined): PortTree | undefined =>
  Object.values(portTrees).find((tree) => tree.table === table && tree.stem === stem)

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, '0')
}

/** The last sixteen bits of an address. */
function lowBits(address: string): number {
  if (!address.includes(':')) {
    const [, , third, fourth] = address.split('.')
    return Number(third) * 256 + Number(fourth)
  }
  const last = address.slice(address.lastIndexOf(':') + 1)
  return last === '' ? 0 : Number.parseInt(last, 16)
}

/** An address of which only the last sixteen bits are set. */
function maskedText(family: Family, value: number): string {
  if (family === 'ip') return `0.0.${value >>> 8}.${value & 255}`
  return value === 0 ? '::' : `::${value.toString(16)}`
}
