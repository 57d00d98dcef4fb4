import { expect, test } from 'vitest'
import { createFakeClock, settled } from '../../../test/kit/clock.ts'
import type { StoreError } from '../error.ts'
import { createArrivals } from './arrivals.ts'
import { createFreshness } from './freshness.ts'

/** An etcd that answers when it is told to, and memory that gets there when it is told to. */
function makeBed() {
  const clock = createFakeClock()
  const arrivals = createArrivals(clock, 5)
  const questions: ((revision: number) => void)[] = []
  const lost: string[] = []
  let revision = 5
  const fresh = createFreshness({
    client: {
      range: () => new Promise((resolve) => questions.push((at) => resolve({ header: { clusterId: 'c', revision: at }, kvs: [], more: false }))),
    },
    cache: {
      get revision() {
        return revision
      },
      reached: (wanted, signal) => arrivals.wait(wanted, signal),
    },
    lost: (why: StoreError) => lost.push(why.code),
  })
  const come = (to: number): void => {
    revision = to
    arrivals.arrived(to)
  }
  /** What became of a call so far. */
  const watch = (call: Promise<void>): { state: string } => {
    const seen = { state: 'waits' }
    call.then(
      () => (seen.state = 'fresh'),
      (e: unknown) => (seen.state = (e as { code?: string }).code ?? String(e)),
    )
    return seen
  }
  return { clock, fresh, questions, come, lost, watch }
}

test('it waits for the answer, and then for memory to have what etcd answered with', async () => {
  const { fresh, questions, come, watch } = makeBed()
  const call = watch(fresh())
  await settled()
  expect(call.state).toBe('waits')
  questions[0]!(7)
  await settled()
  come(6)
  await settled()
  expect(call.state).toBe('waits')
  come(7)
  await settled()
  expect(call.state).toBe('fresh')
})

test('who comes while a question is on its way waits for the next one, and all of them share that', async () => {
  const { fresh, questions, watch } = makeBed()
  const calls = [watch(fresh()), watch(fresh()), watch(fresh())]
  await settled()
  expect(questions).toHaveLength(1)
  questions[0]!(5)
  await settled()
  expect(calls.map((c) => c.state)).toEqual(['fresh', 'waits', 'waits'])
  expect(questions).toHaveLength(2)
  questions[1]!(5)
  await settled()
  expect(calls.map((c) => c.state)).toEqual(['fresh', 'fresh', 'fresh'])
})

test('who waits for much waits as long as something comes', async () => {
  const { clock, fresh, questions, come, watch } = makeBed()
  const call = watch(fresh())
  questions[0]!(50_000)
  await settled()
  for (let revision = 10_000; revision < 50_000; revision += 10_000) {
    await clock.advance(8_000)
    come(revision)
  }
  await clock.advance(8_000)
  expect(call.state).toBe('waits')
  await clock.advance(12_000)
  expect(call.state).toBe('STORE_LOST')
})

test('memory that does not get there in time is an error, and so is an etcd that went back', async () => {
  const { clock, fresh, questions, lost, watch } = makeBed()
  const call = watch(fresh())
  questions[0]!(7)
  await settled()
  await clock.advance(10_000)
  expect(call.state).toBe('STORE_LOST')
  const back = watch(fresh())
  questions[1]!(4)
  await settled()
  expect([back.state, lost]).toEqual(['STORE_BROKEN', ['STORE_BROKEN']])
})

test('a caller that leaves is not kept waiting', async () => {
  const { fresh, questions, watch } = makeBed()
  const leaving = new AbortController()
  const call = watch(fresh(leaving.signal))
  questions[0]!(7)
  await settled()
  leaving.abort(new DOMException('gone', 'AbortError'))
  await settled()
  expect(call.state).not.toBe('waits')
})
