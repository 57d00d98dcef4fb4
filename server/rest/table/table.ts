/** Tables as the server prints them for kubectl: meta.k8s.io/v1 Table. */
import type { ConfigMap, KubeObject, Lease, Namespace, Secret, ServiceAccount } from '../../../api/objects.ts'
import { isBuiltIn, type BuiltInResource, type ResourceKind } from '../../../api/resources.ts'
import { readAs } from '../../custom/kind.ts'
import { served } from '../served.ts'
import { ageColumn, joined, nameColumn } from './columns.ts'
import type { Cell, Column } from './columns.ts'
import { customColumns, definitionColumns } from './custom.ts'
import { certificateColumns } from './certificates.ts'
import { eventColumns } from './events.ts'
import { nodeColumns } from './nodes.ts'
import { podColumns } from './pods.ts'
import { bindingColumns, roleColumns } from './roles.ts'
import { endpointsColumns, serviceColumns, sliceColumns } from './services.ts'
import { cronJobColumns, jobColumns } from './jobs.ts'
import { autoscalerColumns, budgetColumns, limitRangeColumns, priorityClassColumns, quotaColumns } from './policies.ts'
import { ingressClassColumns, ingressColumns, networkPolicyColumns } from './networking.ts'
import { persistentVolumeClaimColumns, persistentVolumeColumns, storageClassColumns } from './volumes.ts'
import {
  controllerRevisionColumns,
  daemonSetColumns,
  deploymentColumns,
  podTemplateColumns,
  replicaSetColumns,
  statefulSetColumns,
} from './workloads.ts'

export type IncludeObject = 'None' | 'Metadata' | 'Object'

/** meta.k8s.io/v1 TableRow. */
export interface Row {
  readonly cells: readonly Cell[]
  readonly object: unknown
}

export interface ColumnDefinition {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly description: string
  readonly priority: number
}

export interface Table {
  readonly kind: 'Table'
  readonly apiVersion: 'meta.k8s.io/v1'
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string; readonly remainingItemCount?: number }
  readonly columnDefinitions: readonly ColumnDefinition[] | null
  readonly rows: readonly Row[]
}

const namespaceColumns: readonly Column<Namespace>[] = [
  nameColumn,
  { name: 'Status', description: 'Active or Terminating.', cell: (n) => n.status?.phase ?? 'Active' },
  ageColumn,
]

const configMapColumns: readonly Column<ConfigMap>[] = [
  nameColumn,
  {
    name: 'Data',
    type: 'integer',
    description: 'Number of entries.',
    cell: (c) => Object.keys(c.data ?? {}).length + Object.keys(c.binaryData ?? {}).length,
  },
  ageColumn,
]

const secretColumns: readonly Column<Secret>[] = [
  nameColumn,
  { name: 'Type', description: 'What the secret is for.', cell: (s) => s.type ?? 'Opaque' },
  { name: 'Data', type: 'integer', description: 'Number of entries.', cell: (s) => Object.keys(s.data ?? {}).length },
  ageColumn,
]

const leaseColumns: readonly Column<Lease>[] = [
  nameColumn,
  { name: 'Holder', description: 'Who holds the lease.', cell: (l) => joined([l.spec?.holderIdentity]) },
  ageColumn,
]

const serviceAccountColumns: readonly Column<ServiceAccount>[] = [
  nameColumn,
  { name: 'Secrets', type: 'integer', description: 'Number of secrets it names.', cell: (a) => a.secrets?.length ?? 0 },
  ageColumn,
]

/** The columns of each kind, kept under the type that its cells expect. */
const columns: Readonly<Record<BuiltInResource, readonly Column<never>[]>> = {
  pods: podColumns,
  nodes: nodeColumns,
  services: serviceColumns,
  endpoints: endpointsColumns,
  'endpointslices.discovery.k8s.io': sliceColumns,
  'deployments.apps': deploymentColumns,
  'replicasets.apps': replicaSetColumns,
  events: eventColumns,
  namespaces: namespaceColumns,
  configmaps: configMapColumns,
  secrets: secretColumns,
  serviceaccounts: serviceAccountColumns,
  'leases.coordination.k8s.io': leaseColumns,
  'customresourcedefinitions.apiextensions.k8s.io': definitionColumns,
  'certificatesigningrequests.certificates.k8s.io': certificateColumns,
  'roles.rbac.authorization.k8s.io': roleColumns,
  'clusterroles.rbac.authorization.k8s.io': roleColumns,
  'rolebindings.rbac.authorization.k8s.io': bindingColumns,
  'clusterrolebindings.rbac.authorization.k8s.io': bindingColumns,
  replicationcontrollers: replicaSetColumns,
  podtemplates: podTemplateColumns,
  limitranges: limitRangeColumns,
  resourcequotas: quotaColumns,
  persistentvolumes: persistentVolumeColumns,
  persistentvolumeclaims: persistentVolumeClaimColumns,
  'daemonsets.apps': daemonSetColumns,
  'statefulsets.apps': statefulSetColumns,
  'controllerrevisions.apps': controllerRevisionColumns,
  'jobs.batch': jobColumns,
  'cronjobs.batch': cronJobColumns,
  'poddisruptionbudgets.policy': budgetColumns,
  'priorityclasses.scheduling.k8s.io': priorityClassColumns,
  'horizontalpodautoscalers.autoscaling': autoscalerColumns,
  'ingresses.networking.k8s.io': ingressColumns,
  'ingressclasses.networking.k8s.io': ingressClassColumns,
  'networkpolicies.networking.k8s.io': networkPolicyColumns,
  'storageclasses.storage.k8s.io': storageClassColumns,
}

const columnsOf = (of: ResourceKind): readonly Column<KubeObject>[] =>
  isBuiltIn(of.resource) ? (columns[of.resource] as readonly Column<KubeObject>[]) : customColumns(of)

export function columnDefinitions(of: ResourceKind): readonly ColumnDefinition[] {
  return columnsOf(of).map((c) => ({
    name: c.name,
    type: c.type ?? 'string',
    format: c.format ?? '',
    description: c.description,
    priority: c.priority ?? 0,
  }))
}

export interface RowOptions {
  readonly of: ResourceKind
  readonly include: IncludeObject
  /** ms since 1970 */
  readonly now: number
}

/** One object as a row. A cell that cannot be read from a malformed object is `<invalid>`; the row stays. */
export function rowOf(object: KubeObject, { of, include, now }: RowOptions): Row {
  const shown = readAs(of, object)
  const cells = columnsOf(of).map((column) => {
    try {
      return column.cell(shown, now)
    } catch {
      return '<invalid>'
    }
  })
  return { cells, object: include === 'None' ? null : include === 'Object' ? served(of, object) : withoutManagers(object) }
}

/** A row is for people to look at: who wrote which field, which is most of an object's metadata, is not looked for there. */
function withoutManagers(object: KubeObject): ReturnType<typeof partial> {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...partial(object), metadata }
}

/** meta.k8s.io/v1 PartialObjectMetadata: an object without its content. */
export function partial(object: KubeObject): Pick<KubeObject, 'kind' | 'apiVersion' | 'metadata'> {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata }
}
