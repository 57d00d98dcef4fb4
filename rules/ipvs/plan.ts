/**
 * NodeView and what the kernel holds, to the transaction between them. A pass over everything and a pass over one service are
 * one path; they differ in which services are looked at and, after a reading, in what stands for "before".
 */
import { reseat, type Reseating } from '../ledger.ts'
import type { NodeView, Problem, ServiceKey } from '../model.ts'
import type { Chain, Listing as Table } from '../nft/model.ts'
import type { ServiceRoutes } from '../routes.ts'
import type { Accepted, Made, Plan } from './accepted.ts'
import { claimsOf, contest, winner, type Claims, type Contest } from './claims.ts'
import { contentOf, noContent, type Content } from './content.ts'
import { createDraft } from './draft.ts'
import { hostFacts } from './host.ts'
import { layoutOf, type Layout } from './layout.ts'
import { setNames } from './names.ts'

export interface IpvsOptions {
  /** How a virtual server chooses among its real servers (ipvsadm(8), `-s`): `rr`, `lc`, `sh` ... */
  readonly scheduler: string
}

/**
 * The transaction that takes the kernel from `accepted` to what `view` says.
 *
 * With a set of services it costs what those services cost, whatever the view holds. With 'all', and always before the first
 * commit, everything is compared. Where a chain, a rule or a set is not as it should be, the table is made anew in one piece;
 * virtual servers, real servers, addresses and elements are repaired one by one. A TCP endpoint that leaves gets weight 0;
 * the first pass after a reading that finds it without connections takes it away.
 *
 * Pure: `accepted` is not altered.
 * @param changed services whose view may be another one than at the last commit, among them those that are gone
 */
export function planWith({ scheduler }: IpvsOptions, accepted: Accepted, view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>): Plan {
  const { family, held, claims: known } = accepted
  const first = accepted.made === undefined
  const made = madeFor(accepted, view)
  const rebuild = first ? !held?.table || !fits(held.table, made.layout) : !sameLayout(accepted.made!.layout, made.layout)
  const reseating = reseat(accepted.ledger, view, first ? 'all' : changed)
  const { claims, drawn } = contestOf(accepted, made, reseating)
  const draft = createDraft({ family, layout: made.layout, rebuild, held, shares: accepted.shares, draining: accepted.draining })
  const problems: Problem[] = accepted.made === made ? [] : [...made.layout.problems]

  for (const key of new Set([...reseating.affected, ...drawn])) {
    const contentWith = (routes: ServiceRoutes, { host }: Made, ...rivals: readonly Claims[]): Content =>
      contentOf({ family, scheduler, service: key, routes, host, owner: (virtual) => winner(virtual, ...rivals) })
    const [routesBefore, routesAfter] = [reseating.before(key), reseating.after(key)]
    const after = routesAfter ? contentWith(routesAfter, made, claims, known) : noContent
    draft.change(routesBefore && accepted.made ? contentWith(routesBefore, accepted.made, known) : noContent, after)
    problems.push(...(routesAfter?.problems ?? []), ...after.problems)
  }
  const { steps, added, deleted, shares, draining } = draft.finish()
  return {
    ...(steps.length > 0 && { transaction: { family, steps } }),
    services: first || changed === 'all' ? view.services.size : changed.size,
    elements: { added, deleted },
    problems,
    next: { version: accepted.version, made, reseating, shares, claims, draining },
  }
}

function madeFor({ family, made, hostAddresses }: Accepted, { config }: NodeView): Made {
  return made?.config === config ? made : { config, layout: layoutOf(family, config), host: hostFacts(family, hostAddresses, config) }
}

function contestOf(accepted: Accepted, made: Made, reseating: Reseating): Contest {
  const both = [...reseating.affected].map((key) => {
    const claimed = (routes: ServiceRoutes | undefined, by: Made | undefined) => (routes && by ? claimsOf(key, routes.routes, by.host) : [])
    return { before: claimed(reseating.before(key), accepted.made), after: claimed(reseating.after(key), made) }
  })
  return contest(accepted.claims, both.flatMap(({ before }) => before), both.flatMap(({ after }) => after))
}

/** Whether a table that was read has the chains, sets and pod ranges that it should have, and no others. */
function fits(table: Table, { chains, sets, podRanges }: Layout): boolean {
  const held = table.elements.get(setNames.podRanges)
  return (
    table.chains.size === chains.size &&
    table.sets.size === sets.size &&
    [...chains.values()].every((chain) => sameChain(chain, table.chains.get(chain.name))) &&
    [...sets.values()].every(({ name, kind, type }) => table.sets.get(name)?.kind === kind && table.sets.get(name)?.type === type) &&
    (held?.size ?? 0) === podRanges.length &&
    podRanges.every(({ key }) => held?.has(key))
  )
}

function sameLayout(a: Layout, b: Layout): boolean {
  const ranges = ({ podRanges }: Layout): string => podRanges.map(({ key }) => key).join()
  return a === b || (ranges(a) === ranges(b) && [...a.chains.values()].every((chain) => sameChain(chain, b.chains.get(chain.name))))
}

function sameChain(a: Chain, b: Chain | undefined): boolean {
  return b !== undefined && a.base === b.base && a.rules.length === b.rules.length && a.rules.every((rule, i) => rule === b.rules[i])
}
