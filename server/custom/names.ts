/** Which of its names a definition has (the conditions NamesAccepted and Established): no two of a group have the same. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { CustomResourceDefinition } from '../../api/objects.ts'
import { resourceKinds, reviewKinds } from '../../api/resources.ts'

type Status = NonNullable<CustomResourceDefinition['status']>
type Condition = NonNullable<Status['conditions']>[number]
type Names = NonNullable<Status['acceptedNames']>

interface Taken {
  readonly resources: ReadonlySet<string>
  readonly kinds: ReadonlySet<string>
}

/** The names that others of the group have, definitions and what the hub serves itself. */
function takenIn(crd: CustomResourceDefinition, all: readonly CustomResourceDefinition[]): Taken {
  const { group } = crd.spec
  const others = all.filter((o) => o.spec.group === group && o.metadata.name !== crd.metadata.name).map((o) => o.status?.acceptedNames)
  const own = [...resourceKinds, ...reviewKinds].filter((k) => k.group === group)
  const setOf = (names: readonly (string | undefined)[]): ReadonlySet<string> => new Set(names.flatMap((name) => name || []))
  const resources = others.flatMap((names) => [names?.plural, names?.singular, ...(names?.shortNames ?? [])])
  const kinds = others.flatMap((names) => [names?.kind, names?.listKind])
  return {
    resources: setOf([...own.flatMap((k) => [k.plural, k.singular, ...k.shortNames]), ...resources]),
    kinds: setOf([...own.flatMap((k) => [k.kind, `${k.kind}List`]), ...kinds]),
  }
}

const inUse = (name: string): string => `${JSON.stringify(name)} is already in use`

interface Judgement {
  readonly names: Names
  readonly refusal?: Pick<Condition, 'reason' | 'message'>
}

/** The names that it gets, and why it does not get the others. What it was given it keeps. */
function judge({ spec, status }: CustomResourceDefinition, { resources, kinds }: Taken): Judgement {
  const wished = spec.names
  const had: Partial<Names> = status?.acceptedNames ?? {}
  const names: Record<string, unknown> = { ...had }
  let refusal: Judgement['refusal'] | undefined
  const ask = (field: 'plural' | 'singular' | 'kind' | 'listKind', taken: ReadonlySet<string>): void => {
    const name = wished[field] ?? ''
    if (name === had[field] || !taken.has(name)) names[field] = name
    else refusal = { reason: `${field[0]!.toUpperCase()}${field.slice(1)}Conflict`, message: inUse(name) }
  }
  ask('plural', resources)
  ask('singular', resources)
  const refused = (wished.shortNames ?? []).filter((name) => !had.shortNames?.includes(name) && resources.has(name))
  if (refused.length > 0) refusal = { reason: 'ShortNamesConflict', message: refused.map(inUse).join(', ') }
  else if (wished.shortNames) names['shortNames'] = wished.shortNames
  else delete names['shortNames']
  ask('kind', kinds)
  ask('listKind', kinds)
  if (wished.categories) names['categories'] = wished.categories
  else delete names['categories']
  return { names: { plural: '', kind: '', ...names } as Names, ...(refusal && { refusal }) }
}

/**
 * The status of a definition among all: its names, the conditions that follow, and the versions in which objects may lie in the store.
 * @param now RFC 3339
 */
export function namedStatus(crd: CustomResourceDefinition, all: readonly CustomResourceDefinition[], now: string): Status {
  const { status = {} } = crd
  const { names, refusal } = judge(crd, takenIn(crd, all))
  const storage = crd.spec.versions.find((v) => v.storage)?.name
  const stored = status.storedVersions ?? []
  const accepted = { type: 'NamesAccepted', status: refusal ? 'False' : 'True', ...(refusal ?? { reason: 'NoConflicts', message: 'no conflicts found' }) }
  const before = status.conditions?.find((c) => c.type === 'Established')
  const established =
    before?.status === 'True'
      ? before
      : refusal
        ? { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
        : { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
  return {
    ...status,
    acceptedNames: names,
    conditions: withConditions(status.conditions ?? [], [accepted, established], now),
    storedVersions: storage === undefined || stored.includes(storage) ? stored : [...stored, storage],
  }
}

/** The conditions with others in their places; the time of one is that of its last turn. */
export function withConditions(before: readonly Condition[], next: readonly Condition[], now: string): Condition[] {
  const timed = next.map((condition) => {
    const old = before.find((c) => c.type === condition.type)
    const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now
    const same = old && isDeepStrictEqual({ ...old, lastTransitionTime }, { ...condition, lastTransitionTime })
    return same ? old : { ...condition, lastTransitionTime }
  })
  return [...before.map((c) => timed.find((t) => t.type === c.type) ?? c), ...timed.filter((t) => !before.some((c) => c.type === t.type))]
}
