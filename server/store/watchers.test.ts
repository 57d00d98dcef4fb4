import fc from 'fast-check'
import { expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import type { KubeObject } from '../../api/objects.ts'
import type { Change } from './store.ts'
import { createWatchers } from './watchers.ts'

const object: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', uid: '', resourceVersion: '', creationTimestamp: '' },
}
const changeOf = (revision: number): Change => ({ revision, type: 'MODIFIED', resource: 'configmaps', object })

test('disk, tail and present join without a gap and without a repeat, wherever a watch begins', () => {
  const batches = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 })
  fc.assert(
    fc.property(batches, batches, fc.integer({ min: 0, max: 80 }), fc.integer({ min: 1, max: 5 }), (before, after, from, tail) => {
      const disk: Change[] = []
      const older = (revision: number): Change[] => disk.slice(revision, revision + 3)
      const watchers = createWatchers({ log: silentLog, tail, older })
      const publish = (count: number): void => {
        const batch = Array.from({ length: count }, (_, i) => changeOf(disk.length + 1 + i))
        disk.push(...batch)
        watchers.publish(batch)
      }
      before.forEach(publish)
      const told: number[] = []
      watchers.add(from, (c) => told.push(c.revision))
      after.forEach(publish)
      expect(told).toEqual(disk.map((c) => c.revision).filter((revision) => revision > from))
    }),
  )
})

test('the newest history comes from memory', () => {
  const asked: number[] = []
  const watchers = createWatchers({ log: silentLog, tail: 4, older: (revision) => (asked.push(revision), []) })
  for (let revision = 1; revision <= 20; revision++) watchers.publish([changeOf(revision)])
  watchers.add(16, () => {})
  expect(asked).toEqual([])
  watchers.add(3, () => {})
  expect(asked).toEqual([3])
})
