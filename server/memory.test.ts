import { expect, test } from 'vitest'
import { createFakeClock } from '../test/kit/clock.ts'
import { tidyWhenQuiet } from './memory.ts'

function start() {
  const clock = createFakeClock()
  const seen: string[] = []
  const now = { rss: 100e6, load: 0 }
  const note = (what: string) => () => void seen.push(what)
  const memory = { giveBack: note('giveBack'), trim: note('trim'), mapFrom: (bytes: number) => void seen.push(`mapFrom ${bytes}`) }
  const stop = tidyWhenQuiet({ clock, memory, rss: () => now.rss, load: () => now.load })
  return { clock, now, stop, took: () => seen.splice(0) }
}

test('gives back once after each growth, when it is quiet', async () => {
  const { clock, now, took } = start()
  expect(took()).toEqual(['mapFrom 16384'])
  await clock.advance(30_000)
  await clock.advance(30_000)
  expect(took()).toEqual(['giveBack', 'trim'])
  Object.assign(now, { rss: 200e6, load: 0.5 })
  await clock.advance(30_000)
  expect(took()).toEqual(['trim'])
  now.load = 0.01
  await clock.advance(30_000)
  await clock.advance(30_000)
  expect(took()).toEqual(['giveBack', 'trim'])
})

test('ends', async () => {
  const { clock, stop, took } = start()
  stop()
  took()
  await clock.advance(60_000)
  expect([took(), clock.waiting]).toEqual([[], 0])
})
