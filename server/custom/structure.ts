/**
 * Whether a schema is structural (apiextensions.k8s.io/v1): every field has one type, whatever the values are, and what is said with
 * allOf, anyOf, oneOf and not only narrows it. Causes name the place in the definition.
 */
import { forbidden, required, unsupported, wrong, type Causes } from '../admit/causes.ts'
import { isPattern } from './pattern.ts'
import { createPatterns } from './pattern.ts'
import { isEmbedded, isIntOrString, isMap, ownWords, preserves, schemaOf, type JsonMap, type Schema } from './schema.ts'
import { pruned } from './prune.ts'
import { valueCauses } from './values.ts'
import { withDefaults } from './defaults.ts'
import { isDeepStrictEqual } from 'node:util'

type Form = 'text' | 'flag' | 'number' | 'count' | 'texts' | 'list' | 'schema' | 'schemas' | 'map' | 'schema or flag'

/** Every keyword that a schema may have, and what stands there. */
const keywords: ReadonlyMap<string, Form> = new Map(
  Object.entries({
    text: ['type', 'format', 'title', 'description', 'pattern', 'x-kubernetes-list-type', 'x-kubernetes-map-type'],
    flag: ['nullable', 'exclusiveMinimum', 'exclusiveMaximum', 'uniqueItems', ...['preserve-unknown-fields', 'int-or-string', 'embedded-resource'].map((w) => `x-kubernetes-${w}`)],
    number: ['minimum', 'maximum', 'multipleOf'],
    count: ['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'],
    texts: ['required', 'x-kubernetes-list-map-keys'],
    list: ['enum', 'x-kubernetes-validations'],
    map: ['properties'],
    schema: ['items', 'not'],
    'schema or flag': ['additionalProperties'],
    schemas: ['allOf', 'anyOf', 'oneOf'],
  } as const).flatMap(([form, words]) => words.map((word) => [word, form as Form] as const)),
)

/** Keywords of JSON Schema that no definition may have, and the way out. */
const refused: Readonly<Record<string, string>> = {
  $ref: 'write the schema out in its place',
  definitions: 'write the schemas out in their places',
  dependencies: 'say it with allOf, anyOf or oneOf, or leave it out',
  patternProperties: 'use additionalProperties',
  additionalItems: 'use items',
  id: 'leave it out',
  $schema: 'leave it out',
}

const isSchema = isMap
const forms: Readonly<Record<Form, readonly [is: (value: unknown) => boolean, named: string]>> = {
  text: [(v) => typeof v === 'string', 'a string'],
  flag: [(v) => typeof v === 'boolean', 'true or false'],
  number: [(v) => typeof v === 'number', 'a number'],
  count: [(v) => Number.isSafeInteger(v) && (v as number) >= 0, 'a whole number from 0 up'],
  texts: [(v) => Array.isArray(v) && v.every((item) => typeof item === 'string'), 'a list of strings'],
  list: [Array.isArray, 'a list'],
  schema: [isSchema, 'a schema, not a list of them'],
  schemas: [(v) => Array.isArray(v) && v.every(isSchema), 'a list of schemas'],
  map: [(v) => isMap(v) && Object.values(v).every(isSchema), 'an object of schemas'],
  'schema or flag': [(v) => isSchema(v) || typeof v === 'boolean', 'a schema, or true'],
}

/** How many levels a schema may have; bodies have at most so many, and two for each field. */
const maxLevels = 64

/** Whether what stands in a definition can be read as a schema at all. The other walks take it as one only then. */
export function* shapeCauses(value: unknown, path: string, level = 0): Causes {
  if (!isMap(value)) return yield wrong(path, value, 'must be a schema: an object')
  if (level > maxLevels) return yield forbidden(path, `a schema may have at most ${maxLevels} levels`)
  for (const [word, item] of Object.entries(value)) {
    if (Object.hasOwn(refused, word)) {
      yield forbidden(`${path}.${word}`, `structural schemas do not have it: ${refused[word]}`)
      continue
    }
    const kind = keywords.get(word)
    if (!kind) continue
    const [is, named] = forms[kind]
    if (!is(item)) yield wrong(`${path}.${word}`, item, `must be ${named}`)
    else for (const [at, inner] of schemasIn(word, item, path)) yield* shapeCauses(inner, at, level + 1)
  }
}

/** The schemas that stand in a keyword, with their places. */
function schemasIn(word: string, item: unknown, path: string): readonly (readonly [string, unknown])[] {
  const at = `${path}.${word}`
  const form = keywords.get(word)
  if (form === 'schema') return [[at, item]]
  if (form === 'schema or flag') return isMap(item) ? [[at, item]] : []
  if (form === 'schemas') return (item as readonly unknown[]).map((inner, i) => [`${at}[${i}]`, inner] as const)
  return form === 'map' ? Object.entries(item as object).map(([key, inner]) => [`${at}[${key}]`, inner] as const) : []
}

const types: readonly string[] = ['array', 'boolean', 'integer', 'number', 'object', 'string']

