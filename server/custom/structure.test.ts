import { describe, expect, test } from 'vitest'
import type { Schema } from './schema.ts'
import { shapeCauses, structureCauses } from './structure.ts'

const told = (schema: unknown): readonly string[] => {
  const shape = [...shapeCauses(schema, 's')]
  return [...shape, ...(shape.length > 0 ? [] : structureCauses(schema as Schema, 's'))].map((c) => `${c.field}: ${c.message}`)
}
const root = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
const text = { type: 'string' }

describe('schemas of definitions', () => {
  test.each<[string, unknown]>([
    ['nothing said', { type: 'object' }],
    ['anything', { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }],
    ['fields, maps and lists', root({ a: text, b: { type: 'object', additionalProperties: text }, c: { type: 'array', items: text } })],
    ['any values', root({ a: { type: 'object', additionalProperties: true } })],
    ['numbers or texts', root({ a: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] } })],
    ['numbers or texts, narrowed', root({ a: { 'x-kubernetes-int-or-string': true, allOf: [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }, { pattern: 'x' }] } })],
    ['a choice of what there is', root({ a: text, b: text }, { oneOf: [{ required: ['a'] }, { required: ['b'], properties: { b: { minLength: 1 } } }] })],
    ['a table', root({ a: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items: { ...root({ k: text }), required: ['k'] } } })],
    ['names of metadata', root({ metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 8 } } } })],
    ['a default', root({ a: { ...root({ b: { type: 'integer', default: 1 } }), default: {} } })],
    ['a list of anything', root({ a: { type: 'array', 'x-kubernetes-preserve-unknown-fields': true, items: { 'x-kubernetes-preserve-unknown-fields': true } } })],
  ])('%s', (_name, schema) => expect(told(schema)).toEqual([]))

  test.each<[unknown, string]>([
    [{}, 's.type: Required value: must be object at the root'],
    [{ type: 'string' }, 's.type: Invalid value: "string": must be object at the root'],
    [root({ a: {} }), 's.properties[a].type: Required value'],
    [root({ a: { 'x-kubernetes-int-or-string': true, 'x-kubernetes-preserve-unknown-fields': true } }), 's.properties[a].x-kubernetes-int-or-string: Forbidden'],
    [root({ a: { type: 'text' } }), 's.properties[a].type: Unsupported value: "text"'],
    [root({ a: { type: 1 } }), 's.properties[a].type: Invalid value: 1: must be a string'],
    [root({ a: { $ref: '#/x' } }), 's.properties[a].$ref: Forbidden: structural schemas do not have it: write the schema out in its place'],
    [root({ a: { type: 'array' } }), 's.properties[a].items: Required value'],
    [root({ a: { type: 'array', items: [text] } }), 's.properties[a].items: Invalid value'],
    [root({ a: { type: 'array', items: text, uniqueItems: true } }), 's.properties[a].uniqueItems: Forbidden'],
    [root({}, { additionalProperties: false }), 's.additionalProperties: Forbidden'],
    [root({ a: { ...root({ b: text }), additionalProperties: text } }), 's.properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive'],
    [root({ a: { type: 'string', pattern: '(' } }), 's.properties[a].pattern: Invalid value: "(": must be a valid regular expression'],
    [root({ a: text }, { anyOf: [{ properties: { a: { type: 'string' } } }] }), 's.anyOf[0].properties[a].type: Forbidden: must be empty to be structural'],
    [root({ a: text }, { anyOf: [{ properties: { b: {} } }] }), 's.properties[b]: Required value: because it is defined in s.anyOf[0].properties[b]'],
    [root({ a: { type: 'array', items: text, 'x-kubernetes-list-type': 'map' } }), 's.properties[a].x-kubernetes-list-map-keys: Required value'],
    [root({ a: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items: root({ k: text }) } }), 's.properties[a].items.properties[k].default: Required value'],
    [root({ a: { type: 'array', 'x-kubernetes-list-type': 'set', items: root({}) } }), 's.properties[a].items.x-kubernetes-map-type: Invalid value'],
    [root({ a: { type: 'object', 'x-kubernetes-embedded-resource': true } }), 's.properties[a].properties: Required value'],
    [root({ metadata: root({ labels: { type: 'object' } }) }), 's.properties[metadata]: Forbidden'],
    [root({ a: { type: 'integer', default: 'x' } }), 's.properties[a].default: Invalid value: "x": must be a whole number'],
    [root({ a: { ...root({ b: text }), default: { c: 1 } } }), 's.properties[a].default: Invalid value: {"c":1}: must not have unknown fields'],
    ['x', 's: Invalid value: "x": must be a schema'],
  ])('%j', (schema, cause) => expect(told(schema)).toEqual(expect.arrayContaining([expect.stringContaining(cause)])))

  test('levels are bounded', () => {
    let deep: object = text
    for (let i = 0; i < 200; i++) deep = root({ a: deep })
    expect(told(deep)).toEqual([expect.stringContaining('a schema may have at most 64 levels')])
  })
})
