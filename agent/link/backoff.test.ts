import { expect, test } from 'vitest'
import { createBackoff } from './backoff.ts'

test('the first try is quick, later ones wait longer, up to five seconds', () => {
  const [low, high] = [createBackoff(() => 0), createBackoff(() => 1)]
  expect(Array.from({ length: 8 }, () => low.next('lost'))).toEqual(Array(8).fill(50))
  expect(Array.from({ length: 8 }, () => high.next('lost'))).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000])
})

test('a connection that stood makes the next try quick again; one that did not, does not', () => {
  const backoff = createBackoff(() => 1)
  for (let i = 0; i < 5; i++) backoff.next('lost')
  backoff.stood(4_999)
  expect(backoff.next('lost')).toBe(5_000)
  backoff.stood(5_000)
  expect(backoff.next('lost')).toBe(200)
})

test('a hub that refuses is not hammered, from the first time on', () => {
  expect(createBackoff(() => 0).next('refused')).toBe(2_500)
  expect(createBackoff(() => 1).next('refused')).toBe(5_000)
})

test('waits that have grown without end stay within the bound', () => {
  const backoff = createBackoff(() => 1)
  for (let i = 0; i < 5_000; i++) backoff.next('lost')
  expect(backoff.next('lost')).toBe(5_000)
})
