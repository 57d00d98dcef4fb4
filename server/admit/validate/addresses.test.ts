import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { expect, test } from 'vitest'
import { isFourDecimals } from './pod.ts'
import { unicastProblem } from './service.ts'

const part = fc.oneof(fc.nat(300).map(String), fc.constantFrom('0', '00', '01', '127', '169', '254', '224', '239', '240', '255', '256', '', '0x1', '-1', ' 1', '1\n'))
const four = fc.array(part, { minLength: 3, maxLength: 5 }).map((parts) => parts.join('.'))
const refused: readonly string[] = ['unspecified', 'loopback', 'linkLocal', 'multicast']

test('four decimals are an IPv4 address where the library of addresses says so', () => {
  fc.assert(
    fc.property(four, (text) => {
      expect(isFourDecimals(text)).toBe(ipaddr.IPv4.isValidFourPartDecimal(text))
    }),
    { numRuns: 5_000 },
  )
})

test('an address is refused by the range in which the library finds it', () => {
  const address = fc.tuple(fc.oneof(fc.constantFrom(0, 10, 127, 169, 223, 224, 239, 240, 255), fc.nat(255)), fc.oneof(fc.constant(254), fc.nat(255)), fc.nat(255), fc.nat(255))
  fc.assert(
    fc.property(address, (octets) => {
      const text = octets.join('.')
      const range = ipaddr.parse(text).range()
      expect(unicastProblem(text) !== undefined, `${text} is ${range}`).toBe(refused.includes(range))
      if (range === 'linkLocal') expect(unicastProblem(text)).toContain('link-local')
      else if (refused.includes(range)) expect(unicastProblem(text)).toContain(range)
    }),
    { numRuns: 3_000 },
  )
})
