/** Whether an object is what the schema of its kind says (apiextensions.k8s.io/v1, structural schemas). CEL is not evaluated. */
import { isDeepStrictEqual } from 'node:util'
import { duplicate, required, typeNames, unsupported, wrong, type Causes } from '../admit/causes.ts'
import { formatProblem } from './formats.ts'
import type { Patterns } from './pattern.ts'
import { fieldAt, isEmbedded, isIntOrString, isMap, schemaOf, type JsonMap, type Schema } from './schema.ts'

function hasType(type: string, value: unknown): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value)
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isMap(value)
    default:
      return typeof value === type
  }
}

/** The field that a cause names where no field is at fault alone. */
const wholeObject = '<object>'

/** Everything that is wrong with a value. @param path '' for a whole object, whose type and metadata are checked elsewhere */
export function* valueCauses(value: unknown, schema: Schema, at: { readonly path: string; readonly patterns: Patterns }): Causes {
  const { path, patterns } = at
  if (value === null && schema.nullable) return
  const { type } = schema
  if (isIntOrString(schema) ? typeof value !== 'string' && !Number.isInteger(value) : type && !hasType(type, value)) {
    return yield wrong(path, value, `must be ${isIntOrString(schema) ? 'a whole number or a string' : (typeNames[type!] ?? type!)}`)
  }
  yield* ownCauses(value, schema, at)
  if (Array.isArray(value)) {
    yield* listCauses(value, schema, path)
    if (schema.items) for (const [i, item] of value.entries()) yield* valueCauses(item, schema.items, { path: `${path}[${i}]`, patterns })
  } else if (isMap(value)) {
    yield* mapCauses(value, schema, at)
  }
  yield* choiceCauses(value, schema, at)
}

function* ownCauses(value: unknown, schema: Schema, { path, patterns }: { readonly path: string; readonly patterns: Patterns }): Causes {
  if (schema.enum && !schema.enum.some((word) => isDeepStrictEqual(word, value))) {
    yield unsupported(path, value, schema.enum.map((word) => (typeof word === 'string' ? word : JSON.stringify(word))))
  }
  const problem = schema.format === undefined ? undefined : formatProblem(schema.format, value)
  if (problem) yield wrong(path, value, `must be ${problem}`)
  if (typeof value === 'number') yield* numberCauses(value, schema, path)
  if (typeof value !== 'string') return
  const { minLength, maxLength, pattern } = schema
  // Characters, not the halves of which some are made.
  const length = minLength === undefined && maxLength === undefined ? 0 : Array.from(value).length
  if (minLength !== undefined && length < minLength) yield wrong(path, value, `must have at least ${minLength} characters`)
  if (maxLength !== undefined && length > maxLength) yield wrong(path, value, `may have at most ${maxLength} characters`)
  if (!pattern) return
  const found = patterns.matches(pattern, value)
  if (found === undefined) yield wrong(path, value, `is too long to be matched against '${pattern}'`)
  else if (!found) yield wrong(path, value, `must match '${pattern}'`)
}

function* numberCauses(value: number, schema: Schema, path: string): Causes {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
    yield wrong(path, value, `must be ${exclusiveMinimum ? 'greater than' : 'greater than or equal to'} ${minimum}`)
  }
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
    yield wrong(path, value, `must be ${exclusiveMaximum ? 'less than' : 'less than or equal to'} ${maximum}`)
  }
  if (!multipleOf) return
  const times = value / multipleOf
  if (Math.abs(times - Math.round(times)) > 1e-9) yield wrong(path, value, `must be a multiple of ${multipleOf}`)
}

function* listCauses(list: readonly unknown[], schema: Schema, path: string): Causes {
  const { minItems, maxItems } = schema
  if (minItems !== undefined && list.length < minItems) yield wrong(path, list, `must have at least ${minItems} items`)
  if (maxItems !== undefined && list.length > maxItems) yield wrong(path, list.length, `may have at most ${maxItems} items`)
  const kind = schema['x-kubernetes-list-type']
  if (kind !== 'set' && kind !== 'map') return
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const keyOf = (item: unknown): unknown => (kind === 'set' ? item : Object.fromEntries(keys.filter((k) => isMap(item) && item[k] !== undefined).map((k) => [k, (item as JsonMap)[k]])))
  const seen = new Set<string>()
  for (const [i, item] of list.entries()) {
    const text = canonical(keyOf(item))
    if (seen.has(text)) yield duplicate(`${path}[${i}]`, keyOf(item))
    seen.add(text)
  }
}

/** One text for equal values. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isMap(value)) return JSON.stringify(value) ?? 'null'
  return `{${Object.keys(value).toSorted().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`
}

function* mapCauses(object: JsonMap, schema: Schema, { path, patterns }: { readonly path: string; readonly patterns: Patterns }): Causes {
  const { minProperties, maxProperties } = schema
  const count = Object.keys(object).length
  if (minProperties !== undefined && count < minProperties) yield wrong(path, object, `must have at least ${minProperties} fields`)
  if (maxProperties !== undefined && count > maxProperties) yield wrong(path, count, `may have at most ${maxProperties} fields`)
  for (const key of schema.required ?? []) {
    if (!Object.hasOwn(object, key)) yield required(fieldAt(path, key, schema))
  }
  if (isEmbedded(schema)) yield* embeddedCauses(object, path)
  for (const [key, value] of Object.entries(object)) {
    const of = schemaOf(schema, key)
    if (of !== undefined && of !== true) yield* valueCauses(value, of, { path: fieldAt(path, key, schema), patterns })
  }
}

function* embeddedCauses(object: JsonMap, path: string): Causes {
  for (const word of ['apiVersion', 'kind']) {
    const value = object[word]
    if (value === undefined || value === '') yield required(`${path}.${word}`, 'must not be empty')
    else if (typeof value !== 'string') yield wrong(`${path}.${word}`, value, 'must be a string')
  }
  if (object['metadata'] !== undefined && !isMap(object['metadata'])) yield wrong(`${path}.metadata`, object['metadata'], 'must be an object')
}

function* choiceCauses(value: unknown, { allOf = [], anyOf, oneOf, not }: Schema, at: { readonly path: string; readonly patterns: Patterns }): Causes {
  const fits = (schema: Schema): boolean => valueCauses(value, schema, at).next().done === true
  const place = at.path || wholeObject
  for (const schema of allOf) yield* valueCauses(value, schema, at)
  if (anyOf?.length && !anyOf.some(fits)) yield wrong(place, value, 'must fit at least one of the schemas in anyOf')
  if (oneOf?.length) {
    const count = oneOf.filter(fits).length
    if (count !== 1) yield wrong(place, value, `must fit one and only one of the schemas in oneOf, and fits ${count === 0 ? 'none' : count}`)
  }
  if (not && fits(not)) yield wrong(place, value, 'must not fit the schema in not')
}
