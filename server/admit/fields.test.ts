import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { kindOf, resourceKinds } from '../../api/resources.ts'
import { pruned, unknownFields } from './fields.ts'
import { knownFields, render } from './generate-fields.ts'

const pod = kindOf('pods')

test('the table is that of the models', () => {
  expect(readFileSync(join(import.meta.dirname, 'fields.json'), 'utf8')).toBe(render(knownFields()))
})

test('every kind has its fields', () => {
  for (const kind of resourceKinds)
    expect(unknownFields(kind, { apiVersion: 'v1', kind: kind.kind, metadata: { name: 'a' }, bogus: 1 })).toEqual(['bogus'])
})

describe('unknown fields are named by their path', () => {
  test.each([
    ['none', { spec: { containers: [{ name: 'a', image: 'b' }] } }, []],
    ['in the spec', { spec: { replica: 1 } }, ['spec.replica']],
    [
      'in a list',
      { spec: { containers: [{}, { imagee: 'x', ports: [{ port: 1 }] }] } },
      ['spec.containers[1].imagee', 'spec.containers[1].ports[0].port'],
    ],
    ['in metadata', { metadata: { colour: 'red' } }, ['metadata.colour']],
    ['none in maps', { metadata: { labels: { any: 'x' } }, spec: { nodeSelector: { any: 'x' } } }, []],
    ['a name of Object', { spec: { toString: 1, constructor: 2 } }, ['spec.toString', 'spec.constructor']],
    ['with null', { spec: { x: null } }, ['spec.x']],
    ['in no object', { spec: 'x', metadata: [] }, []],
  ])('%s', (_what, object, expected) => {
    expect(unknownFields(pod, object)).toEqual(expected)
  })
  test('at most fifty of them', () => {
    expect(unknownFields(pod, { spec: Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`x${i}`, 1])) })).toHaveLength(50)
  })
})

describe('what is pruned', () => {
  test.each([
    ['unknown fields', { spec: { x: 1, hostname: 'a' } }, { spec: { hostname: 'a' } }],
    [
      'nulls',
      { spec: { hostname: null }, metadata: { creationTimestamp: null, labels: { a: null, b: 'c' } } },
      { spec: {}, metadata: { labels: { b: 'c' } } },
    ],
    ['empty words', { spec: { restartPolicy: '', hostname: '' } }, { spec: { hostname: '' } }],
    ['managed fields', { metadata: { managedFields: [{ manager: 'x' }] } }, { metadata: {} }],
    ['nothing of another type', { spec: 'x', metadata: [1] }, { spec: 'x', metadata: [1] }],
  ])('%s', (_what, object, expected) => {
    expect(pruned(pod, object)).toEqual(expected)
  })
  test('a key named __proto__ stays a key', () => {
    const object = JSON.parse('{"metadata":{"labels":{"__proto__":"x"}}}') as Record<string, unknown>
    const { labels } = pruned(pod, object)['metadata'] as { labels: object }
    expect(Object.keys(labels)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(labels)).toBe(Object.prototype)
  })
})

test('of any JSON, what is pruned has no unknown fields and is pruned no further', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...resourceKinds),
      fc.dictionary(fc.constantFrom('spec', 'metadata', 'status', 'data', 'x'), fc.jsonValue()),
      (kind, object) => {
        const once = pruned(kind, object)
        expect(unknownFields(kind, once)).toEqual([])
        expect(pruned(kind, once)).toEqual(once)
      },
    ),
    { numRuns: 300 },
  )
})
