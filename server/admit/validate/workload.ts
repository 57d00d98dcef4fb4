/** Checks of apps/v1 Deployment and ReplicaSet. */
import type { Deployment, LabelSelector, PodTemplateSpec, ReplicaSet } from '../../../api/objects.ts'
import { matchesSelector } from '../../../api/selectors.ts'
import { forbidden, required, unsupported, wrong, type Causes } from '../causes.ts'
import { validateAnnotations, validateLabels, validateSelector } from './meta.ts'
import { validatePodSpec } from './pod.ts'

type Strategy = NonNullable<NonNullable<Deployment['spec']>['strategy']>

export function* validateReplicaSet({ spec }: ReplicaSet): Causes {
  if (!spec) return yield required('spec')
  yield* atLeastZero(spec, ['replicas', 'minReadySeconds'])
  yield* validateOwnership(spec.selector, spec.template)
}

export function* validateDeployment({ spec }: Deployment): Causes {
  if (!spec) return yield required('spec')
  yield* atLeastZero(spec, ['replicas', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'])
  const { progressDeadlineSeconds, minReadySeconds = 0 } = spec
  if (progressDeadlineSeconds !== undefined && progressDeadlineSeconds >= 0 && progressDeadlineSeconds <= minReadySeconds) {
    yield wrong('spec.progressDeadlineSeconds', progressDeadlineSeconds, 'must be greater than minReadySeconds')
  }
  if (spec.strategy) yield* validateStrategy(spec.strategy)
  yield* validateOwnership(spec.selector, spec.template)
}

function* atLeastZero<S extends object>(spec: S, fields: readonly (keyof S & string)[]): Causes {
  for (const field of fields) {
    const value = spec[field]
    if (typeof value === 'number' && value < 0) yield wrong(`spec.${field}`, value, 'must be greater than or equal to 0')
  }
}

/** The selector must find the pods that the template makes, and not everybody's. */
function* validateOwnership(selector: LabelSelector, template: PodTemplateSpec | undefined): Causes {
  yield* validateSelector('spec.selector', selector)
  if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
    yield wrong('spec.selector', selector, 'must not be empty: it would select every pod of the namespace')
  }
  if (!template) return yield required('spec.template')
  const { labels, annotations } = template.metadata ?? {}
  if (!matchesSelector(selector, labels))
    yield wrong('spec.template.metadata.labels', labels ?? {}, '`selector` does not match template `labels`')
  yield* validateLabels('spec.template.metadata.labels', labels)
  yield* validateAnnotations('spec.template.metadata.annotations', annotations)
  if (!template.spec) return yield required('spec.template.spec')
  yield* validatePodSpec('spec.template.spec', template.spec)
  if (template.spec.restartPolicy !== 'Always')
    yield unsupported('spec.template.spec.restartPolicy', template.spec.restartPolicy, ['Always'])
  if (template.spec.activeDeadlineSeconds !== undefined) {
    yield forbidden(
      'spec.template.spec.activeDeadlineSeconds',
      'may not be given in a template whose pods are replaced when they end',
    )
  }
}

function* validateStrategy({ type, rollingUpdate }: Strategy): Causes {
  if (type === 'Recreate') {
    if (rollingUpdate) yield forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")
    return
  }
  const at = 'spec.strategy.rollingUpdate'
  const { maxSurge = 0, maxUnavailable = 0 } = rollingUpdate ?? {}
  for (const [name, value] of Object.entries({ maxSurge, maxUnavailable })) {
    if (typeof value === 'number' && value < 0) yield wrong(`${at}.${name}`, value, 'must be greater than or equal to 0')
    if (typeof value === 'string' && !/^\d{1,9}%$/.test(value))
      yield wrong(`${at}.${name}`, value, "must be a whole number or a percentage (such as 1 or '25%')")
  }
  if (typeof maxUnavailable === 'string' && Number.parseInt(maxUnavailable, 10) > 100)
    yield wrong(`${at}.maxUnavailable`, maxUnavailable, 'must not be greater than 100%')
  if (isNothing(maxSurge) && isNothing(maxUnavailable))
    yield wrong(`${at}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')
}

const isNothing = (amount: number | string): boolean => amount === 0 || /^0+%$/.test(String(amount))
