import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KubeObject } from '../../api/objects.ts'
import { createTables } from './tables.ts'

const word = fc.constantFrom('', 'a', 'a-b', 'aa', 'b', 'z.9')
const step = fc.record({ namespace: word, name: word.filter((w) => w !== ''), put: fc.boolean(), look: fc.boolean() })

const objectOf = (namespace: string, name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...(namespace && { namespace }), uid: '', resourceVersion: '', creationTimestamp: '' },
})
const order = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

test('tables agree with a plain map that is sorted for every list', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tables = createTables()
      const twin = new Map<string, KubeObject>()
      const sorted = (only?: string): KubeObject[] =>
        [...twin.values()]
          .filter((o) => only === undefined || (o.metadata.namespace ?? '') === only)
          .toSorted((a, b) => order(a.metadata.namespace ?? '', b.metadata.namespace ?? '') || order(a.metadata.name, b.metadata.name))
      for (const { namespace, name, put, look } of steps) {
        const ref = { resource: 'configmaps', namespace, name } as const
        const object = put ? objectOf(namespace, name) : undefined
        tables.set(ref, object)
        if (object) twin.set(`${namespace}/${name}`, object)
        else twin.delete(`${namespace}/${name}`)
        expect(tables.get(ref)).toBe(object)
        if (!look) continue
        expect(tables.list('configmaps')).toEqual(sorted())
        expect(tables.list('configmaps', namespace)).toEqual(sorted(namespace))
      }
    }),
  )
})

test('a list is made once until something changes', () => {
  const tables = createTables()
  tables.set({ resource: 'configmaps', namespace: 'a', name: 'x' }, objectOf('a', 'x'))
  const [all, some] = [tables.list('configmaps'), tables.list('configmaps', 'a')]
  expect([tables.list('configmaps'), tables.list('configmaps', 'a')].map((l, i) => l === [all, some][i])).toEqual([true, true])
  tables.set({ resource: 'pods', namespace: 'a', name: 'x' }, objectOf('a', 'x'))
  expect(tables.list('configmaps')).toBe(all)
  tables.set({ resource: 'configmaps', namespace: 'b', name: 'x' }, objectOf('b', 'x'))
  expect([all.length, some.length, tables.list('configmaps').length]).toEqual([1, 1, 2])
})

test('many that are new between two lists find their places, among and behind those that were there', () => {
  const [many, some] = [fc.uniqueArray(fc.nat(999), { minLength: 60, maxLength: 120 }), fc.uniqueArray(fc.nat(999), { maxLength: 120 })]
  fc.assert(
    fc.property(fc.array(fc.record({ come: many, go: some }), { minLength: 2, maxLength: 4 }), (rounds) => {
      const tables = createTables()
      const twin = new Map<string, KubeObject>()
      for (const { come, go } of rounds) {
        for (const [numbers, isComing] of [[come, true], [go, false]] as const) {
          for (const n of numbers) {
            const [namespace, name] = [`n${n % 3}`, `x${n}`]
            const object = isComing ? objectOf(namespace, name) : undefined
            tables.set({ resource: 'configmaps', namespace, name }, object)
            if (object) twin.set(`${namespace}/${name}`, object)
            else twin.delete(`${namespace}/${name}`)
          }
        }
        const held = tables.list('configmaps')
        expect(held.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([...twin.keys()].toSorted(order))
        for (const object of held) expect(object).toBe(twin.get(`${object.metadata.namespace}/${object.metadata.name}`))
      }
    }),
  )
})
