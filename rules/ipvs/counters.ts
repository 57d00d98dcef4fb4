/** How many connections each virtual server and endpoint has got, from the counters that IPVS keeps. */
import type { Count } from '../nft/counters.ts'
import { parse } from '../nft/parse.ts'
import { parseCounts } from './parse.ts'
import { type Printed, printedIn } from './printed.ts'
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

/** The table tells whose a virtual server is. */
function countsOf({ table: text, counts }: Printed): readonly Count[] {
  const table = parse(text)
  return parseCounts(counts).flatMap(({ virtual: key, reals }) => {
    const virtual = virtualOf(key)
    const element =
      virtual.kind === 'mark'
        ? table.elements.get(setNames.marks)?.get(markText(virtual.mark))
        : table.elements.get(setNames.services)?.get(keyOf(virtual.address, virtual.protocol, virtual.port))
    if (!element) return []
    const front = virtual.kind === 'mark' ? key : `${virtual.address} ${virtual.protocol} ${virtual.port}`
    return reals.map(({ real, connections }) => ({ service: element.comment ?? '', front, endpoint: real, connections }))
  })
}
