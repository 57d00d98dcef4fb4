/** How many connections each virtual server and endpoint has got, from the counters that IPVS keeps. */
import type { Count } from '../nft/counters.ts'
import { parse } from '../nft/parse.ts'
import { parseCounts } from './parse.ts'
import { type Printed, printedIn } from './printed.ts'
import type { VirtualKey } from './model.ts'
import { markText, setNames, virtualOf } from './names.ts'
import { keyOf } from '../nft/names.ts'

/**
 * One entry for each endpoint of each virtual server of ours. A NodePort counts on each address of the node; the clients
 * outside the cluster of an external traffic policy Local count under the mark that they are given.
 * @param text what an agent prints (printed.ts)
 * @throws RulesError RULES_UNREADABLE, with the line
 */
export function countersOf(text: string): readonly Count[] {
  return printedIn(text).flatMap(countsOf)
}

function countsOf(printed: Printed): readonly Count[] {
  const ownerOf = serverOwner(printed)
  return parseCounts(printed.counts).flatMap(({ virtual: key, reals }) => {
    const service = ownerOf(key)
    if (service === undefined) return []
    const virtual = virtualOf(key)
    const front = virtual.kind === 'mark' ? key : `${virtual.address} ${virtual.protocol} ${virtual.port}`
    return reals.map(({ real, connections }) => ({ service, front, endpoint: real, connections }))
  })
}

/** Whose a virtual server is, by the table: its service and port (`default/web:http`); undefined where it is not ours. */
export function serverOwner({ table: text }: Pick<Printed, 'table'>): (key: VirtualKey) => string | undefined {
  const { elements } = parse(text)
  return (key) => {
    const virtual = virtualOf(key)
    const element =
      virtual.kind === 'mark'
        ? elements.get(setNames.marks)?.get(markText(virtual.mark))
        : elements.get(setNames.services)?.get(keyOf(virtual.address, virtual.protocol, virtual.port))
    return element && (element.comment ?? '')
  }
}
