/** What the schema of a custom kind does not know: told of, and taken away. Pure, and as deep as what is sent. */
import { pruned as prunedType, unknownFields as unknownInType } from '../admit/fields.ts'
import { fieldAt, isEmbedded, isMap, ownWords, preserves, schemaOf, type JsonMap, type Schema } from './schema.ts'

/** More are not told of at once. */
const maxUnknown = 50
const meta = { kind: 'ObjectMeta' } as const

/** The object with only what its schema knows; `metadata` has the fields that all objects' have. The same object where nothing goes. */
export function pruned(schema: Schema, object: JsonMap): JsonMap {
  return prunedMap(object, schema, true)
}

function prunedMap(object: JsonMap, schema: Schema, whole: boolean): JsonMap {
  const kept: [string, unknown][] = []
  let same = true
  for (const [key, value] of Object.entries(object)) {
    const next = whole && ownWords.includes(key) ? prunedWord(key, value) : prunedField(value, schemaOf(schema, key), preserves(schema))
    same &&= next === value
    if (next !== undefined) kept.push([key, next])
  }
  // fromEntries defines its fields, so that a key named __proto__ stays a key.
  return same ? object : Object.fromEntries(kept)
}

function prunedWord(key: string, value: unknown): unknown {
  if (value === null) return undefined
  return key === 'metadata' && isMap(value) ? prunedType(meta, value) : value
}

function prunedField(value: unknown, of: Schema | true | undefined, kept: boolean): unknown {
  if (of === undefined) return kept ? value : undefined
  return of === true ? value : prunedValue(value, of)
}

function prunedValue(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) return prunedList(value, schema)
  return isMap(value) ? prunedMap(value, schema, isEmbedded(schema)) : value
}

function prunedList(list: readonly unknown[], { items }: Schema): readonly unknown[] {
  if (!items) return list
  const next = list.map((item) => prunedValue(item, items))
  return next.every((item, i) => item === list[i]) ? list : next
}

/** Paths of the fields that would be pruned; at most 50. */
export function unknownFields(schema: Schema, object: JsonMap): string[] {
  const found: string[] = []
  collect(object, schema, { path: '', found, whole: true })
  return found.slice(0, maxUnknown)
}

interface Place {
  readonly path: string
  readonly found: string[]
  /** Whether the object has its type and metadata beside its schema. */
  readonly whole: boolean
}

function collect(value: unknown, schema: Schema, { path, found, whole }: Place): void {
  if (found.length >= maxUnknown) return
  if (Array.isArray(value)) {
    const { items } = schema
    if (items) value.forEach((item, i) => collect(item, items, { path: `${path}[${i}]`, found, whole: isEmbedded(items) }))
    return
  }
  if (!isMap(value)) return
  for (const [key, item] of Object.entries(value)) {
    const at = fieldAt(path, key, schema)
    if (whole && ownWords.includes(key)) {
      const field = path === '' ? key : `${path}.${key}`
      if (key === 'metadata') found.push(...unknownInType(meta, item).map((inner) => `${field}.${inner}`))
      continue
    }
    const of = schemaOf(schema, key)
    if (of === undefined && !preserves(schema)) found.push(at)
    else if (of !== undefined && of !== true) collect(item, of, { path: at, found, whole: isEmbedded(of) })
  }
}