/** Everything by which a schema of the right shape is not structural. */
export function* structureCauses(schema: Schema, path: string): Causes {
  if (schema.type !== 'object') {
    yield schema.type ? wrong(`${path}.type`, schema.type, 'must be object at the root') : required(`${path}.type`, 'must be object at the root')
  }
  if (schema.nullable) yield forbidden(`${path}.nullable`, 'nullable cannot be true at the root')
  if (isIntOrString(schema)) yield forbidden(`${path}.x-kubernetes-int-or-string`, 'must not be set at the root')
  if (isEmbedded(schema)) yield forbidden(`${path}.x-kubernetes-embedded-resource`, 'must not be set at the root')
  yield* nodeCauses(schema, path)
  yield* wordCauses(schema, path)
}

function* nodeCauses(schema: Schema, path: string): Causes {
  const { type, properties, additionalProperties, items } = schema
  if (type && !types.includes(type)) yield unsupported(`${path}.type`, type, types)
  if (!type && !isIntOrString(schema) && !preserves(schema)) yield required(`${path}.type`, 'must not be empty: every field has its type')
  if (type && isIntOrString(schema)) yield forbidden(`${path}.type`, 'must be empty if x-kubernetes-int-or-string is true')
  if (properties && additionalProperties !== undefined && additionalProperties !== false) {
    yield forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive')
  }
  if (additionalProperties === false) yield forbidden(`${path}.additionalProperties`, 'additionalProperties cannot be set to false: fields that are not named are pruned')
  if (type === 'array' && !items) yield required(`${path}.items`, 'must be specified: the items have a type too')
  yield* extensionCauses(schema, path)
  yield* narrowCauses(schema, path)
  for (const [at, inner] of fieldsIn(schema, path)) yield* nodeCauses(inner, at)
  yield* choiceCauses(schema, schema, { path, place: path })
  yield* defaultCauses(schema, path)
}

function fieldsIn({ properties, additionalProperties, items }: Schema, path: string): readonly (readonly [string, Schema])[] {
  return [
    ...Object.entries(properties ?? {}).map(([key, inner]) => [`${path}.properties[${key}]`, inner] as const),
    ...(typeof additionalProperties === 'object' ? [[`${path}.additionalProperties`, additionalProperties] as const] : []),
    ...(items ? [[`${path}.items`, items] as const] : []),
  ]
}

/** What narrows values, here and in choices. */
function* narrowCauses(schema: Schema, path: string): Causes {
  const { pattern } = schema
  if (pattern !== undefined && !isPattern(pattern)) yield wrong(`${path}.pattern`, pattern, 'must be a valid regular expression (RE2)')
  if ((schema as JsonMap)['uniqueItems'] === true) yield forbidden(`${path}.uniqueItems`, 'uniqueItems cannot be set to true: use x-kubernetes-list-type: set')
  if (schema.multipleOf !== undefined && schema.multipleOf <= 0) yield wrong(`${path}.multipleOf`, schema.multipleOf, 'must be greater than 0')
}

function* extensionCauses(schema: Schema, path: string): Causes {
  const { type } = schema
  const at = (word: string): string => `${path}.x-kubernetes-${word}`
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) yield wrong(at('preserve-unknown-fields'), false, 'must be true or undefined')
  if (isIntOrString(schema) && (preserves(schema) || isEmbedded(schema))) yield forbidden(at('int-or-string'), 'must not be set where x-kubernetes-preserve-unknown-fields or -embedded-resource is')
  if (isEmbedded(schema)) {
    if (type !== 'object') yield wrong(`${path}.type`, type ?? '', 'must be object if x-kubernetes-embedded-resource is true')
    if (!preserves(schema) && !schema.properties) yield required(`${path}.properties`, 'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields')
    yield* wordCauses(schema, path)
  }
  const mapType = schema['x-kubernetes-map-type']
  if (mapType !== undefined) {
    if (type !== 'object') yield wrong(`${path}.type`, type ?? '', 'must be object if x-kubernetes-map-type is specified')
    if (mapType !== 'atomic' && mapType !== 'granular') yield unsupported(at('map-type'), mapType, ['atomic', 'granular'])
  }
  yield* listTypeCauses(schema, path)
}

