/** Random structural schemas, and objects of any shape against them: what went through all steps stays as it is. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withDefaults } from '../../server/custom/defaults.ts'
import { createPatterns } from '../../server/custom/pattern.ts'
import { parsePath, valuesAt } from '../../server/custom/path.ts'
import { pruned, unknownFields } from '../../server/custom/prune.ts'
import type { JsonMap, Schema } from '../../server/custom/schema.ts'
import { customShape } from '../../server/custom/shape.ts'
import { shapeCauses, structureCauses } from '../../server/custom/structure.ts'
import { valueCauses } from '../../server/custom/values.ts'
import { compare, fieldsIn } from '../../server/managed/walk.ts'
import { isEmpty } from '../../server/managed/fields.ts'
import { merge } from '../../server/managed/merge.ts'
import { fuzz, limitMs } from './kit.ts'

const names = ['a', 'b', 'c', '__proto__', 'constructor'] as const
const maybe = <T extends object>(part: fc.Arbitrary<T>): fc.Arbitrary<T | object> => fc.oneof({ arbitrary: fc.constant({}), weight: 2 }, { arbitrary: part, weight: 1 })
const merged = (parts: readonly fc.Arbitrary<object>[]): fc.Arbitrary<Schema> => fc.tuple(...parts).map((all) => Object.assign({}, ...all) as Schema)

const scalar: fc.Arbitrary<Schema> = fc.oneof(
  merged([fc.constant({ type: 'string' }), maybe(fc.constantFrom({ default: 'x' }, { default: 'long' })), maybe(fc.constantFrom<object>({ enum: ['x', 'long'] }, { minLength: 1 }, { pattern: '^[a-z]*$' }, { format: 'ipv4' })), maybe(fc.constant({ nullable: true }))]),
  merged([fc.constant({ type: 'integer' }), maybe(fc.constant({ default: 3 })), maybe(fc.constantFrom<object>({ minimum: 1 }, { maximum: 5 }))]),
  fc.constant<Schema>({ type: 'boolean' }),
  fc.constant<Schema>({ 'x-kubernetes-int-or-string': true }),
  fc.constant<Schema>({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
)

/** Structural by the way it is made, but that defaults may not fit: such schemas are refused, and not looked at further. */
const schemaOf = (depth: number): fc.Arbitrary<Schema> => {
  if (depth <= 0) return scalar
  const inner = schemaOf(depth - 1)
  const struct = merged([
    fc.constant({ type: 'object' }),
    fc.dictionary(fc.constantFrom(...names), inner, { maxKeys: 3 }).map((properties) => ({ properties })),
    maybe(fc.constant({ required: ['a'] })),
    maybe(fc.constant({ 'x-kubernetes-preserve-unknown-fields': true })),
    maybe(fc.constant({ default: {} })),
    maybe(fc.constant({ 'x-kubernetes-map-type': 'atomic' })),
    maybe(fc.constant({ anyOf: [{ required: ['a'] }, { required: ['b'] }] })),
  ])
  const table = inner.map((value): Schema => ({
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
    items: { type: 'object', required: ['k'], properties: { k: { type: 'string' }, v: value } },
  }))
  return fc.oneof(
    scalar,
    struct,
    table,
    merged([fc.constant({ type: 'object' }), inner.map((additionalProperties) => ({ additionalProperties })), maybe(fc.constant({ default: {} }))]),
    merged([fc.constant({ type: 'array' }), inner.map((items) => ({ items }))]),
  )
}
const wholeOf = fc.dictionary(fc.constantFrom('spec', 'status', ...names), schemaOf(3), { minKeys: 1, maxKeys: 3 }).map((properties): Schema => ({ type: 'object', properties }))

