/** Checks of scheduling.k8s.io/v1 PriorityClass and policy/v1 PodDisruptionBudget. */
import type { PodDisruptionBudget, PriorityClass } from '../../../api/objects.ts'
import { forbidden, required, wrong, type Causes } from '../causes.ts'
import { validateShare } from './amounts.ts'
import { validateSelector } from './meta.ts'

/** The classes that every cluster has, for what it cannot do without. */
export const systemClasses: Readonly<Record<string, { readonly value: number; readonly description: string }>> = {
  'system-node-critical': {
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
  'system-cluster-critical': {
    value: 2_000_000_000,
    description: 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
}
/** Above it is the system's own. */
export const highestPriority = 1_000_000_000

export function* validatePriorityClass({ metadata, value = 0, globalDefault }: PriorityClass): Causes {
  if (!metadata.name.startsWith('system-')) {
    if (value > highestPriority) yield forbidden('value', `maximum allowed value of a user defined priority is ${highestPriority}`)
    return
  }
  const own = systemClasses[metadata.name]
  if (!own) yield forbidden('metadata.name', "names that begin with 'system-' are reserved for system use")
  else if (value !== own.value || globalDefault) yield forbidden('metadata.name', `the value of ${metadata.name} is ${own.value}, and it is not the default`)
}

export function* validateBudget({ spec }: PodDisruptionBudget): Causes {
  if (!spec) return yield required('spec')
  const { minAvailable, maxUnavailable, selector } = spec
  if (minAvailable !== undefined && maxUnavailable !== undefined)
    yield wrong('spec', { minAvailable, maxUnavailable }, '`minAvailable` and `maxUnavailable` cannot be both set')
  if (minAvailable !== undefined) yield* validateShare('spec.minAvailable', minAvailable, 100)
  if (maxUnavailable !== undefined) yield* validateShare('spec.maxUnavailable', maxUnavailable, 100)
  if (selector) yield* validateSelector('spec.selector', selector)
}
