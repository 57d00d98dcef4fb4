import { expect, test } from 'vitest'
import type { StreamFrame } from '../../api/frames.ts'
import * as kit from '../../test/kit/objects.ts'
import { createOrder } from './order.ts'

const reset: StreamFrame = { kind: 'reset' }
const set = (revision: number): StreamFrame => ({ kind: 'set', resource: 'services', revision, object: kit.stored(kit.service()) })
const gone = (revision: number): StreamFrame => ({ kind: 'delete', resource: 'services', revision, key: 'default/web' })
const sync = (revision: number): StreamFrame => ({ kind: 'sync', revision })

/** A stream that went as far as a sync at 10. */
function at10() {
  const order = createOrder()
  order.begin(false, undefined)
  for (const frame of [reset, set(3), set(7), sync(10)]) expect(order.judge(frame).kind).toBe('news')
  return order
}

test('changes go forward, and a sync does not go back', () => {
  const order = at10()
  for (const frame of [set(11), gone(12), sync(12), sync(12), sync(15), set(16)]) expect(order.judge(frame).kind).toBe('news')
})

test.each([
  ['a change at the revision of the sync', set(10)],
  ['a deletion before it', gone(9)],
  ['a sync before it', sync(9)],
])('%s is a violation', (_, frame) => {
  expect(at10().judge(frame)).toEqual({ kind: 'violation', why: expect.stringContaining('came after revision 10') })
})

test('a change that comes a second time within a stream is a violation', () => {
  const order = at10()
  order.judge(set(11))
  expect(order.judge(set(11)).kind).toBe('violation')
})

test('what was handed on after the last sync comes again on the next stream, and is left out', () => {
  const order = at10()
  order.judge(set(11))
  order.judge(gone(13))
  order.begin(true, 10)
  expect([set(11), gone(13), set(14), sync(14)].map((frame) => order.judge(frame).kind)).toEqual(['repeat', 'repeat', 'news', 'news'])
})

test('a resumed stream that goes back behind what is held is a violation', () => {
  const order = at10()
  order.begin(true, 10)
  expect(order.judge(set(10)).kind).toBe('violation')
})

test('a stream that is not resumed begins with a reset, and may start anywhere after it', () => {
  const order = at10()
  order.begin(false, 10)
  expect(order.judge(set(20))).toEqual({ kind: 'violation', why: expect.stringContaining('before the reset') })
  order.begin(false, 10)
  expect([reset, set(3), sync(5)].map((frame) => order.judge(frame).kind)).toEqual(['news', 'news', 'news'])
})
