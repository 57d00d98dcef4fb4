import { describe, expect, test } from 'vitest'
import { createPatterns } from './pattern.ts'
import type { Schema } from './schema.ts'
import { valueCauses } from './values.ts'

const told = (value: unknown, schema: Schema, path = 'spec.x') => [...valueCauses(value, schema, { path, patterns: createPatterns() })].map((c) => `${c.field}: ${c.message}`)

describe('values against schemas', () => {
  test.each<[unknown, Schema, string | undefined]>([
    ['a', { type: 'string' }, undefined],
    [1, { type: 'string' }, 'Invalid value: 1: must be a string'],
    [1.5, { type: 'integer' }, 'must be a whole number'],
    [1.5, { type: 'number' }, undefined],
    [2, { type: 'integer' }, undefined],
    [[], { type: 'object' }, 'must be an object'],
    [{}, { type: 'array' }, 'must be a list'],
    [null, { type: 'string' }, 'must be a string'],
    [null, { type: 'string', nullable: true, enum: ['a'] }, undefined],
    ['80%', { 'x-kubernetes-int-or-string': true }, undefined],
    [80, { 'x-kubernetes-int-or-string': true }, undefined],
    [8.5, { 'x-kubernetes-int-or-string': true }, 'must be a whole number or a string'],
    ['c', { type: 'string', enum: ['a', 'b'] }, 'Unsupported value: "c": supported values: "a", "b"'],
    [{ a: [1] }, { type: 'object', enum: [{ a: [1] }], 'x-kubernetes-preserve-unknown-fields': true }, undefined],
    [3, { type: 'integer', minimum: 3 }, undefined],
    [3, { type: 'integer', minimum: 3, exclusiveMinimum: true }, 'must be greater than 3'],
    [3, { type: 'integer', maximum: 3, exclusiveMaximum: true }, 'must be less than 3'],
    [4, { type: 'integer', maximum: 3 }, 'must be less than or equal to 3'],
    [0.3, { type: 'number', multipleOf: 0.1 }, undefined],
    [0.35, { type: 'number', multipleOf: 0.1 }, 'must be a multiple of 0.1'],
    ['😀', { type: 'string', maxLength: 1 }, undefined],
    ['ab', { type: 'string', maxLength: 1 }, 'may have at most 1 characters'],
    ['', { type: 'string', minLength: 1 }, 'must have at least 1 characters'],
    ['ab', { type: 'string', pattern: '^a$' }, "must match '^a$'"],
    ['xay', { type: 'string', pattern: 'a' }, undefined],
    [[1], { type: 'array', minItems: 2 }, 'must have at least 2 items'],
    [[1, 2], { type: 'array', maxItems: 1 }, 'may have at most 1 items'],
    [{}, { type: 'object', minProperties: 1 }, 'must have at least 1 fields'],
    [{ a: 1, b: 1 }, { type: 'object', maxProperties: 1 }, 'may have at most 1 fields'],
    [5, { type: 'integer', anyOf: [{ maximum: 1 }, { minimum: 4 }] }, undefined],
    [3, { type: 'integer', anyOf: [{ maximum: 1 }, { minimum: 4 }] }, 'must fit at least one of the schemas in anyOf'],
    [5, { type: 'integer', oneOf: [{ minimum: 1 }, { minimum: 4 }] }, 'must fit one and only one of the schemas in oneOf, and fits 2'],
    [5, { type: 'integer', allOf: [{ minimum: 1 }, { minimum: 6 }] }, 'must be greater than or equal to 6'],
    [5, { type: 'integer', not: { minimum: 4 } }, 'must not fit the schema in not'],
    [2 ** 31, { type: 'integer', format: 'int32' }, 'must be a whole number of 32 bits'],
    ['10.0.0.300', { type: 'string', format: 'ipv4' }, 'must be an IPv4 address'],
    ['2026-02-30', { type: 'string', format: 'date' }, 'must be a day'],
    ['2026-01-31T12:00:00Z', { type: 'string', format: 'date-time' }, undefined],
    ['1h30m', { type: 'string', format: 'duration' }, undefined],
    ['soon', { type: 'string', format: 'duration' }, 'must be a duration'],
    ['x', { type: 'string', format: 'of-my-own' }, undefined],
  ])('%j, %j', (value, schema, problem) => {
    const found = told(value, schema)
    if (problem === undefined) expect(found).toEqual([])
    else expect(found).toEqual([expect.stringContaining(problem)])
  })

  test('fields are named with their paths', () => {
    const item: Schema = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } }
    const schema: Schema = { type: 'object', properties: { list: { type: 'array', items: item }, map: { type: 'object', additionalProperties: item } } }
    expect(told({ list: [{ name: 1 }, {}], map: { a: {} } }, schema, '')).toEqual([
      'list[0].name: Invalid value: 1: must be a string',
      'list[1].name: Required value',
      'map[a].name: Required value',
    ])
    expect(told({}, { anyOf: [{ required: ['a'] }] }, '')).toEqual([expect.stringContaining('<object>: ')])
  })

  test('sets and tables have each key once, whatever the order of its fields', () => {
    const set: Schema = { type: 'array', 'x-kubernetes-list-type': 'set' }
    expect(told([{ a: 1, b: 2 }, { b: 2, a: 1 }, 'a', 'b'], set)).toEqual([expect.stringContaining('spec.x[1]: Duplicate value')])
    const table: Schema = { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['port', 'protocol'] }
    expect(told([{ port: 1, protocol: 'TCP' }, { port: 1, protocol: 'UDP' }, { protocol: 'TCP', port: 1 }], table)).toEqual(['spec.x[2]: Duplicate value: {"port":1,"protocol":"TCP"}'])
  })

  test('an embedded object says what it is', () => {
    const schema: Schema = { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true }
    expect(told({ kind: '' }, schema)).toEqual([expect.stringContaining('spec.x.apiVersion: Required'), expect.stringContaining('spec.x.kind: Required')])
    expect(told({ apiVersion: 'v1', kind: 'Pod' }, schema)).toEqual([])
  })
})
