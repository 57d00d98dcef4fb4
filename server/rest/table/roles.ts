/** The columns of roles and of their bindings. */
import type { ClusterRole, Role, RoleBinding, Subject } from '../../../api/objects.ts'
import { ageColumn, joined, nameColumn } from './columns.ts'
import type { Column } from './columns.ts'

export const roleColumns: readonly Column<Role | ClusterRole>[] = [
  nameColumn,
  { name: 'Created At', description: 'When the role was made.', cell: (role) => role.metadata.creationTimestamp },
]

const named = (name: string, kind: Subject['kind']): Column<RoleBinding> => ({
  name,
  priority: 1,
  description: `Subjects of kind ${kind}.`,
  cell: ({ subjects = [] }) => {
    const own = subjects.filter((s) => s.kind === kind)
    const names = own.map((s) => (s.namespace ? `${s.namespace}/${s.name}` : s.name))
    return names.length > 0 ? joined(names, ', ') : ''
  },
})

export const bindingColumns: readonly Column<RoleBinding>[] = [
  nameColumn,
  { name: 'Role', description: 'The role that is given.', cell: ({ roleRef }) => `${roleRef.kind}/${roleRef.name}` },
  ageColumn,
  named('Users', 'User'),
  named('Groups', 'Group'),
  named('ServiceAccounts', 'ServiceAccount'),
]
