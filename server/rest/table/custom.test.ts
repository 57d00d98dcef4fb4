import { expect, test } from 'vitest'
import type { CustomResourceDefinition, KubeObject } from '../../../api/objects.ts'
import { customKind } from '../../custom/kind.ts'
import { createPatterns } from '../../custom/pattern.ts'
import { customResourceDefinition } from '../../../test/kit/custom.ts'
import { columnDefinitions, rowOf } from './table.ts'

const { spec } = customResourceDefinition() as unknown as CustomResourceDefinition
const kindWith = (columns: readonly { readonly name: string; readonly type: string; readonly jsonPath: string }[] | undefined) => {
  const { additionalPrinterColumns: _, ...version } = spec.versions[0]!
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  return customKind({ spec, names: spec.names, patterns: createPatterns() }, { ...version, schema: { openAPIV3Schema: schema as never }, ...(columns && { additionalPrinterColumns: [...columns] }) })
}
const now = Date.parse('2026-01-01T00:10:00Z')
const object = {
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name: 'a', namespace: 'default', uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { text: 'x', count: 3.7, on: false, map: { a: [1] }, list: ['p', 'q'], last: '2026-01-01T00:05:00Z', odd: 'soon' },
} as KubeObject

test.each([
  ['string', '.spec.text', 'x'],
  ['string', '.spec.map', '{"a":[1]}'],
  ['string', '.spec.count', '3.7'],
  ['string', '.spec.list[*]', 'p'],
  ['string', '.spec.none', null],
  ['integer', '.spec.count', 3],
  ['integer', '.spec.text', null],
  ['number', '.spec.count', 3.7],
  ['boolean', '.spec.on', false],
  ['boolean', '.spec.text', null],
  ['date', '.spec.last', '5m'],
  ['date', '.spec.odd', '<invalid>'],
])('a column of type %s at %s', (type, jsonPath, cell) => {
  const of = kindWith([{ name: 'C', type, jsonPath }])
  expect(rowOf(object, { of, include: 'None', now }).cells).toEqual(['a', cell])
  expect(columnDefinitions(of)[1]).toMatchObject({ name: 'C', type, priority: 0 })
})

test('who says nothing of columns has the age', () => {
  const of = kindWith(undefined)
  expect(columnDefinitions(of).map((c) => c.name)).toEqual(['Name', 'Age'])
  expect(rowOf(object, { of, include: 'None', now }).cells).toEqual(['a', '10m'])
})
