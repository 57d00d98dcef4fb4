import { describe, expect, test } from 'vitest'
import { withDefaults } from './defaults.ts'
import { pruned, unknownFields } from './prune.ts'
import type { Schema } from './schema.ts'

const schema: Schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        a: { type: 'string', default: 'x' },
        b: { type: 'integer', nullable: true, default: 1 },
        n: { type: 'string' },
        list: { type: 'array', items: { type: 'object', properties: { k: { type: 'string' }, p: { type: 'string', default: 'TCP' } } } },
        map: { type: 'object', additionalProperties: { type: 'object', properties: { v: { type: 'integer' } } } },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { known: { type: 'object', properties: {} } } },
        pod: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } },
        deep: { type: 'object', default: {}, properties: { x: { type: 'integer', default: 7 } } },
      },
    },
  },
}
const object = {
  apiVersion: 'a/v1',
  kind: 'A',
  metadata: { name: 'x', bogus: 1, managedFields: [] },
  bogus: 1,
  spec: { n: null, b: null, odd: 1, list: [{ k: 'a', z: 1 }], map: { one: { v: 1, w: 2 } }, free: { any: { thing: 1 }, known: { gone: 1 } }, pod: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', odd: 1 }, odd: 1, spec: {} } },
}

describe('what the schema does not know', () => {
  test('goes, at every depth', () => {
    expect(pruned(schema, object)).toEqual({
      apiVersion: 'a/v1',
      kind: 'A',
      metadata: { name: 'x' },
      spec: { n: null, b: null, list: [{ k: 'a' }], map: { one: { v: 1 } }, free: { any: { thing: 1 }, known: {} }, pod: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: {} } },
    })
  })

  test('is told of with its path', () => {
    expect(unknownFields(schema, object)).toEqual([
      'metadata.bogus', 'bogus', 'spec.odd', 'spec.list[0].z', 'spec.map[one].w', 'spec.free.known.gone', 'spec.pod.metadata.odd', 'spec.pod.odd',
    ])
  })

  test('an object that is all known stays the same one', () => {
    const known = { metadata: { name: 'x' }, spec: { a: 'y' } }
    expect(pruned(schema, { spec: known.spec })).toEqual({ spec: known.spec })
    const spec = { spec: known.spec }
    expect(pruned(schema, spec)).toBe(spec)
  })
})

describe('defaults', () => {
  test('stand for what is absent, and for nulls that the schema does not allow', () => {
    expect(withDefaults({ spec: { n: null, b: null, a: null, list: [{ k: 'a' }] } }, schema)).toEqual({ spec: { b: null, a: 'x', list: [{ k: 'a', p: 'TCP' }], deep: { x: 7 } } })
  })

  test('nothing above is made for them', () => expect(withDefaults({}, schema)).toEqual({}))

  test('done twice they are done once', () => {
    const once = withDefaults({ spec: {} }, schema)
    expect(withDefaults(once, schema)).toBe(once)
  })
})
