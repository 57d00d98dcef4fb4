import { expect, test } from 'vitest'
import type { CustomResourceDefinition } from '../../../api/objects.ts'
import { customKind } from '../../custom/kind.ts'
import { createPatterns } from '../../custom/pattern.ts'
import { customResourceDefinition } from '../../../test/kit/custom.ts'
import { customDefinition, customNameOf } from './custom.ts'

const { spec } = customResourceDefinition() as unknown as CustomResourceDefinition
const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      description: 'What is wished for.',
      required: ['a'],
      properties: {
        a: { type: 'string', pattern: 'x', enum: ['x'], default: 'x' },
        n: { type: 'object', nullable: true, properties: { b: { type: 'string' } } },
        p: { 'x-kubernetes-int-or-string': true },
        f: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { known: { type: 'string' } } },
        m: { type: 'object', additionalProperties: true },
        e: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
      },
      anyOf: [{ required: ['a'] }],
    },
  },
}
const kind = customKind({ spec, names: spec.names, patterns: createPatterns() }, { ...spec.versions[0]!, schema: { openAPIV3Schema: schema as never } })
const own = (edition: 2 | 3) => customDefinition(kind, edition).properties!['spec']!

test('a definition has the group the other way round in its name, and says whose it is', () => {
  expect(customNameOf(kind)).toBe('com.example.stable.v1.CronTab')
  expect(customDefinition(kind, 3)).toMatchObject({
    type: 'object',
    properties: { metadata: { $ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }, kind: { type: 'string' } },
    'x-kubernetes-group-version-kind': [{ group: 'stable.example.com', version: 'v1', kind: 'CronTab' }],
  })
})

test('version 3 says all that the schema says', () => {
  expect(own(3)).toMatchObject({ ...schema.properties.spec, properties: { ...schema.properties.spec.properties, p: { anyOf: [{ type: 'integer' }, { type: 'string' }] }, m: { additionalProperties: {} }, e: { properties: { kind: { type: 'string' } } } } })
})

test('version 2 says what its readers do not refuse objects for', () => {
  const { properties = {}, ...rest } = own(2)
  expect(rest).toEqual({ type: 'object', description: 'What is wished for.', required: ['a'] })
  expect(properties['a']).toEqual({ type: 'string', enum: ['x'] })
  expect(properties['n']).toEqual({})
  expect(properties['p']).toEqual({ 'x-kubernetes-int-or-string': true })
  expect(properties['f']).toEqual({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true })
  expect(properties['m']).toEqual({ type: 'object', additionalProperties: {} })
})
