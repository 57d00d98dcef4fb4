import { expect, test } from 'vitest'
import { ageText, durationText } from './age.ts'

const [s, m, h, d, y] = [1000, 60_000, 3_600_000, 86_400_000, 365 * 86_400_000]

test.each([
  [-5 * s, '<invalid>'],
  [-1 * s, '0s'],
  [0, '0s'],
  [119 * s, '119s'],
  [120 * s, '2m'],
  [5 * m + 7 * s, '5m7s'],
  [10 * m + 7 * s, '10m'],
  [179 * m, '179m'],
  [180 * m, '3h'],
  [3 * h + 12 * m, '3h12m'],
  [8 * h + 12 * m, '8h'],
  [47 * h, '47h'],
  [2 * d + 3 * h, '2d3h'],
  [2 * d, '2d'],
  [8 * d + 3 * h, '8d'],
  [729 * d, '729d'],
  [2 * y, '2y'],
  [2 * y + 40 * d, '2y40d'],
  [9 * y + 40 * d, '9y'],
])('%d ms is %s', (ms, text) => {
  expect(durationText(ms)).toBe(text)
})

test('an age is counted from a time; without one it is unknown', () => {
  const now = Date.parse('2030-01-02T00:00:00Z')
  expect(ageText('2030-01-01T23:55:00Z', now)).toBe('5m')
  expect(ageText(undefined, now)).toBe('<unknown>')
  expect(ageText('yesterday', now)).toBe('<unknown>')
})
