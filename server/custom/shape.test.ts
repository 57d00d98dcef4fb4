import { expect, test } from 'vitest'
import { fieldsIn } from '../managed/walk.ts'
import { textOf } from '../managed/fields.ts'
import type { Schema } from './schema.ts'
import { customShape } from './shape.ts'

const text: Schema = { type: 'string' }
const item: Schema = { type: 'object', properties: { name: text, port: { type: 'integer', default: 80 }, value: text } }
const fieldsOf = (schema: Schema, value: unknown): string => textOf(fieldsIn({ v: value }, customShape({ type: 'object', properties: { v: schema } })))

test.each<[string, Schema, unknown, string]>([
  ['a value', text, 'a', '{"f:v":{}}'],
  ['fields', { type: 'object', properties: { a: text } }, { a: 'x' }, '{"f:v":{"f:a":{}}}'],
  ['an atomic object', { type: 'object', properties: { a: text }, 'x-kubernetes-map-type': 'atomic' }, { a: 'x' }, '{"f:v":{}}'],
  ['a map', { type: 'object', additionalProperties: text }, { a: 'x' }, '{"f:v":{"f:a":{}}}'],
  ['a list', { type: 'array', items: item }, [{ name: 'a' }], '{"f:v":{}}'],
  ['a set', { type: 'array', items: text, 'x-kubernetes-list-type': 'set' }, ['a'], '{"f:v":{"v:\\"a\\"":{}}}'],
  [
    'a table, with the default of a key',
    { type: 'array', items: item, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name', 'port'] },
    [{ name: 'a', value: 'x' }],
    '{"f:v":{"k:{\\"name\\":\\"a\\",\\"port\\":80}":{".":{},"f:name":{},"f:value":{}}}}',
  ],
  ['what nobody described', { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }, { a: { b: [1] } }, '{"f:v":{"f:a":{".":{},"f:b":{}}}}'],
  ['what nobody described beside fields', { type: 'object', properties: { a: text }, 'x-kubernetes-preserve-unknown-fields': true }, { a: 'x', z: { b: 1 } }, '{"f:v":{"f:a":{},"f:z":{".":{},"f:b":{}}}}'],
])('%s', (_name, schema, value, fields) => {
  const found = fieldsOf(schema, value)
  expect(found.replaceAll('".":{},', '')).toBe(fields.replaceAll('".":{},', ''))
})

test('metadata divides as that of all objects', () => {
  const object = { metadata: { labels: { a: 'b' }, finalizers: ['x'] } }
  expect(textOf(fieldsIn(object, customShape({ type: 'object' })))).toContain('"f:finalizers":{"v:\\"x\\"":{}}')
})
