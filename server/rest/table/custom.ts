/** The columns of definitions, and those that they say of their objects. */
import type { CustomResourceDefinition, KubeObject } from '../../../api/objects.ts'
import type { ResourceKind } from '../../../api/resources.ts'
import { customOf, type CustomColumn } from '../../custom/kind.ts'
import { valuesAt } from '../../custom/path.ts'
import { ageText } from './age.ts'
import { ageColumn, nameColumn, type Cell, type Column } from './columns.ts'

export const definitionColumns: readonly Column<CustomResourceDefinition>[] = [
  nameColumn,
  { name: 'Created At', type: 'date', description: 'When it was created.', cell: (crd) => crd.metadata.creationTimestamp },
]

/** The name, and what the definition says; without a word of it, the age. */
export function customColumns(of: ResourceKind): readonly Column<KubeObject>[] {
  const said = customOf(of)?.columns
  return said ? [nameColumn, ...said.map(columnOf)] : [nameColumn, ageColumn]
}

function columnOf({ path, ...column }: CustomColumn): Column<KubeObject> {
  return { ...column, cell: (object, now) => cellOf(column.type, valuesAt(object, path)[0], now) }
}

/** Of several values the first is shown; one of another type than the column's is not. */
function cellOf(type: string, value: unknown, now: number): Cell {
  if (value === undefined || value === null) return null
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : JSON.stringify(value)
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      return typeof value === 'string' ? (Number.isNaN(Date.parse(value)) ? '<invalid>' : ageText(value, now)) : null
    default:
      return null
  }
}