/** A value that fits more or less. */
const valueOf = (schema: Schema, depth = 6): fc.Arbitrary<unknown> => {
  const odd = fc.oneof(fc.constant(null), fc.jsonValue({ maxDepth: 1 }))
  const fit = depth <= 0 ? odd : fitting(schema, depth)
  return fc.oneof({ arbitrary: fit, weight: 15 }, { arbitrary: odd, weight: 1 })
}
function fitting(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const { type, properties = {}, additionalProperties, items } = schema
  if (type === 'array') return fc.array(valueOf(items ?? {}, depth - 1), { maxLength: 3 })
  if (type === 'object' && typeof additionalProperties === 'object') return fc.dictionary(fc.constantFrom(...names, 'z'), valueOf(additionalProperties, depth - 1), { maxKeys: 3 })
  if (type === 'object') {
    const fields = Object.fromEntries([...Object.entries(properties).map(([key, of]) => [key, valueOf(of, depth - 1)] as const), ['odd', fc.constant(1)] as const])
    return fc.record(fields, { requiredKeys: [] })
  }
  return type === 'string' ? fc.constantFrom('x', 'long', '', '10.0.0.1') : type === 'boolean' ? fc.boolean() : fc.integer({ min: 0, max: 6 })
}
const pair = wholeOf.chain((schema) => fc.tuple(fc.constant(schema), valueOf(schema).map((v) => (typeof v === 'object' && v !== null && !Array.isArray(v) ? (JSON.parse(JSON.stringify(v)) as JsonMap) : {}))))

const isStructural = (schema: Schema): boolean => [...shapeCauses(schema, 's')].length === 0 && [...structureCauses(schema, 's')].length === 0
const faults = (object: JsonMap, schema: Schema) => [...valueCauses(object, schema, { path: '', patterns: createPatterns() })]

test('pruned, defaulted and right, an object stays as it is', async () => {
  let [structural, right] = [0, 0]
  await fuzz(pair, ([schema, sent]) => {
    if (!isStructural(schema)) return
    structural++
    const once = withDefaults(pruned(schema, sent), schema)
    expect(unknownFields(schema, once)).toEqual([])
    expect(pruned(schema, once)).toBe(once)
    expect(withDefaults(once, schema)).toBe(once)
    const causes = faults(once, schema)
    for (const { field, message } of causes) expect([field, message]).toEqual([expect.stringMatching(/./), expect.stringMatching(/./)])
    if (causes.length > 0) return
    right++
    const again = JSON.parse(JSON.stringify(once)) as JsonMap
    expect(withDefaults(pruned(schema, again), schema)).toEqual(once)
    expect(faults(again, schema)).toEqual([])
  })
  // Else nothing would have been tried.
  expect(Math.min(structural, right)).toBeGreaterThan(20)
}, limitMs)

test('what is pruned is what is told of', () =>
  fuzz(pair, ([schema, sent]) => {
    expect(pruned(schema, sent) === sent).toBe(unknownFields(schema, sent).length === 0)
  }), limitMs)

test('an object applied over another has what was applied', () =>
  fuzz(pair, ([schema, sent]) => {
    if (!isStructural(schema)) return
    const shape = customShape(schema)
    const once = withDefaults(pruned(schema, sent), schema)
    if (faults(once, schema).length > 0) return
    expect(merge(once, once, shape)).toEqual(once)
    expect(isEmpty(compare(once, merge(once, once, shape), shape).modified)).toBe(true)
    if (Object.keys(once).length > 0) expect(isEmpty(fieldsIn(once, shape))).toBe(false)
  }), limitMs)

test('any JSON is a schema, or told what is wrong', () =>
  fuzz(fc.oneof(fc.jsonValue({ maxDepth: 4 }), wholeOf, fc.dictionary(fc.constantFrom('type', 'properties', 'items', 'allOf', 'not', 'default', 'enum', '$ref', 'x-kubernetes-list-type'), fc.jsonValue())), (schema) => {
    const causes = [...shapeCauses(schema, 's')]
    for (const { field } of causes.length > 0 ? causes : structureCauses(schema as Schema, 's')) expect(field).toMatch(/^s/)
  }), limitMs)

test('any text is a path, or none', () => {
  const part = fc.constantFrom('.', 'a', '[', ']', '*', '?', '(', ')', '@', '==', '"', "'", '\\', '0', '-', ':', ',', ' ', '..', '[?(@.a=="b")]', '.a', '[0]')
  return fuzz(fc.tuple(fc.array(part, { maxLength: 12 }).map((parts) => parts.join('')), fc.jsonValue()), ([text, object]) => {
    const path = parsePath(text)
    if (path) expect(Array.isArray(valuesAt(object, path))).toBe(true)
  })
}, limitMs)
