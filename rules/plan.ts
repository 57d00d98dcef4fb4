/**
 * NodeView and what the kernel holds, to the transaction between them. A pass over everything and a pass over one service
 * are one path; they differ in which services are looked at and, after a read-back, in what stands for "before".
 */
import type { Accepted, Elements, Next, Plan } from './accepted.ts'
import { contests, entryOf, handovers, reseat, type Entry, type Reseating } from './claims.ts'
import { clashes, elementSteps, refilledMaps, sameRules, structureSteps, type ElementSteps, type Structure } from './difference.ts'
import type { PlacedElement, Problem } from './fragment.ts'
import type {
  Chain, ChainName, Element, ElementKey, NodeConfig, NodeView, Operation, ServiceKey, SetDeclaration, SetName,
} from './model.ts'
import { shapeOf, verdictTarget } from './names.ts'
import { shapeParts, skeletonOf } from './skeleton.ts'

/**
 * An unused shape stays for this many passes, so that a service that swings between two numbers of endpoints does not make
 * and remove chains all the time. A pass over everything does not wait.
 */
export const retireAfter = 8

/**
 * The transaction that takes the kernel from `accepted` to what `view` says.
 *
 * With a set of services it costs what those services cost, whatever the view holds. With 'all', and always before the first
 * commit, everything is compared: after a read-back this repairs chains, rules, sets and elements, and removes what is not
 * ours. Chains that nothing leads to any more leave in a later pass than the one that emptied them, because kernels before
 * 6.2 refuse to delete a chain that was referenced when the transaction began.
 *
 * Pure: `accepted` is not altered.
 * @param changed services whose view may be another one than at the last commit, among them those that are gone
 * @throws RulesError RULES_MISUSED for a family that is not served
 */
export function plan(accepted: Accepted, view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>): Plan {
  const first = accepted.made === undefined
  const keys = changed === 'all' || first ? new Set([...accepted.entries.keys(), ...view.services.keys()]) : changed
  const made = madeFor(accepted, view.config)
  const reseating = reseat(accepted, changedEntries(accepted, view, keys))
  const work: Work = { accepted, made, first, all: changed === 'all' || first, ...elementsOf(accepted, made, reseating) }

  const names = shapesToEnsure(work)
  const want = wantedStructure(work, names)
  const rebuild = clashes(accepted, want)
  const have: Structure = rebuild ? { chains: new Map(), sets: new Map() } : accepted
  const refilled = refilledMaps(have, want)
  const elements = elementSteps(
    rebuild ? new Map() : without(refilled, knownSets(work.before, want, first)),
    refilled.size > 0 ? new Map([...work.after, ...elementsIn(refilled, accepted, reseating)]) : work.after,
  )
  const kept = assemble(work, { have, want, refilled, elements, rebuild })

  return {
    ...(kept.operations.length > 0 && { transaction: { family: accepted.family, operations: kept.operations } }),
    services: work.all ? view.services.size : keys.size,
    elements: { added: elements.added, deleted: elements.deleted },
    problems: problemsOf(work, reseating),
    next: { version: accepted.version, rebuild, made, reseating, uses: work.uses, ...kept.structure },
  }
}

interface Work {
  readonly accepted: Accepted
  readonly made: NonNullable<Accepted['made']>
  /** Nothing was committed yet: the elements before are those of the read-back. */
  readonly first: boolean
  readonly all: boolean
  readonly before: Elements
  readonly after: Elements
  /** New counts, of the shapes whose count changes. */
  readonly uses: ReadonlyMap<ChainName, number>
}

function madeFor(accepted: Accepted, config: NodeConfig): Work['made'] {
  const { made } = accepted
  if (made && sameConfig(made.config, config)) return made
  return { config, skeleton: skeletonOf(accepted.family, config) }
}

function sameConfig(a: NodeConfig, b: NodeConfig): boolean {
  const same = (x: readonly string[], y: readonly string[]): boolean =>
    x.length === y.length && x.every((text, i) => text === y[i])
  return a === b || (same(a.clusterCIDRs, b.clusterCIDRs) && same(a.nodePortAddresses, b.nodePortAddresses))
}

/** The services among `keys` whose view is not the one that was committed. Views are immutable, so identity decides. */
function changedEntries(accepted: Accepted, view: NodeView, keys: ReadonlySet<ServiceKey>): Reseating['entries'] {
  const entries = new Map<ServiceKey, Entry | undefined>()
  for (const key of keys) {
    const service = view.services.get(key)
    if (accepted.entries.get(key)?.view !== service) entries.set(key, service && entryOf(service))
  }
  return entries
}

type Drafts = Map<SetName, Map<ElementKey, Element>>