function* listTypeCauses(schema: Schema, path: string): Causes {
  const { type, items } = schema
  const [listType, keys] = [schema['x-kubernetes-list-type'], schema['x-kubernetes-list-map-keys']]
  if (listType === undefined) {
    if (keys) yield wrong(`${path}.x-kubernetes-list-type`, '', 'must be map if x-kubernetes-list-map-keys is non-empty')
    return
  }
  if (type !== 'array') yield wrong(`${path}.type`, type ?? '', 'must be array if x-kubernetes-list-type is specified')
  if (!['atomic', 'set', 'map'].includes(listType)) yield unsupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map'])
  if (listType !== 'map') {
    if (keys) yield wrong(`${path}.x-kubernetes-list-type`, listType, 'must be map if x-kubernetes-list-map-keys is non-empty')
    if (listType === 'set' && items) yield* setItemCauses(items, `${path}.items`)
    return
  }
  if (!keys?.length) yield required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map')
  if (items && items.type !== 'object') yield wrong(`${path}.items.type`, items.type ?? '', 'must be object if parent array\'s x-kubernetes-list-type is map')
  for (const [i, key] of (keys ?? []).entries()) {
    const of = items?.properties && Object.hasOwn(items.properties, key) ? items.properties[key] : undefined
    if (!of) yield wrong(`${path}.x-kubernetes-list-map-keys[${i}]`, key, 'must name a field in items.properties')
    else if (of.type === 'object' || of.type === 'array') yield wrong(`${path}.items.properties[${key}].type`, of.type, 'must be a scalar type if parent array\'s x-kubernetes-list-type is map')
    else if (of.default === undefined && !items?.required?.includes(key)) {
      yield required(`${path}.items.properties[${key}].default`, 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property')
    }
  }
}

function* setItemCauses(items: Schema, path: string): Causes {
  if (items.nullable) yield forbidden(`${path}.nullable`, 'cannot be nullable when x-kubernetes-list-type is set')
  if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic') {
    yield wrong(`${path}.x-kubernetes-map-type`, items['x-kubernetes-map-type'] ?? '', 'must be atomic as item of a list with x-kubernetes-list-type set')
  }
  if (items.type === 'array' && !['atomic', undefined].includes(items['x-kubernetes-list-type'])) {
    yield wrong(`${path}.x-kubernetes-list-type`, items['x-kubernetes-list-type'], 'must be atomic as item of a list with x-kubernetes-list-type set')
  }
}

/** apiVersion, kind and metadata are what they are everywhere. */
function* wordCauses({ properties = {} }: Schema, path: string): Causes {
  for (const word of ownWords) {
    const of = Object.hasOwn(properties, word) ? properties[word] : undefined
    if (!of) continue
    const expected = word === 'metadata' ? 'object' : 'string'
    if (of.type !== expected) yield wrong(`${path}.properties[${word}].type`, of.type ?? '', `must be ${expected}`)
    if (word !== 'metadata') continue
    const astray = Object.keys(of).filter((key) => !['type', 'description', 'properties'].includes(key))
    const named = Object.keys(of.properties ?? {}).filter((key) => key !== 'name' && key !== 'generateName')
    if (astray.length + named.length > 0) yield forbidden(`${path}.properties[metadata]`, 'must not specify anything other than name and generateName, but metadata is implicitly specified')
  }
}

interface Nested {
  readonly path: string
  /** Where the schema stands that is narrowed. */
  readonly place: string
  readonly choice: 'allOf' | 'anyOf' | 'oneOf' | 'not'
}

const structuralOnly = 'must be empty to be structural'

/** Inside a choice nothing new is said of what there is. */
function* nestedCauses(schema: Schema, around: Schema, { path, place, choice }: Nested): Causes {
  const types = isIntOrString(around) && (choice === 'anyOf' || choice === 'allOf')
  for (const word of ['title', 'description', 'default', 'additionalProperties', 'nullable'] as const) {
    if (schema[word] !== undefined && schema[word] !== false) yield forbidden(`${path}.${word}`, structuralOnly)
  }
  if (schema.type && !types) yield forbidden(`${path}.type`, structuralOnly)
  const extensions = Object.keys(schema).filter((key) => key.startsWith('x-kubernetes-') && key !== 'x-kubernetes-validations')
  for (const word of extensions) yield forbidden(`${path}.${word}`, structuralOnly)
  yield* narrowCauses(schema, path)
  for (const [key, inner] of Object.entries(schema.properties ?? {})) {
    const [of, field] = [schemaOf(around, key), `properties[${key}]`]
    if (typeof of === 'object') yield* nestedCauses(inner, of, { path: `${path}.${field}`, place: `${place}.${field}`, choice: 'not' })
    else if (!of && !preserves(around)) yield required(`${place}.${field}`, `because it is defined in ${path}.${field}`)
  }
  if (schema.items) {
    if (around.items) yield* nestedCauses(schema.items, around.items, { path: `${path}.items`, place: `${place}.items`, choice: 'not' })
    else if (!preserves(around)) yield required(`${place}.items`, `because it is defined in ${path}.items`)
  }
  yield* choiceCauses(schema, around, { path, place })
}

/** The choices of a schema, of what another one says that is there. */
function* choiceCauses(schema: Schema, around: Schema, { path, place }: Pick<Nested, 'path' | 'place'>): Causes {
  for (const choice of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [i, inner] of (schema[choice] ?? []).entries()) yield* nestedCauses(inner, around, { path: `${path}.${choice}[${i}]`, place, choice })
  }
  if (schema.not) yield* nestedCauses(schema.not, around, { path: `${path}.not`, place, choice: 'not' })
}

/** A default is itself a value of its schema. */
function* defaultCauses(schema: Schema, path: string): Causes {
  if (schema.default === undefined) return
  const value = withDefaults(schema.default, schema)
  const at = `${path}.default`
  const whole = isMap(value) ? pruned({ properties: { v: schema } }, { v: value })['v'] : value
  if (!isDeepStrictEqual(whole, value)) yield wrong(at, schema.default, 'must not have unknown fields')
  yield* valueCauses(value, schema, { path: at, patterns: createPatterns() })
}
