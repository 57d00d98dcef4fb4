/** The columns of kinds that limit or steer others. */
import type { HorizontalPodAutoscaler, LimitRange, PodDisruptionBudget, PriorityClass, ResourceQuota } from '../../../api/objects.ts'
import { ageColumn, nameColumn } from './columns.ts'
import type { Cell, Column } from './columns.ts'

export const limitRangeColumns: readonly Column<LimitRange>[] = [
  nameColumn,
  { name: 'Created At', description: 'When it was created.', cell: (l) => l.metadata.creationTimestamp },
]

/** Used and allowed amounts. */
function amountsText({ spec, status }: ResourceQuota, of: 'limits' | 'others'): string {
  return Object.entries(status?.hard ?? spec?.hard ?? {})
    .filter(([name]) => name.startsWith('limits.') === (of === 'limits'))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hard]) => `${name}: ${status?.used?.[name] ?? '0'}/${hard}`)
    .join(', ')
}

export const quotaColumns: readonly Column<ResourceQuota>[] = [
  nameColumn,
  ageColumn,
  { name: 'Request', description: 'Used and allowed: requests and numbers of objects.', cell: (q) => amountsText(q, 'others') },
  { name: 'Limit', description: 'Used and allowed: limits.', cell: (q) => amountsText(q, 'limits') },
]

const orNone = (amount: string | number | undefined): Cell => (amount === undefined ? 'N/A' : String(amount))

export const budgetColumns: readonly Column<PodDisruptionBudget>[] = [
  nameColumn,
  { name: 'Min Available', description: 'So many pods must stay.', cell: (b) => orNone(b.spec?.minAvailable) },
  { name: 'Max Unavailable', description: 'So many pods may be missing.', cell: (b) => orNone(b.spec?.maxUnavailable) },
  { name: 'Allowed Disruptions', type: 'integer', description: 'So many pods may go now.', cell: (b) => b.status?.disruptionsAllowed ?? 0 },
  ageColumn,
]

export const priorityClassColumns: readonly Column<PriorityClass>[] = [
  nameColumn,
  { name: 'Value', type: 'integer', description: 'Priority of the pods of this class.', cell: (p) => p.value ?? 0 },
  { name: 'Global-Default', type: 'boolean', description: 'Whether it is for all pods that name none.', cell: (p) => p.globalDefault ?? false },
  ageColumn,
  {
    name: 'PreemptionPolicy',
    priority: 1,
    description: 'Whether its pods may take the place of others.',
    cell: (p) => p.preemptionPolicy ?? 'PreemptLowerPriority',
  },
]

type Metric = NonNullable<NonNullable<HorizontalPodAutoscaler['spec']>['metrics']>[number]
type Current = NonNullable<NonNullable<HorizontalPodAutoscaler['status']>['currentMetrics']>[number]

const fields = { Resource: 'resource', ContainerResource: 'containerResource', Pods: 'pods', Object: 'object', External: 'external' } as const

/** A metric as `cpu: 20%/50%`: what is, and what should be. */
function metricText(metric: Metric, current: Current | undefined): string {
  const field = Object.hasOwn(fields, metric.type) ? fields[metric.type as keyof typeof fields] : undefined
  const source = field && metric[field]
  if (!source) return '<unknown type>'
  const { averageUtilization, averageValue, value } = source.target
  const is = current?.[field]?.current
  const average = averageValue !== undefined && field !== 'pods' && !('name' in source) ? ' (avg)' : ''
  const wished = averageUtilization === undefined ? `${averageValue ?? value ?? '<auto>'}${average}` : `${averageUtilization}%`
  const found = averageUtilization === undefined ? (averageValue === undefined ? is?.value : is?.averageValue) : is?.averageUtilization
  const shown = found === undefined ? '<unknown>' : averageUtilization === undefined ? String(found) : `${found}%`
  return `${'name' in source ? `${source.name}: ` : ''}${shown}/${wished}`
}

function targetsText({ spec, status }: HorizontalPodAutoscaler): string {
  const texts = (spec?.metrics ?? []).map((metric, i) => metricText(metric, status?.currentMetrics?.[i]))
  if (texts.length === 0) return '<none>'
  return texts.length > 2 ? `${texts.slice(0, 2).join(', ')} + ${texts.length - 2} more...` : texts.join(', ')
}

export const autoscalerColumns: readonly Column<HorizontalPodAutoscaler>[] = [
  nameColumn,
  { name: 'Reference', description: 'What it scales.', cell: ({ spec }) => `${spec?.scaleTargetRef.kind}/${spec?.scaleTargetRef.name}` },
  { name: 'Targets', description: 'What is measured, and what it should be.', cell: targetsText },
  { name: 'MinPods', description: 'At least so many pods.', cell: ({ spec }) => String(spec?.minReplicas ?? '<unset>') },
  { name: 'MaxPods', type: 'integer', description: 'At most so many pods.', cell: ({ spec }) => spec?.maxReplicas ?? 0 },
  { name: 'Replicas', type: 'integer', description: 'Pods there are.', cell: ({ status }) => status?.currentReplicas ?? 0 },
  ageColumn,
]
