/** The columns of deployments and replica sets. */
import type { Deployment, LabelSelector, ReplicaSet } from '../../../api/objects.ts'
import { ageColumn, joined, labelsText, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'

type Workload = Deployment | ReplicaSet

const containersOf = (w: Workload) => w.spec?.template?.spec?.containers ?? []

/** A label selector in one line: `app=web,tier in (a,b)`. */
export function selectorText(selector: LabelSelector | undefined): string {
  const equal = Object.keys(selector?.matchLabels ?? {}).length > 0 ? [labelsText(selector?.matchLabels)] : []
  const rest = (selector?.matchExpressions ?? []).map(({ key, operator, values }) => {
    if (operator === 'Exists') return key
    if (operator === 'DoesNotExist') return `!${key}`
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${(values ?? []).join(',')})`
  })
  return joined([...equal, ...rest])
}

const containers: Column<Workload> = {
  name: 'Containers',
  priority: 1,
  description: 'Names of the containers in the template.',
  cell: (w) => joined(containersOf(w).map((c) => c.name)),
}
const images: Column<Workload> = {
  name: 'Images',
  priority: 1,
  description: 'Images of the containers in the template.',
  cell: (w) => joined(containersOf(w).map((c) => c.image)),
}
const selector: Column<Workload> = {
  name: 'Selector',
  priority: 1,
  description: 'Labels of the pods that belong to it.',
  cell: (w) => selectorText(w.spec?.selector),
}

const wished = (w: Workload): number => w.spec?.replicas ?? 1

export const deploymentColumns: readonly Column<Deployment>[] = [
  nameColumn,
  { name: 'Ready', description: 'Ready pods of the wished number.', cell: (d) => `${d.status?.readyReplicas ?? 0}/${wished(d)}` },
  { name: 'Up-to-date', type: 'integer', description: 'Pods of the current template.', cell: (d) => d.status?.updatedReplicas ?? 0 },
  { name: 'Available', type: 'integer', description: 'Pods ready for long enough.', cell: (d) => d.status?.availableReplicas ?? 0 },
  ageColumn,
  containers,
  images,
  selector,
]

export const replicaSetColumns: readonly Column<ReplicaSet>[] = [
  nameColumn,
  { name: 'Desired', type: 'integer', description: 'Wished number of pods.', cell: wished },
  { name: 'Current', type: 'integer', description: 'Pods there are.', cell: (r) => r.status?.replicas ?? 0 },
  { name: 'Ready', type: 'integer', description: 'Pods that are ready.', cell: (r) => r.status?.readyReplicas ?? 0 },
  ageColumn,
  containers,
  images,
  selector,
]
