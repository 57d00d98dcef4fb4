/** The columns of the kinds that keep pods running. */
import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  KubeObject,
  LabelSelector,
  PodTemplate,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../../../api/objects.ts'
import { ageColumn, joined, labelsText, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'

type Workload = Deployment | ReplicaSet | ReplicationController | StatefulSet | DaemonSet

const containersOf = (template: PodTemplateSpec | undefined) => template?.spec?.containers ?? []

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

/** The selector of any workload: of a replication controller it is a map of labels. */
export function selectorOf(spec: unknown): string {
  const { selector } = (spec ?? {}) as { readonly selector?: LabelSelector | Readonly<Record<string, string>> }
  const words = Object.values(selector ?? {})
  const plain = words.length > 0 && words.every((word) => typeof word === 'string')
  return plain ? labelsText(selector as Readonly<Record<string, string>>) : selectorText(selector as LabelSelector | undefined)
}

/** What is in a template, for `-o wide`. @param templateOf finds it in an object of the kind */
export function contents<T extends KubeObject>(templateOf: (object: T) => PodTemplateSpec | undefined): readonly Column<T>[] {
  return [
    {
      name: 'Containers',
      priority: 1,
      description: 'Names of the containers in the template.',
      cell: (object) => joined(containersOf(templateOf(object)).map((c) => c.name)),
    },
    {
      name: 'Images',
      priority: 1,
      description: 'Images of the containers in the template.',
      cell: (object) => joined(containersOf(templateOf(object)).map((c) => c.image)),
    },
  ]
}

const inside = contents<Workload>((w) => w.spec?.template)
const selector: Column<KubeObject> = {
  name: 'Selector',
  priority: 1,
  description: 'Labels of the pods that belong to it.',
  cell: (w) => selectorOf(w.spec),
}

const wished = (w: Exclude<Workload, DaemonSet>): number => w.spec?.replicas ?? 1

export const deploymentColumns: readonly Column<Deployment>[] = [
  nameColumn,
  { name: 'Ready', description: 'Ready pods of the wished number.', cell: (d) => `${d.status?.readyReplicas ?? 0}/${wished(d)}` },
  { name: 'Up-to-date', type: 'integer', description: 'Pods of the current template.', cell: (d) => d.status?.updatedReplicas ?? 0 },
  { name: 'Available', type: 'integer', description: 'Pods ready for long enough.', cell: (d) => d.status?.availableReplicas ?? 0 },
  ageColumn,
  ...inside,
  selector,
]

/** Of replication controllers as well. */
export const replicaSetColumns: readonly Column<ReplicaSet | ReplicationController>[] = [
  nameColumn,
  { name: 'Desired', type: 'integer', description: 'Wished number of pods.', cell: wished },
  { name: 'Current', type: 'integer', description: 'Pods there are.', cell: (r) => r.status?.replicas ?? 0 },
  { name: 'Ready', type: 'integer', description: 'Pods that are ready.', cell: (r) => r.status?.readyReplicas ?? 0 },
  ageColumn,
  ...inside,
  selector,
]

export const statefulSetColumns: readonly Column<StatefulSet>[] = [
  nameColumn,
  { name: 'Ready', description: 'Ready pods of the wished number.', cell: (s) => `${s.status?.readyReplicas ?? 0}/${wished(s)}` },
  ageColumn,
  ...inside,
]

const count = (name: string, description: string, cell: Column<DaemonSet>['cell']): Column<DaemonSet> => ({ name, type: 'integer', description, cell })

export const daemonSetColumns: readonly Column<DaemonSet>[] = [
  nameColumn,
  count('Desired', 'Nodes that should have a pod.', (d) => d.status?.desiredNumberScheduled ?? 0),
  count('Current', 'Nodes that have one and should.', (d) => d.status?.currentNumberScheduled ?? 0),
  count('Ready', 'Nodes whose pod is ready.', (d) => d.status?.numberReady ?? 0),
  count('Up-to-date', 'Nodes whose pod is of the current template.', (d) => d.status?.updatedNumberScheduled ?? 0),
  count('Available', 'Nodes whose pod is ready for long enough.', (d) => d.status?.numberAvailable ?? 0),
  {
    name: 'Node Selector',
    description: 'Labels of the nodes that should have a pod.',
    cell: (d) => labelsText(d.spec?.template?.spec?.nodeSelector),
  },
  ageColumn,
  ...inside,
  selector,
]

export const podTemplateColumns: readonly Column<PodTemplate>[] = [
  nameColumn,
  ...contents<PodTemplate>((t) => t.template).map((column) => ({ ...column, priority: 0 as const })),
  { name: 'Pod Labels', description: 'Labels of the pods of this template.', cell: (t) => labelsText(t.template?.metadata?.labels) },
]

export const controllerRevisionColumns: readonly Column<ControllerRevision>[] = [
  nameColumn,
  {
    name: 'Controller',
    description: 'Whose past state it is.',
    cell: ({ metadata }) => {
      const owner = metadata.ownerReferences?.find((o) => o.controller)
      return owner ? `${owner.kind.toLowerCase()}.${groupOf(owner.apiVersion)}/${owner.name}`.replace('./', '/') : '<none>'
    },
  },
  { name: 'Revision', type: 'integer', description: 'Number of the state.', cell: (r) => r.revision },
  ageColumn,
]

const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '')
