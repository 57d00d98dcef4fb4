/** Checks of autoscaling/v2 HorizontalPodAutoscaler. */
import type { HorizontalPodAutoscaler } from '../../../api/objects.ts'
import { forbidden, required, unsupported, wrong, type Causes } from '../causes.ts'
import { readAmount } from './amounts.ts'
import { validateSelector } from './meta.ts'

type Scaling = NonNullable<HorizontalPodAutoscaler['spec']>
type Metric = NonNullable<Scaling['metrics']>[number]
type Rules = NonNullable<NonNullable<Scaling['behavior']>['scaleUp']>
type Target = NonNullable<Metric['resource']>['target']

export function* validateAutoscaler({ spec }: HorizontalPodAutoscaler): Causes {
  if (!spec) return yield required('spec')
  const { minReplicas = 1, maxReplicas, scaleTargetRef, metrics = [], behavior } = spec
  if (minReplicas < 0) yield wrong('spec.minReplicas', minReplicas, 'must be greater than or equal to 0')
  const measured = metrics.some((m) => m.type === 'Object' || m.type === 'External')
  if (minReplicas === 0 && !measured) yield wrong('spec.minReplicas', 0, 'must be greater than or equal to 1, unless there is an Object or External metric')
  if (maxReplicas < 1) yield wrong('spec.maxReplicas', maxReplicas, 'must be greater than 0')
  if (maxReplicas < minReplicas) yield wrong('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`')
  yield* validateReference('spec.scaleTargetRef', scaleTargetRef)
  for (const [i, metric] of metrics.entries()) yield* validateMetric(`spec.metrics[${i}]`, metric)
  if (behavior?.scaleUp) yield* validateRules('spec.behavior.scaleUp', behavior.scaleUp)
  if (behavior?.scaleDown) yield* validateRules('spec.behavior.scaleDown', behavior.scaleDown)
}

function* validateReference(field: string, { kind, name }: { readonly kind: string; readonly name: string }): Causes {
  if (kind === '') yield required(`${field}.kind`)
  if (name === '') yield required(`${field}.name`)
  else if (/[/%]/.test(name) || name === '.' || name === '..') yield wrong(`${field}.name`, name, "must not be '.' or '..', nor have '/' or '%'")
}

/** The field of each type, and the ways in which its target may be said. */
const sources = {
  Resource: ['resource', ['Utilization', 'AverageValue']],
  ContainerResource: ['containerResource', ['Utilization', 'AverageValue']],
  Pods: ['pods', ['AverageValue']],
  Object: ['object', ['Value', 'AverageValue']],
  External: ['external', ['Value', 'AverageValue']],
} as const

function* validateMetric(field: string, metric: Metric): Causes {
  const known = Object.hasOwn(sources, metric.type) ? sources[metric.type as keyof typeof sources] : undefined
  if (!known) return yield unsupported(`${field}.type`, metric.type, Object.keys(sources))
  const [own, ways] = known
  for (const [other] of Object.values(sources)) {
    if (other !== own && metric[other]) yield forbidden(`${field}.${other}`, `may not be given where \`type\` is '${metric.type}'`)
  }
  const source = metric[own]
  if (!source) return yield required(`${field}.${own}`, `must be given where \`type\` is '${metric.type}'`)
  if ('name' in source && source.name === '') yield required(`${field}.${own}.name`)
  if ('container' in source && source.container === '') yield required(`${field}.${own}.container`)
  if ('describedObject' in source) yield* validateReference(`${field}.${own}.describedObject`, source.describedObject)
  if ('metric' in source) {
    if (source.metric.name === '') yield required(`${field}.${own}.metric.name`)
    if (source.metric.selector) yield* validateSelector(`${field}.${own}.metric.selector`, source.metric.selector)
  }
  yield* validateTarget(`${field}.${own}.target`, source.target, ways)
}

const targetFields = { Utilization: 'averageUtilization', AverageValue: 'averageValue', Value: 'value' } as const

function* validateTarget(field: string, target: Target, ways: readonly (keyof typeof targetFields)[]): Causes {
  const way = ways.find((w) => w === target.type)
  if (!way) return yield unsupported(`${field}.type`, target.type, ways)
  const given = target[targetFields[way]]
  if (given === undefined) return yield required(`${field}.${targetFields[way]}`, `must be given where \`type\` is '${way}'`)
  const amount = readAmount(given)
  if (typeof amount === 'string') yield wrong(`${field}.${targetFields[way]}`, given, amount)
  else if (amount <= 0n) yield wrong(`${field}.${targetFields[way]}`, given, 'must be positive')
}

function* validateRules(field: string, { stabilizationWindowSeconds: window, policies = [], selectPolicy }: Rules): Causes {
  if (window !== undefined && (window < 0 || window > 3600)) yield wrong(`${field}.stabilizationWindowSeconds`, window, 'must be between 0 and 3600')
  if (selectPolicy !== undefined && !['Max', 'Min', 'Disabled'].includes(selectPolicy)) yield unsupported(`${field}.selectPolicy`, selectPolicy, ['Max', 'Min', 'Disabled'])
  if (policies.length === 0) yield required(`${field}.policies`, 'must specify at least one policy')
  for (const [i, { type, value, periodSeconds }] of policies.entries()) {
    const at = `${field}.policies[${i}]`
    if (type !== 'Pods' && type !== 'Percent') yield unsupported(`${at}.type`, type, ['Pods', 'Percent'])
    if (value <= 0) yield wrong(`${at}.value`, value, 'must be greater than 0')
    if (periodSeconds <= 0 || periodSeconds > 1800) yield wrong(`${at}.periodSeconds`, periodSeconds, 'must be between 1 and 1800')
  }
}
