import { describe, expect, test } from 'vitest'
import { endpointView } from '../../test/kit/views.ts'
import { mostEndpoints, slotCount, slotsOf } from './slots.ts'

const endpoints = (count: number) => Array.from({ length: count }, (_, n) => endpointView(`10.245.${n >> 8}.${n & 255}`))

test.each([[1, 1], [3, 3], [16, 16], [17, 256], [32, 256], [33, 1_024], [128, 1_024], [129, 4_096], [mostEndpoints, 65_536]])(
  '%i endpoints share %i slots',
  (count, slots) => {
    expect(slotCount(count)).toBe(slots)
    expect(slotsOf(endpoints(count))).toHaveLength(slots)
  },
)

test('a few endpoints have one slot each, in their order', () => {
  expect(slotsOf(endpoints(16))).toEqual(endpoints(16))
})

describe.each([17, 31, 32, 33, 100, 500, 2_000])('of %i endpoints', (count) => {
  const slots = slotsOf(endpoints(count))

  test('none has more than one slot more than another', () => {
    const shares = [...Map.groupBy(slots, ({ address }) => address).values()].map((group) => group.length)
    expect(shares).toHaveLength(count)
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
  })

  test('one that leaves moves few slots beside its own', () => {
    const gone = endpoints(count)[Math.floor(count / 2)]!
    const rest = endpoints(count).filter(({ address }) => address !== gone.address)
    if (slotCount(rest.length) !== slots.length) return expect(count).toBe(17 + 16 * Number(count === 33))
    const after = slotsOf(rest)
    const moved = slots.filter((slot, i) => slot.address !== after[i]!.address).length
    expect(moved).toBeGreaterThanOrEqual(Math.floor(slots.length / count))
    expect(moved).toBeLessThan(slots.length / 4)
  })
})
