/**
 * NodeView and what the kernel holds, to the transaction between them. A pass over everything and a pass over one service
 * are one path; they differ in which services are looked at and, after a read-back, in what stands for "before".
 */
import { reseat } from '../ledger.ts'
import type { NodeConfig, NodeView, Problem, ServiceKey } from '../model.ts'
import type { Accepted, Plan } from './accepted.ts'
import { noElements } from './digest.ts'
import { createDraft } from './draft.ts'
import { excesses, nothing, placementOf, type Placement } from './elements.ts'
import { extensionParts, layoutOf, type Layout } from './layout.ts'
import type { Listing, Operation, SetName } from './model.ts'
import { extensionOf } from './names.ts'
import { fits } from './fits.ts'

/**
 * The transaction that takes the kernel from `accepted` to what `view` says.
 *
 * With a set of services it costs what those services cost, whatever the view holds. With 'all', and always before the first
 * commit, everything is compared. Elements are repaired one by one. Where a chain, a rule or a set is not as it should be, the
 * table is deleted and made anew in the same transaction: no packet meets the time between.
 *
 * Pure: `accepted` is not altered.
 * @param changed services whose view may be another one than at the last commit, among them those that are gone
 */
export function plan(accepted: Accepted, view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>): Plan {
  const { family, held } = accepted
  const first = accepted.made === undefined
  const made = madeFor(accepted, view.config)
  const rebuild = first ? held === undefined || !fits(held, made.layout) : !sameStructure(accepted.made!.layout, made.layout)
  const reseating = reseat(accepted.ledger, view, first ? 'all' : changed)
  const fresh = first || rebuild
  const draft = createDraft({
    held: rebuild || !first ? undefined : held,
    shares: fresh ? new Map() : accepted.shares,
    digest: fresh ? noElements : accepted.digest,
  })

  const problems: Problem[] = made === accepted.made ? [] : [...made.layout.problems]
  for (const key of rebuild ? view.services.keys() : reseating.affected) {
    const before = fresh ? undefined : reseating.before(key)
    const after = reseating.after(key)
    draft.change(before ? placementOf(family, key, before) : nothing, after ? placementOf(family, key, after) : nothing)
    if (after) problems.push(...after.problems, ...excesses(key, after))
  }
  if (made !== accepted.made || rebuild) draft.change(fresh ? nothing : configured(accepted.made!.layout), configured(made.layout))
  const steps = draft.finish()
  const extensions = extensionsFor(steps.adds, rebuild ? none : first ? new Set(held?.sets.keys()) : accepted.extensions)
  const operations = [...(rebuild ? remake(made.layout, held !== undefined || !first) : []), ...extend(made.layout, extensions), ...steps.operations]

  return {
    ...(operations.length > 0 && { transaction: { family, operations } }),
    services: fresh || changed === 'all' ? view.services.size : changed.size,
    elements: { added: steps.added, deleted: steps.deleted },
    problems,
    next: {
      version: accepted.version,
      rebuild: fresh,
      made,
      reseating,
      extensions: first && !rebuild ? new Set([...extensions, ...extensionsIn(held!)]) : extensions,
      shares: steps.shares,
      digest: steps.digest,
    },
  }
}

const none: ReadonlySet<SetName> = new Set()

function madeFor(accepted: Accepted, config: NodeConfig): NonNullable<Accepted['made']> {
  return accepted.made?.config === config ? accepted.made : { config, layout: layoutOf(accepted.family, config) }
}

function sameStructure(a: Layout, b: Layout): boolean {
  return [...a.chains.values()].every(({ name, rules }) => {
    const others = b.chains.get(name)!.rules
    return rules.length === others.length && rules.every((rule, i) => rule === others[i])
  })
}

function configured(layout: Layout): Placement {
  return { ...nothing, own: [...layout.elements].flatMap(([set, elements]) => elements.map((element) => ({ set, ...element }))) }
}

function extensionsFor(adds: ReadonlySet<SetName>, present: ReadonlySet<SetName>): ReadonlySet<SetName> {
  return new Set([...adds].filter((name) => extensionOf(name) !== undefined && !present.has(name)))
}

function extensionsIn({ sets }: Listing): readonly SetName[] {
  return [...sets.keys()].filter((name) => extensionOf(name) !== undefined)
}

/** What leads to something comes after it. nft types `dnat … map @endpoints-3` only where the map is made with the rule. */
function extend({ family }: Layout, extensions: ReadonlySet<SetName>): readonly Operation[] {
  const parts = [...extensions].map((name) => extensionParts(family, extensionOf(name)!))
  return [
    ...parts.map(({ set }): Operation => ({ kind: 'add-set', set })),
    ...parts.flatMap(({ rules }) => rules.map(([chain, rule]): Operation => ({ kind: 'add-rule', chain, rule }))),
  ]
}

function remake({ chains, sets }: Layout, present: boolean): readonly Operation[] {
  return [
    ...(present ? [{ kind: 'delete-table' } as const] : []),
    { kind: 'add-table' },
    ...[...sets.values()].map((set): Operation => ({ kind: 'add-set', set })),
    ...[...chains.values()].map(({ name, base }): Operation => ({ kind: 'add-chain', chain: name, ...(base !== undefined && { base }) })),
    ...[...chains.values()].flatMap(({ name, rules }) => rules.map((rule): Operation => ({ kind: 'add-rule', chain: name, rule }))),
  ]
}
