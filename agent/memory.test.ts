import { expect, test } from 'vitest'
import { createFakeClock } from '../test/kit/clock.ts'
import { createTidying, openGivingBack, type Work } from './memory.ts'

const work = (services: number, added = 0, deleted = 0): Work => ({ services, elements: { added, deleted } })

function start() {
  const clock = createFakeClock()
  let given = 0
  const tidying = createTidying({ clock, giveBack: () => void given++ })
  return { clock, tidying, given: () => given }
}

test('memory is given back right after a large load, once, whatever comes next', async () => {
  const { clock, tidying, given } = start()
  tidying.worked(work(10_000, 40_000))
  expect(given()).toBe(0)
  tidying.worked(work(1, 3, 3))
  await clock.advance(10)
  expect(given()).toBe(1)
  tidying.worked(work(1, 3, 3))
  await clock.advance(10_000)
  expect(given()).toBe(1)
})

test('a load that found everything in the kernel counts, too', async () => {
  const { clock, tidying, given } = start()
  tidying.worked(work(10_000))
  await clock.advance(10)
  expect(given()).toBe(1)
})

test('after many small changes it is given back when they rest, so that nobody is held up', async () => {
  const { clock, tidying, given } = start()
  for (let i = 0; i < 1_400; i++) tidying.worked(work(1, 3, 3))
  await clock.advance(10_000)
  expect(given()).toBe(0)
  for (let i = 0; i < 40; i++) {
    tidying.worked(work(1, 3, 3))
    await clock.advance(900)
  }
  expect(given()).toBe(0)
  await clock.advance(100)
  expect(given()).toBe(1)
})

test('garbage does not stay', async () => {
  const giveBack = await openGivingBack()
  giveBack()
  const before = process.memoryUsage().heapUsed
  let garbage: unknown = Array.from({ length: 1_000_000 }, (_, i) => [i])
  expect(process.memoryUsage().heapUsed - before).toBeGreaterThan(30e6)
  garbage = undefined
  giveBack()
  expect(process.memoryUsage().heapUsed - before, String(garbage)).toBeLessThan(10e6)
})
