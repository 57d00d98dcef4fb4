import { expect, test } from 'vitest'
import { silentLog } from '../../../api/log.ts'
import type { Listing } from '../../../rules/ipvs/index.ts'
import { createFakeClock } from '../../../test/kit/clock.ts'
import { watchForStrays } from './watch.ts'

const left: Listing = { family: 'ip', servers: new Map(), device: true, addresses: new Set(['10.96.0.1']), hostAddresses: [] }
const changed: Listing = { ...left, addresses: new Set() }

/** Each look sees a stranger's change; `spoil` says whether a change of our own ends meanwhile. */
async function watched(spoil: (look: number) => boolean, rounds: number) {
  const clock = createFakeClock()
  const stop = new AbortController()
  const told: string[] = []
  let looks = 0
  let changes = 0
  let alone = 0
  const done = watchForStrays(
    {
      clock,
      log: silentLog,
      look: async () => {
        if (spoil(++looks)) changes++
        return changed
      },
      left: () => left,
      changes: () => changes,
      alone: (work) => (alone++, work()),
    },
    ({ what }) => void told.push(what),
    stop.signal,
  )
  for (let n = 0; n < rounds; n++) await clock.advance(500)
  stop.abort()
  await done
  return { told, looks, alone }
}

test('what others change is told', async () => {
  expect(await watched(() => false, 1)).toEqual({ told: ['address 10.96.0.1 deleted'], looks: 1, alone: 0 })
})

test('a look during which we changed something ourselves says nothing', async () => {
  expect(await watched((look) => look < 3, 3)).toEqual({ told: ['address 10.96.0.1 deleted'], looks: 3, alone: 0 })
})

test('after ten of them in a row our own changes wait for a look', async () => {
  expect(await watched((look) => look <= 10, 11)).toEqual({ told: ['address 10.96.0.1 deleted'], looks: 11, alone: 1 })
})

test('looking takes a tenth of the time at most', async () => {
  const clock = createFakeClock()
  const stop = new AbortController()
  let looks = 0
  const look = async (): Promise<Listing> => {
    looks++
    await clock.advance(100)
    return left
  }
  const done = watchForStrays({ clock, log: silentLog, look, left: () => left, changes: () => 0, alone: (work) => work() }, () => {}, stop.signal)
  await clock.advance(500)
  await clock.advance(900)
  expect(looks).toBe(1)
  await clock.advance(200)
  expect(looks).toBe(2)
  stop.abort()
  await done
})
