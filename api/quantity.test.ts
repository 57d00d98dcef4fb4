import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytes, cpuMillis, parseQuantity } from './quantity.ts'
import { StatusError } from './status.ts'

describe('a quantity is read in thousandths', () => {
  test.each([
    ['0', 0n],
    ['1', 1000n],
    ['+2', 2000n],
    ['-2', -2000n],
    ['0.5', 500n],
    ['.5', 500n],
    ['5.', 5000n],
    ['250m', 250n],
    ['1.5m', 2n],
    ['-1.5m', -2n],
    ['1u', 1n],
    ['1n', 1n],
    ['3000000n', 3n],
    ['1k', 1_000_000n],
    ['1M', 1_000_000_000n],
    ['1Ki', 1_024_000n],
    ['1.5Gi', 1_610_612_736_000n],
    ['1E', 10n ** 21n],
    ['7Ei', 7n * 2n ** 60n * 1000n],
    ['1e3', 1_000_000n],
    ['1E3', 1_000_000n],
    ['12e-1', 1200n],
    ['1e-99999', 1n],
    ['0e100', 0n],
    ['9223372036854775807', 9223372036854775807000n],
  ])('%s', (text, milli) => {
    expect(parseQuantity(text).milli).toBe(milli)
  })
  test('a number is its text', () => {
    expect(parseQuantity(0.1).milli).toBe(100n)
  })
})

describe('a text that is none is refused', () => {
  test.each([
    ['', 'must be a number'],
    ['one', 'must be a number'],
    ['1 ', 'must be a number'],
    ['1KiB', 'must be a number'],
    ['1K', 'must be a number'],
    ['1mi', 'must be a number'],
    ['--1', 'must be a number'],
    ['1e', 'must be a number'],
    ['1.2.3', 'must be a number'],
    ['9'.repeat(65), 'must be a number'],
    ['9223372036854775808', 'is too large'],
    ['8Ei', 'is too large'],
    ['1e30', 'is too large'],
    ['1e999999999', 'is too large'],
  ])('%s', (text, message) => {
    expect(() => parseQuantity(text)).toThrow(StatusError)
    expect(() => parseQuantity(text)).toThrow(message)
  })
})

test('cpu in thousandths of a core, memory in bytes', () => {
  expect([cpuMillis('1'), cpuMillis('100m'), cpuMillis('1n')]).toEqual([1000, 100, 1])
  expect([bytes('1Ki'), bytes('1500m'), bytes('-1500m'), bytes(5)]).toEqual([1024, 2, -2, 5])
})

test('any text is a quantity or refused, and whole numbers stay what they are', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 80 }), (text) => {
      try {
        parseQuantity(text)
      } catch (e) {
        expect(e).toBeInstanceOf(StatusError)
      }
    }),
    { numRuns: 500 },
  )
  fc.assert(fc.property(fc.maxSafeInteger(), (n) => bytes(String(n)) === n))
})
