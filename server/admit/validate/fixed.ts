/** Fields that stay as they are once an object is there, of kinds of which this is all that there is to say. */
import { isDeepStrictEqual } from 'node:util'
import type { IngressClass, Job, ResourceQuota, StatefulSet } from '../../../api/objects.ts'
import type { StatusCause } from '../../../api/status.ts'
import { forbidden, immutable, type Causes } from '../causes.ts'

/** An object before and after. */
export interface Step<T> {
  readonly before: T
  readonly after: T
}

/** A check that some fields of an object itself stay. */
export function fixed<F extends string>(...fields: readonly F[]): (step: Step<{ readonly [field in F]?: unknown }>) => readonly StatusCause[] {
  return ({ before, after }) => fields.filter((f) => !isDeepStrictEqual(before[f], after[f])).map((f) => immutable(f, after[f]))
}

/** Those of a spec that changed. */
function* fixedInSpec<S extends object>({ before, after }: Step<{ readonly spec?: S }>, fields: readonly (keyof S & string)[]): Causes {
  for (const f of fields) if (!isDeepStrictEqual(before.spec?.[f], after.spec?.[f])) yield immutable(`spec.${f}`, after.spec?.[f])
}

export const selectorChange = (step: Step<{ readonly spec?: { readonly selector?: unknown } }>): Causes => fixedInSpec(step, ['selector'])
export const quotaChange = (step: Step<ResourceQuota>): Causes => fixedInSpec(step, ['scopes', 'scopeSelector'])
export const ingressClassChange = (step: Step<IngressClass>): Causes => fixedInSpec(step, ['controller'])

const ofSets = ['minReadySeconds', 'ordinals', 'persistentVolumeClaimRetentionPolicy', 'replicas', 'revisionHistoryLimit', 'template', 'updateStrategy']

/** Kubernetes tells of all of it at once, by the spec. */
export function* statefulSetChange({ before, after }: Step<StatefulSet>): Causes {
  const [old, now] = [before.spec as object, after.spec as object].map((spec) => Object.entries(spec).filter(([field]) => !ofSets.includes(field)))
  if (isDeepStrictEqual(Object.fromEntries(old!), Object.fromEntries(now!))) return
  const names = ofSets.map((f) => `'${f}'`)
  yield forbidden('spec', `updates to statefulset spec for fields other than ${names.slice(0, -1).join(', ')} and ${names.at(-1)!} are forbidden`)
}

export function* jobChange(step: Step<Job>): Causes {
  const { before, after } = step
  yield* fixedInSpec(step, ['selector', 'completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'successPolicy', 'managedBy'])
  // An indexed job grows and shrinks when its parallelism does so as well.
  const [old, now] = [before.spec!, after.spec!]
  const elastic = now.completionMode === 'Indexed' && now.completions === now.parallelism
  if (old.completions !== now.completions && !elastic) yield immutable('spec.completions', now.completions)
  if (!isDeepStrictEqual(templateOf(step.before), templateOf(step.after, before))) yield immutable('spec.template', now.template)
}

/** Where the pods of a suspended job will be may still be said: it has none yet. */
function templateOf(job: Job, before: Job = job): unknown {
  const { template } = job.spec!
  if (!before.spec!.suspend || before.status?.startTime !== undefined) return template
  const { nodeSelector: _n, tolerations: _t, affinity: _a, schedulingGates: _g, ...spec } = template.spec!
  const { labels: _l, annotations: _an, ...metadata } = template.metadata ?? {}
  return { ...template, metadata, spec }
}
