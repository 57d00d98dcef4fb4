import { expect, test } from 'vitest'
import fields from '../admit/fields.json' with { type: 'json' }
import { resourceKinds } from '../../api/resources.ts'
import { atomicMaps, divisions, shapeOf } from './shape.ts'

const types: Readonly<Record<string, Readonly<Record<string, string>>>> = fields

test('what is divided or atomic is a list or map of its type, where the type is served', () => {
  for (const [place, prefix] of [...Object.keys(divisions).map((p) => [p, '['] as const), ...[...atomicMaps].map((p) => [p, '{'] as const)]) {
    const [type = '', field = ''] = place.split('.')
    if (types[type]) expect({ place, code: types[type][field]?.[0] }).toEqual({ place, code: prefix })
  }
})

test('every kind has a shape that knows its metadata', () => {
  for (const { kind } of resourceKinds) {
    const shape = shapeOf(kind)
    expect(shape).toMatchObject({ kind: 'struct' })
    expect(shape.kind === 'struct' && shape.fields.get('metadata')?.kind).toBe('struct')
  }
})
