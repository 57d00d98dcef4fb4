import { expect, test } from 'vitest'
import { judge, quantiles, tableOf } from './figures.ts'

test('quantiles are values of the series, by nearest rank', () => {
  const series = Array.from({ length: 200 }, (_, i) => 200 - i)
  expect(quantiles(series)).toEqual({ p50: 100, p90: 180, p99: 198, max: 200 })
  expect(quantiles([3])).toEqual({ p50: 3, p90: 3, p99: 3, max: 3 })
})

test('a figure is met, missed, or not judged', () => {
  const measured = { name: 'agent RSS', services: 10_000, unit: 'MB' }
  expect(judge({ ...measured, value: 150 }, { atMost: 150 }).met).toBe(true)
  expect(judge({ ...measured, value: 150.01 }, { atMost: 150 }).met).toBe(false)
  expect(judge({ ...measured, value: 4_999 }, { atLeast: 5_000 }).met).toBe(false)
  expect(judge({ ...measured, value: 5_000 }, { atLeast: 5_000 }).met).toBe(true)
  expect(judge({ ...measured, value: 7 })).not.toHaveProperty('met')
  expect(judge({ ...measured, value: undefined, note: 'not offered' }, { atMost: 1 })).not.toHaveProperty('met')
})

test('the table shows value, target and verdict of each', () => {
  const figures = [
    judge({ name: 'start', services: 10_000, value: 0.61, unit: 's' }, { atMost: 1 }),
    judge({ name: 'failed connections', services: 240, value: 2, unit: '' }, { atMost: 0 }),
    judge({ name: 'ipvs', services: 10_000, value: undefined, unit: 's', note: 'not offered' }),
  ]
  expect(tableOf(figures).split('\n')).toEqual([
    'figure              services   value  target  met',
    'start                 10,000  0.61 s    <= 1  yes',
    'failed connections       240       2    <= 0  NO',
    'ipvs                  10,000       -               not offered',
  ])
})
