import { decode, encode, type Answer } from 'dns-packet'
import { describe, expect, test } from 'vitest'
import { createCache } from './cache.ts'

const questions = [{ name: 'x.example', type: 'A' as const }]
const a = (ttl: number): Answer => ({ type: 'A', name: 'x.example', ttl, data: '192.0.2.1' })
const alias = (ttl: number): Answer => ({ type: 'CNAME', name: 'x.example', ttl, data: 'y.example' })
const soa = (ttl: number, minimum: number): Answer => ({ type: 'SOA', name: 'example', ttl, data: { mname: 'ns.example', rname: 'root.example', minimum } })
const message = (rcode: number, answers: readonly Answer[], authorities: readonly Answer[] = []): Buffer =>
  encode({ type: 'response', flags: rcode, questions, answers: [...answers], authorities: [...authorities] })

function cacheAt(most = 10) {
  let now = 1_000_000
  const cache = createCache({ most, now: () => now })
  return { cache, pass: (seconds: number) => (now += seconds * 1000) }
}

/** How many seconds a message is kept: found a moment before, gone then. */
function kept(bytes: Buffer): number {
  const { cache, pass } = cacheAt()
  cache.put('k', bytes)
  let seconds = 0
  while (cache.get('k') && seconds < 1_000) {
    pass(1)
    seconds++
  }
  return seconds
}

describe('an answer is kept', () => {
  test.each([
    ['as long as its only record', message(0, [a(20)]), 20],
    ['as long as the first of its records', message(0, [a(20), a(7), a(30)]), 7],
    ['as long as a record beside it', message(0, [a(20)], [soa(3, 9)]), 3],
    ['not for longer than five minutes', message(0, [a(86_400)]), 300],
    ['not at all without time', message(0, [a(0), a(9)]), 0],
    ['not at all with a time that is none', message(0, [a(0x8000_0000)]), 0],
    ['that says no such name, as long as the zone says', message(3, [], [soa(60, 12)]), 12],
    ['that says no such name, as long as the SOA itself', message(3, [], [soa(8, 12)]), 8],
    ['that says no such record, as long as the zone says', message(0, [], [soa(60, 12)]), 12],
    ['that says no, for half a minute at most', message(3, [], [soa(9_000, 9_000)]), 30],
    ['that says no without an SOA, not at all', message(3, []), 0],
    ['that says nothing, not at all', message(0, []), 0],
    ['of an alias to nothing, as a no', message(0, [alias(100)], [soa(60, 12)]), 12],
    ['of an alias alone, as an answer', message(0, [alias(100)]), 100],
    ['of a failure, not at all', message(2, [a(20)]), 0],
    ['of a refusal, not at all', message(5, [], [soa(60, 60)]), 0],
  ])('%s', (_what, bytes, seconds) => {
    expect(kept(bytes)).toBe(seconds)
  })
})

test('what is given out has aged, and what is kept has not', () => {
  const { cache, pass } = cacheAt()
  cache.put('k', message(0, [a(20), a(90)]))
  const ttls = (): unknown => decode(cache.get('k')!).answers!.map((answer) => (answer as { ttl: number }).ttl)
  pass(4.5)
  expect(ttls()).toEqual([16, 86])
  pass(4.5)
  expect(ttls()).toEqual([11, 81])
})

test('there is a bound, and what was asked for least lately goes first', () => {
  const { cache } = cacheAt(3)
  for (const key of ['a', 'b', 'c']) cache.put(key, message(0, [a(20)]))
  cache.get('a')
  cache.put('d', message(0, [a(20)]))
  expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key) !== undefined)).toEqual([true, false, true, true])
  expect(cache.size).toBe(3)
})

test('large answers and what cannot be read are not kept', () => {
  const { cache } = cacheAt()
  cache.put('large', message(0, Array.from({ length: 400 }, () => a(20))))
  cache.put('broken', message(0, [a(20)]).subarray(0, -1))
  expect(cache.size).toBe(0)
})

test('a worse answer takes the place of a better one', () => {
  const { cache } = cacheAt()
  cache.put('k', message(0, [a(20)]))
  cache.put('k', message(0, [a(0)]))
  expect(cache.get('k')).toBeUndefined()
})

test('a clock that was set back makes everything old', () => {
  const { cache, pass } = cacheAt()
  cache.put('k', message(0, [a(20)]))
  pass(-1)
  expect(cache.get('k')).toBeUndefined()
})
