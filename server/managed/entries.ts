/** `metadata.managedFields`: who wrote which fields of an object. In the store each set of fields is one text. Pure. */
import type { KubeObject } from '../../api/objects.ts'
import type { StatusCause } from '../../api/status.ts'
import { required, tooLong, unsupported, wrong } from '../admit/causes.ts'
import { fieldsOf, isEmpty, none, textOf, union } from './fields.ts'
import type { Fields } from './fields.ts'
import { isMap } from './walk.ts'
import type { JsonMap } from './shape.ts'

export type Operation = 'Apply' | 'Update'

/** Who writes, and through which door. Two writes with equal words are of the same manager; an applier is the same in every version. */
export interface Writer {
  readonly name: string
  readonly operation: Operation
  /** Version of the API in which the fields are named. */
  readonly apiVersion: string
  /** '' for the object as a whole. */
  readonly subresource: string
}

export interface Manager extends Writer {
  /** RFC 3339; absent where a client did not say. */
  readonly time?: string
  readonly fields: Fields
}

/** meta/v1 ManagedFieldsEntry as it is stored: `fieldsV1` is JSON text. */
export interface StoredEntry {
  readonly manager: string
  readonly operation: Operation
  readonly apiVersion: string
  readonly time?: string
  readonly fieldsType: 'FieldsV1'
  readonly fieldsV1: string
  readonly subresource?: string
}

/** The manager that has what was there before anyone's fields were kept. */
export const beforeFirstApply = 'before-first-apply'
const oldestUpdates = 'ancient-changes'
/** Updates of more managers than this are kept together, so that an object does not grow with each client. */
const maxUpdaters = 10

export const sameWriter = (a: Writer, b: Writer): boolean =>
  a.name === b.name && a.operation === b.operation && (a.operation === 'Apply' || a.apiVersion === b.apiVersion) && a.subresource === b.subresource

/** The entries of a stored object. */
export function storedEntries({ metadata }: Pick<KubeObject, 'metadata'>): readonly StoredEntry[] {
  return (metadata.managedFields ?? []) as unknown as readonly StoredEntry[]
}

/** The managers of a stored object. */
export function managersOf(object: Pick<KubeObject, 'metadata'>): readonly Manager[] {
  return storedEntries(object).map(managerOf)
}

/** meta/v1 Time has seconds; libraries that read times into dates give them back with milliseconds. */
const inSeconds = (time: string): string => time.replace(/\.\d+Z$/, 'Z')

/** An entry that nobody can read counts as one without fields. */
function managerOf({ manager, operation, apiVersion, time, fieldsV1, subresource }: StoredEntry): Manager {
  const fields = fieldsOf(typeof fieldsV1 === 'string' ? JSON.parse(fieldsV1) : fieldsV1) ?? none
  return { name: manager, operation, apiVersion, subresource: subresource ?? '', ...(time && { time: inSeconds(time) }), fields }
}

/** The entries for managers, those of apply first, then by time and name; managers without fields are left out. */
export function entriesFor(managers: readonly Manager[]): readonly StoredEntry[] {
  const kept = bounded(managers.filter((m) => !isEmpty(m.fields)))
  const key = (m: Manager): string => [m.operation, m.time ?? '', m.name, m.apiVersion, m.subresource].join(' ')
  const sorted = kept.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
  return sorted.map(({ name, operation, apiVersion, time, fields, subresource }) => ({
    manager: name,
    operation,
    apiVersion,
    ...(time && { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: textOf(fields),
    ...(subresource && { subresource }),
  }))
}

function bounded(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers.filter((m) => m.operation === 'Update').toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1))
  const over = updaters.length - maxUpdaters
  if (over <= 0) return managers
  const old = new Set(updaters.slice(0, over + 1))
  const merged = [...Map.groupBy(old, (m) => m.apiVersion).values()].map((same) => ({
    ...same.at(-1)!,
    name: oldestUpdates,
    subresource: '',
    fields: same.reduce((sum, m) => union(sum, m.fields), none),
  }))
  return [...managers.filter((m) => !old.has(m)), ...merged]
}

/**
 * What a client itself says in `metadata.managedFields`: managers, a wish to forget them all (a list with one empty entry),
 * or undefined where it says nothing.
 */
export type Stated = { readonly kind: 'managers'; readonly managers: readonly Manager[] } | { readonly kind: 'forget' }

/** Reads a draft's managers. @returns causes where they are not valid */
export function statedManagers(metadata: JsonMap | undefined): Stated | readonly StatusCause[] | undefined {
  const list = metadata?.['managedFields']
  if (list === undefined || list === null || !Array.isArray(list) || list.length === 0) return undefined
  const items: readonly unknown[] = list
  if (items.length === 1 && isMap(items[0]) && Object.keys(items[0]).length === 0) return { kind: 'forget' }
  const causes = items.flatMap((entry, at) => entryCauses(entry, `metadata.managedFields[${at}]`))
  return causes.length > 0 ? causes : { kind: 'managers', managers: items.map((entry) => managerOf(entry as StoredEntry)) }
}

const maxName = 128
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u

/** @returns what is wrong with a manager's name */
export function nameCauses(field: string, name: string): readonly StatusCause[] {
  if (name.length > maxName) return [tooLong(field, `may not be more than ${maxName} characters long`)]
  return unprintable.test(name) ? [wrong(field, name, 'should only contain printable characters')] : []
}

/** The name that a program gives of itself as one that may stand in an entry. */
export const printable = (name: string): string => name.replaceAll(new RegExp(unprintable, 'gu'), '').slice(0, maxName)

function entryCauses(entry: unknown, at: string): readonly StatusCause[] {
  if (!isMap(entry)) return [wrong(at, entry, 'must be an object')]
  const { manager, operation, apiVersion, fieldsType, fieldsV1, subresource, time } = entry
  if (operation !== 'Apply' && operation !== 'Update') return [unsupported(`${at}.operation`, operation, ['Apply', 'Update'])]
  if (fieldsType !== 'FieldsV1') return [unsupported(`${at}.fieldsType`, fieldsType, ['FieldsV1'])]
  if (typeof manager !== 'string') return [required(`${at}.manager`)]
  for (const [field, value] of Object.entries({ apiVersion, subresource, time })) {
    if (value !== undefined && value !== null && typeof value !== 'string') return [wrong(`${at}.${field}`, value, 'must be a string')]
  }
  if (!isReadable(fieldsV1)) return [wrong(`${at}.fieldsV1`, undefined, 'must be a set of fields in the form FieldsV1')]
  return nameCauses(`${at}.manager`, manager)
}

function isReadable(fields: unknown): boolean {
  if (fields === undefined || fields === null) return true
  if (typeof fields !== 'string') return fieldsOf(fields) !== undefined
  try {
    return fieldsOf(JSON.parse(fields)) !== undefined
  } catch {
    return false
  }
}
