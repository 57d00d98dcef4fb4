import { expect, test } from 'vitest'
import { nextEnds, restartDelay, retryDelay } from './backoff.ts'

test('a failure waits 10 s, each further one twice as long, at most 300 s', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7, 100].map(retryDelay)).toEqual([0, 10, 20, 40, 80, 160, 300, 300, 300].map((s) => s * 1000))
})

test('the first restart comes at once', () => {
  expect([1, 2, 3].map(restartDelay)).toEqual([0, 10_000, 20_000])
})

test('ten minutes of running wipe the slate', () => {
  expect(nextEnds(5, 599_999)).toBe(6)
  expect(nextEnds(5, 600_000)).toBe(1)
})