/** Elements on both sides of the change; after a read-back the side before is all that the kernel holds. */
function elementsOf(accepted: Accepted, made: Work['made'], reseating: Reseating): Pick<Work, 'before' | 'after' | 'uses'> {
  const before: Drafts = new Map()
  const after: Drafts = new Map()
  for (const change of handovers(accepted, reseating)) {
    place(before, change.before)
    place(after, change.after)
  }
  if (made !== accepted.made) {
    for (const [set, elements] of accepted.made?.skeleton.elements ?? []) before.set(set, new Map(elements))
    for (const [set, elements] of made.skeleton.elements) after.set(set, new Map(elements))
  }
  return { before: accepted.held ?? before, after, uses: countUses(accepted, before, after) }
}

function place(drafts: Drafts, placed: readonly PlacedElement[]): void {
  for (const { set, element } of placed) {
    const draft = drafts.get(set)
    if (draft) draft.set(element.key, element)
    else drafts.set(set, new Map([[element.key, element]]))
  }
}

/** @param before of the services; a read-back does not count, since nothing is in use before the first commit */
function countUses(accepted: Accepted, before: Elements, after: Elements): ReadonlyMap<ChainName, number> {
  const uses = new Map<ChainName, number>()
  const count = (elements: Elements, step: number): void => {
    for (const draft of elements.values()) {
      for (const { value } of draft.values()) {
        const chain = value === undefined ? undefined : verdictTarget(value)
        if (chain !== undefined) uses.set(chain, (uses.get(chain) ?? accepted.uses.get(chain) ?? 0) + step)
      }
    }
  }
  count(before, -1)
  count(after, 1)
  return uses
}

/** Shapes that must be as they should be: all in use if the skeleton is new, else those that come into use. */
function shapesToEnsure({ accepted, made, uses }: Work): ReadonlySet<ChainName> {
  const names = new Set<ChainName>()
  const every = made !== accepted.made
  if (every) for (const name of accepted.uses.keys()) names.add(name)
  for (const [name, count] of uses) {
    if (count === 0) names.delete(name)
    else if (every || !accepted.uses.has(name)) names.add(name)
  }
  return names
}

function wantedStructure({ accepted, made }: Work, names: ReadonlySet<ChainName>): Structure {
  const { skeleton } = made
  const fresh = made !== accepted.made
  const chains = new Map<ChainName, Chain>(fresh ? skeleton.chains : [])
  const sets = new Map<SetName, SetDeclaration>(fresh ? skeleton.sets : [])
  for (const name of names) {
    const parts = shapeParts(accepted.family, skeleton, shapeOf(name)!)
    chains.set(name, parts.chain)
    sets.set(name, parts.set)
  }
  return { chains, sets }
}

/** Elements of sets that a read-back found and nobody wants go with their set. */
function knownSets(before: Elements, want: Structure, first: boolean): Elements {
  return first ? new Map([...before].filter(([set]) => want.sets.has(set))) : before
}

function without(sets: ReadonlySet<SetName>, elements: Elements): Elements {
  return sets.size > 0 ? new Map([...elements].filter(([set]) => !sets.has(set))) : elements
}

/** All elements that some sets should have, whichever service they belong to. */
function elementsIn(sets: ReadonlySet<SetName>, ledger: Accepted, reseating: Reseating): Elements {
  const found: Drafts = new Map([...sets].map((set) => [set, new Map()]))
  for (const claim of new Set([...ledger.claims.keys(), ...reseating.claims.keys()])) {
    const heir = (reseating.claims.get(claim) ?? ledger.claims.get(claim)!)[0]
    const winner = heir === undefined ? undefined : (reseating.entries.get(heir) ?? ledger.entries.get(heir))
    place(found, (winner?.fragment.claims.get(claim) ?? []).filter(({ set }) => sets.has(set)))
  }
  return found
}

interface Parts {
  readonly have: Structure
  readonly want: Structure
  /** Maps that are made anew because the chain that reads them is refilled. */
  readonly refilled: ReadonlySet<SetName>
  readonly elements: ElementSteps
  readonly rebuild: boolean
}

interface Assembly {
  readonly operations: readonly Operation[]
  readonly structure: Pick<Next, 'chains' | 'sets' | 'idle'>
}

