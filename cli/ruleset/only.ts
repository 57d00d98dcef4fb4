/** Cuts the text of a node's rules, of any mode, down to what one service meets on its way. Pure. */
import { type Printed, printedIn, printedText, selectAddresses, serverOwner, selectServers } from '../../rules/ipvs/index.ts'
import { chainsOf } from './chains.ts'
import { isOf, type ServiceMarks } from './marks.ts'
import { hasService, tableOf } from './table.ts'

/** Of two IP families that one is left out in which the service has no part. */
export function onlyService(text: string, marks: ServiceMarks): string {
  const printed = printedIn(text)
  if (printed.length > 0) return withService(printed, ({ table }) => table, marks).map((part) => printedOf(part, marks)).join('')
  if (/^\*\w+$/m.test(text)) return chainsOf(text, marks)
  return withService(text.split(/^(?=table )/m), (table) => table, marks).map((table) => tableOf(table, marks)).join('')
}

/** All of them, if the service is in none. */
function withService<T>(parts: readonly T[], tableIn: (part: T) => string, marks: ServiceMarks): readonly T[] {
  const some = parts.filter((part) => hasService(tableIn(part), marks))
  return some.length > 0 ? some : parts
}

function printedOf(printed: Printed, marks: ServiceMarks): string {
  const { family, table, addresses, servers, counts } = printed
  const owner = serverOwner(printed)
  const mine = (text: string): string => selectServers(text, family, (virtual) => isOf(owner(virtual) ?? '', marks))
  return printedText({ table: tableOf(table, marks), addresses: selectAddresses(addresses, (address) => marks.addresses.includes(address)), servers: mine(servers), counts: mine(counts) })
}
