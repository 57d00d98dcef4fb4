/** What an agent prints of this mode for people: what nft, ip and ipvsadm say of one family, one behind the other. */
import { canonicalAddress } from '../address.ts'
import { RulesError } from '../error.ts'
import type { Family } from '../model.ts'
import { parse } from '../nft/parse.ts'
import type { Listing } from './model.ts'
import { deviceName, tableName } from './names.ts'
import { parseServers } from './parse.ts'

/** Each as its tool prints it. */
export interface Printed {
  readonly family: Family
  /** `nft list table` */
  readonly table: string
  /** `ip -brief address show`, of this family alone. */
  readonly addresses: string
  /** `ipvsadm -Ln`, our virtual servers alone. */
  readonly servers: string
  /** `ipvsadm -Ln --stats --exact`, our virtual servers alone. */
  readonly counts: string
}

export function printedText({ table, addresses, servers, counts }: Omit<Printed, 'family'>): string {
  return `${table}${addresses}${servers}${counts}`
}

/**
 * A text back into its parts, a family at a time; none if it is not of this mode.
 * @throws RulesError RULES_UNREADABLE where a part is missing
 */
export function printedIn(text: string): readonly Printed[] {
  return text.split(begin).flatMap((part) => {
    const family = begin.exec(part)?.[1] as Family | undefined
    if (family === undefined) return []
    const [table, rest] = cut(part, part.indexOf('\n}\n') + 3)
    const [addresses, tables] = cut(rest, rest.indexOf(title))
    const [servers, counts] = cut(tables, tables.indexOf(title, 1))
    if ([table, addresses, servers, counts].includes('')) throw new RulesError('RULES_UNREADABLE', `table ${family} ${tableName}: what ip and ipvsadm print behind it is not whole`)
    return [{ family, table, addresses, servers, counts }]
  })
}

/** What a kernel holds, as the tools told it. @throws RulesError RULES_UNREADABLE */
export function listingOf({ family, table, addresses, servers }: Omit<Printed, 'counts'>): Listing {
  const devices = devicesIn(family, addresses)
  const own = devices.get(deviceName)
  return {
    family,
    table: parse(table),
    servers: parseServers(family, servers),
    device: own !== undefined,
    addresses: new Set(own),
    hostAddresses: [...devices].flatMap(([name, held]) => (name === deviceName ? [] : held)),
  }
}

/** Of the addresses on our device only some, with the number of the others; other devices as they are. */
export function selectAddresses(text: string, keep: (address: string) => boolean): string {
  return text.replace(new RegExp(`^(${deviceName}\\s+[A-Z]+\\s+)(.*)$`, 'm'), (_line, head: string, held: string) => {
    const all = held.trim().split(/\s+/)
    const some = all.filter((address) => keep(address.split('/')[0]!))
    return `${head}${some.join(' ')}${some.length < all.length ? `  # ${all.length - some.length} more` : ''}`
  })
}

/** Of each interface the addresses, without their prefixes. */
function devicesIn(family: Family, text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    text.split('\n').flatMap((line): readonly (readonly [string, readonly string[]])[] => {
      const [, name, held] = /^([^\s@]+)(?:@\S+)?\s+[A-Z]+\s*(.*)$/.exec(line) ?? []
      if (name === undefined || held === undefined) return []
      // Whoever stands behind `peer` is at the other end.
      return [[name, held.replaceAll(/ peer \S+/g, '').split(/\s+/).flatMap((word) => canonicalAddress(family, word.split('/')[0]!) ?? [])]]
    }),
  )
}

/** Split by it, a text has the families' names between its parts. */
const begin = new RegExp(`^(?=table (ip6?) ${tableName} \\{$)`, 'm')
/** What each listing of ipvsadm begins with. */
const title = 'IP Virtual Server'

const cut = (text: string, at: number): readonly [string, string] => (at < 0 ? ['', text] : [text.slice(0, at), text.slice(at)])