/** What leads to something comes after it when it is made, and before it when it is removed. */
function assemble(work: Work, { have, want, refilled, elements, rebuild }: Parts): Assembly {
  const { accepted } = work
  const steps = structureSteps(have, want)
  const table: Operation[] = accepted.present && !rebuild ? [] : [{ kind: 'add-table' }]
  if (rebuild) table.unshift({ kind: 'delete-table' })
  const renewed = [...refilled].flatMap((name): Operation[] => [
    { kind: 'delete-set', set: have.sets.get(name)! },
    { kind: 'add-set', set: want.sets.get(name)! },
  ])
  const main = [
    ...table, ...steps.addSets, ...steps.addChains, ...steps.flushChains, ...renewed,
    ...elements.deletes, ...steps.addRules, ...elements.adds,
  ]
  const leaving = rebuild ? nothingLeaves : work.first ? strangers(work, want) : retired(work, main.length > 0)

  const chains = new Map<ChainName, Chain | undefined>(want.chains)
  const sets = new Map<SetName, SetDeclaration | undefined>(want.sets)
  for (const name of leaving.emptied) chains.set(name, { ...accepted.chains.get(name)!, rules: [] })
  for (const name of leaving.chains) chains.set(name, undefined)
  for (const name of leaving.sets) sets.set(name, undefined)
  const newlyIdle = [...work.uses].filter(([, count]) => count === 0).map(([name]) => name)
  return {
    operations: [...main, ...removals(accepted, leaving)],
    structure: { chains, sets, idle: [...newlyIdle, ...leaving.emptied, ...(work.first && !rebuild ? spareShapes(work, want) : [])] },
  }
}

/** What a plan removes. */
interface Leaving {
  readonly chains: readonly ChainName[]
  readonly sets: readonly SetName[]
  /** Chains that must wait for a later pass, as something led to them when this one began. */
  readonly emptied: readonly ChainName[]
}

const nothingLeaves: Leaving = { chains: [], sets: [], emptied: [] }

/** What a read-back found and nobody wants. Shapes that just happen to be unused are no strangers. */
function strangers(work: Work, want: Structure): Leaving {
  const { accepted } = work
  const referenced = referencedChains(accepted)
  const spare = new Set(spareShapes(work, want))
  const names = [...accepted.chains.keys()].filter((name) => !want.chains.has(name) && !spare.has(name))
  return {
    chains: names.filter((name) => !referenced.has(name)),
    emptied: names.filter((name) => referenced.has(name)),
    sets: [...accepted.sets.keys()].filter((name) => !want.sets.has(name) && !spare.has(name)),
  }
}

/** Shapes that an earlier agent left unused: as they should be, empty, and kept for a while as this one would have kept them. */
function spareShapes({ accepted, made }: Work, want: Structure): readonly ChainName[] {
  const { family, chains, sets, held } = accepted
  return [...chains.values()].flatMap((chain) => {
    const shape = shapeOf(chain.name)
    if (!shape || want.chains.has(chain.name) || held?.get(chain.name)?.size) return []
    const parts = shapeParts(family, made.skeleton, shape)
    const right = chain.base === undefined && sameRules(chain, parts.chain) && sets.get(chain.name)?.type === parts.set.type
    return right ? [chain.name] : []
  })
}

function referencedChains({ chains, held }: Accepted): ReadonlySet<ChainName> {
  const found = new Set<ChainName>()
  for (const { rules } of chains.values()) {
    for (const { text } of rules) for (const match of text.matchAll(/\b(?:goto|jump) ([\w./\\-]+)/g)) found.add(match[1]!)
  }
  for (const elements of held?.values() ?? []) {
    for (const { value } of elements.values()) {
      const target = value === undefined ? undefined : verdictTarget(value)
      if (target !== undefined) found.add(target)
    }
  }
  return found
}

/** Idle chains whose time has come. They leave with another change, or in a pass over everything. */
function retired({ accepted, all, uses }: Work, otherChanges: boolean): Leaving {
  if (!all && !otherChanges) return nothingLeaves
  const chains = [...accepted.idle]
    .filter(([name, since]) => !((uses.get(name) ?? 0) > 0) && (all || accepted.passes - since >= retireAfter))
    .map(([name]) => name)
  return { chains, sets: chains.filter((name) => accepted.sets.has(name)), emptied: [] }
}

function removals(accepted: Accepted, leaving: Leaving): readonly Operation[] {
  const filled = (name: ChainName): boolean => accepted.chains.get(name)!.rules.length > 0
  return [
    ...[...leaving.chains, ...leaving.emptied].filter(filled).map((chain): Operation => ({ kind: 'flush-chain', chain })),
    ...leaving.chains.map((chain): Operation => ({ kind: 'delete-chain', chain })),
    ...leaving.sets.map((name): Operation => ({ kind: 'delete-set', set: accepted.sets.get(name)! })),
  ]
}

function problemsOf({ accepted, made, all }: Work, reseating: Reseating): readonly Problem[] {
  const problems: Problem[] = all || made !== accepted.made ? [...made.skeleton.problems] : []
  const entries = all ? [...accepted.entries.keys(), ...reseating.entries.keys()] : reseating.entries.keys()
  for (const key of new Set(entries)) {
    const entry = reseating.entries.has(key) ? reseating.entries.get(key) : accepted.entries.get(key)
    if (entry) problems.push(...entry.fragment.problems)
  }
  if (all) problems.push(...contests([...accepted.claims].filter(([claim]) => !reseating.claims.has(claim))))
  problems.push(...contests(reseating.claims))
  return problems
}

