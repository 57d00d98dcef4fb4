/** Fills in the defaults of a schema (apiextensions.k8s.io/v1, Defaulting). Pure; doing it twice is doing it once. */
import { isMap, schemaOf, type JsonMap, type Schema } from './schema.ts'

/** A null that the schema does not allow stands for an absent field. */
const isAbsent = (value: unknown, schema: Schema | true): boolean => value === null && schema !== true && !schema.nullable

/** The value with its defaults; the same value where nothing is missing. */
export function withDefaults<T>(value: T, schema: Schema): T {
  if (Array.isArray(value)) return listDefaults(value, schema) as T
  return isMap(value) ? (mapDefaults(value, schema) as T) : value
}

function listDefaults(list: readonly unknown[], { items }: Schema): readonly unknown[] {
  if (!items) return list
  const filled = list.map((item) => (isAbsent(item, items) && items.default !== undefined ? defaultOf(items) : withDefaults(item, items)))
  return filled.every((item, i) => item === list[i]) ? list : filled
}

function mapDefaults(object: JsonMap, schema: Schema): JsonMap {
  const filled: [string, unknown][] = []
  let same = true
  for (const [key, value] of Object.entries(object)) {
    const of = schemaOf(schema, key)
    const next = of === undefined || of === true ? value : isAbsent(value, of) ? defaultOf(of) : withDefaults(value, of)
    same &&= next === value
    if (next !== undefined) filled.push([key, next])
  }
  for (const [key, of] of Object.entries(schema.properties ?? {})) {
    if (of.default === undefined || Object.hasOwn(object, key)) continue
    same = false
    filled.push([key, defaultOf(of)])
  }
  return same ? object : Object.fromEntries(filled)
}

/** A default may itself be filled in by what lies below it. */
function defaultOf(schema: Schema): unknown {
  return schema.default === undefined ? undefined : withDefaults(schema.default, schema)
}
