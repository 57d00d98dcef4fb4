import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KubeObject } from '../../api/objects.ts'
import * as kit from '../../test/kit/objects.ts'
import { editsOf, endpointsChange } from './delta.ts'

/** What edits mean, as `api/frames.ts` has it. */
function apply<T>(before: readonly T[], edits: ReturnType<typeof editsOf<T>>): readonly T[] {
  const after = [...before]
  for (const { at, gone, come } of edits.toReversed()) after.splice(at, gone, ...come)
  return after
}

const list = fc.array(fc.nat(4), { maxLength: 12 })

test('edits make the one list of the other, in order, and touch no more than the longer list has', () => {
  fc.assert(
    fc.property(list, list, (before, after) => {
      const edits = editsOf(before, after)
      expect(apply(before, edits)).toEqual(after)
      for (const [i, { at }] of edits.entries()) if (i > 0) expect(at).toBeGreaterThan(edits[i - 1]!.at + edits[i - 1]!.gone)
      expect(edits.reduce((sum, { come }) => sum + come.length, 0)).toBeLessThanOrEqual(after.length)
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['one is another', [1, 2, 3, 4], [1, 9, 3, 4], [{ at: 1, gone: 1, come: [9] }]],
  ['one goes in the middle', [1, 2, 3, 4], [1, 3, 4], [{ at: 1, gone: 1, come: [] }]],
  ['one comes in the middle', [1, 3, 4], [1, 2, 3, 4], [{ at: 1, gone: 0, come: [2] }]],
  ['two far from each other', [1, 2, 3, 4], [9, 2, 3, 8], [{ at: 0, gone: 1, come: [9] }, { at: 3, gone: 1, come: [8] }]],
  ['nothing', [1, 2], [1, 2], []],
])('%s', (_, before, after, edits) => expect(editsOf(before, after)).toEqual(edits))

const slice = (more: object = {}, meta: object = {}): KubeObject => kit.stored(kit.endpointSlice({ metadata: meta, ...more }), { resourceVersion: '7' })
const trigger = { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' }
const changeTo = (object: KubeObject) => endpointsChange({ revision: 8, type: 'MODIFIED', resource: 'endpointslices.discovery.k8s.io', object, previous: slice() })

test('a slice of which the endpoints changed, and when it says that they did, is told by its edits', () => {
  const endpoints = [{ addresses: ['10.244.1.3'], conditions: { ready: false } }]
  expect(changeTo(slice({ endpoints }, { annotations: trigger }))).toEqual({
    kind: 'endpoints', revision: 8, key: 'default/web-1', from: 7, edits: [{ at: 0, gone: 1, come: endpoints }], trigger: '2026-01-01T00:00:00Z',
  })
})

test.each([
  ['its ports', slice({ ports: [{ port: 1 }] })],
  ['its service', slice({}, { labels: { 'kubernetes.io/service-name': 'db' } })],
  ['another annotation', slice({}, { annotations: { note: 'x' } })],
  ['its address type', slice({ addressType: 'IPv6' })],
])('one of which %s changed is told as a whole', (_, object) => expect(changeTo(object)).toBeUndefined())

test('so is what is new, gone, or no slice', () => {
  const change = { revision: 8, resource: 'endpointslices.discovery.k8s.io', object: slice() } as const
  expect(endpointsChange({ ...change, type: 'ADDED' })).toBeUndefined()
  expect(endpointsChange({ ...change, type: 'DELETED', previous: slice() })).toBeUndefined()
  expect(endpointsChange({ ...change, type: 'MODIFIED', resource: 'services', previous: slice() })).toBeUndefined()
})
