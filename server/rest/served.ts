/**
 * Objects as clients see them: in the words of the kind that they asked for, with `metadata.managedFields` in full. The store
 * has each set of fields as JSON text, which goes into an object's text as it is: nobody parses it to print it.
 */
import type { KubeObject } from '../../api/objects.ts'
import type { ResourceKind } from '../../api/resources.ts'
import { storedEntries } from '../managed/entries.ts'
import { servedForm } from './forms.ts'

type JsonMap = { readonly [field: string]: unknown }
type Typed = Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>

/** The JSON text of an object, or of its metadata under other type words. */
export function jsonOf(of: ResourceKind, object: Typed): string {
  const form = servedForm(of, object)
  if (!object.metadata.managedFields?.length) return JSON.stringify(form)
  const fields = Object.entries(form).map(([field, value]) => `${JSON.stringify(field)}:${field === 'metadata' ? metadataText(object, form.metadata) : JSON.stringify(value)}`)
  return `{${fields.join(',')}}`
}

/** @param metadata as it is served */
function metadataText(object: Typed, metadata: Typed['metadata']): string {
  const { managedFields: _, ...rest } = metadata
  const entries = storedEntries(object).map(({ fieldsV1, ...entry }) => `${JSON.stringify(entry).slice(0, -1)},"fieldsV1":${fieldsV1}}`)
  return `${JSON.stringify(rest).slice(0, -1)},"managedFields":[${entries.join(',')}]}`
}

/** The object as a value, for patches and other forms than JSON. */
export function served(of: ResourceKind, object: Typed): JsonMap {
  const form = servedForm(of, object)
  if (!object.metadata.managedFields?.length) return { ...form }
  const managedFields = storedEntries(object).map((entry) => ({ ...entry, fieldsV1: JSON.parse(entry.fieldsV1) as unknown }))
  return { ...form, metadata: { ...form.metadata, managedFields } }
}
