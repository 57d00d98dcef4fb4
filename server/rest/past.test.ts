import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KubeObject } from '../../api/objects.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, refOf } from '../../test/kit/registry.ts'
import { listAt } from './past.ts'

test('after any writes, the list at each earlier revision is the one that was there then', async () => {
  const step = fc.record({ verb: fc.constantFrom('create', 'update', 'remove'), name: fc.constantFrom('a', 'b', 'c'), namespace: fc.constantFrom('default', 'kube-node-lease') })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const inside = await openInside()
      const { registry, store } = inside
      try {
        const seen = new Map<number, readonly KubeObject[]>()
        for (const [at, { verb, name, namespace }] of steps.entries()) {
          const draft = kit.configMap({ metadata: { name, namespace } })
          const ref = refOf('configmaps', draft)
          const there = store.get(ref) !== undefined
          if (verb === 'create' && !there) await registry.create(ref, { ...draft })
          if (verb === 'update' && there) await registry.update(ref, (c) => ({ ...c, data: { at: String(at) } }))
          if (verb === 'remove' && there) await registry.remove(ref)
          seen.set(store.revision, store.list('configmaps'))
        }
        for (const [revision, objects] of seen) {
          expect(listAt(store, { resource: 'configmaps', namespace: undefined, revision })).toEqual(objects)
          const own = objects.filter((o) => o.metadata.namespace === 'default')
          expect(listAt(store, { resource: 'configmaps', namespace: 'default', revision })).toEqual(own)
        }
      } finally {
        await inside.close()
      }
    }),
    { numRuns: 40 },
  )
})

test('a history that was forgotten cannot be undone', async () => {
  const inside = await openInside()
  const { registry, store } = inside
  const draft = kit.configMap()
  const from = store.revision
  await registry.create(refOf('configmaps', draft), { ...draft })
  await store.compact(store.revision)
  expect(listAt(store, { resource: 'configmaps', namespace: undefined, revision: from })).toBeUndefined()
  await inside.close()
})
