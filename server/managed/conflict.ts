/** How a refused apply says whose fields it would have taken. */
import { StatusError } from '../../api/status.ts'
import type { StatusCause } from '../../api/status.ts'
import { paths } from './fields.ts'
import type { Fields } from './fields.ts'
import type { Manager } from './entries.ts'

export interface Conflict {
  readonly manager: Manager
  /** At least one. */
  readonly fields: Fields
}

/** The failure for conflicts (at least one), in the words that kubectl shows. */
export function conflicted(conflicts: readonly Conflict[]): StatusError {
  const found = conflicts.flatMap(({ manager, fields }) => paths(fields).map((field) => ({ who: named(manager), field })))
  const causes: readonly StatusCause[] = found.map(({ who, field }) => ({ reason: 'FieldManagerConflict', field, message: `conflict with ${who}` }))
  return new StatusError('Conflict', `Apply failed with ${told(found)}`, { causes })
}

function told(found: readonly { readonly who: string; readonly field: string }[]): string {
  const [first] = found
  if (found.length === 1) return `1 conflict: conflict with ${first!.who}: ${first!.field}`
  const groups = [...Map.groupBy(found, (c) => c.who)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const lists = groups.map(([who, its]) => `conflicts with ${who}:\n${its.map((c) => `- ${c.field}`).join('\n')}`)
  return `${found.length} conflicts: ${lists.join('\n')}`
}

function named({ name, operation, apiVersion, subresource }: Manager): string {
  const text = `${JSON.stringify(name)}${subresource ? ` with subresource ${JSON.stringify(subresource)}` : ''}`
  return operation === 'Update' ? `${text} using ${apiVersion}` : text
}
