/** The columns of nodes. */
import type { Node } from '../../../api/objects.ts'
import { ageColumn, joined, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'

const rolePrefix = 'node-role.kubernetes.io/'

function statusText(node: Node): string {
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready')
  const words = [!ready ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady']
  if (node.spec?.unschedulable) words.push('SchedulingDisabled')
  return words.join(',')
}

function rolesText(node: Node): string {
  const labels = Object.entries(node.metadata.labels ?? {})
  const roles = labels.flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return [key.slice(rolePrefix.length)]
    return key === 'kubernetes.io/role' ? [value] : []
  })
  return joined([...new Set(roles)].toSorted())
}

const addressText = (node: Node, type: string): string => joined([node.status?.addresses?.find((a) => a.type === type)?.address])

const known = (text: string | undefined): string => text || '<unknown>'

export const nodeColumns: readonly Column<Node>[] = [
  nameColumn,
  { name: 'Status', description: 'Whether the node is ready and takes pods.', cell: statusText },
  { name: 'Roles', description: 'Roles, by label.', cell: rolesText },
  ageColumn,
  { name: 'Version', description: 'Version of the node agent.', cell: (node) => known(node.status?.nodeInfo?.kubeletVersion) },
  { name: 'Internal-IP', priority: 1, description: 'Address inside the cluster.', cell: (node) => addressText(node, 'InternalIP') },
  { name: 'External-IP', priority: 1, description: 'Address outside the cluster.', cell: (node) => addressText(node, 'ExternalIP') },
  { name: 'OS-Image', priority: 1, description: 'Operating system.', cell: (node) => known(node.status?.nodeInfo?.osImage) },
  { name: 'Kernel-Version', priority: 1, description: 'Kernel.', cell: (node) => known(node.status?.nodeInfo?.kernelVersion) },
  {
    name: 'Container-Runtime',
    priority: 1,
    description: 'Container runtime and its version.',
    cell: (node) => known(node.status?.nodeInfo?.containerRuntimeVersion),
  },
]
