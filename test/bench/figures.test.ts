import { expect, test } from 'vitest'
import { quantiles } from './figures.ts'

test('quantiles are values of the series, by nearest rank', () => {
  const series = Array.from({ length: 200 }, (_, i) => 200 - i)
  expect(quantiles(series)).toEqual({ p50: 100, p90: 180, p99: 198, max: 200 })
  expect(quantiles([3])).toEqual({ p50: 3, p90: 3, p99: 3, max: 3 })
})
