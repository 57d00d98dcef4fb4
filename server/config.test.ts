import { describe, expect, test } from 'vitest'
import { parseConfig } from './config.ts'

const config = (...flags: string[]) => parseConfig(['--data', '/d', ...flags], {})

describe('the service range', () => {
  test('is one of IPv4 unless told', () => {
    expect(config().serviceCIDR).toBe('10.96.0.0/12')
  })
  test.each(['10.96.0.0/16', 'fd00:10:96::/112', '10.96.0.0/12,fd00:10:96::/112', 'fd00:10:96::/112,10.96.0.0/12'])('may be %s', (range) => {
    expect(config('--service-cidr', range).serviceCIDR).toBe(range)
  })
  test.each([
    ['10.96.0.0', '--service-cidr: 10.96.0.0 must be a range of addresses'],
    ['10.96.0.0/16,10.97.0.0/16', '--service-cidr: 10.96.0.0/16,10.97.0.0/16: give one range, or one of IPv4 and one of IPv6'],
    ['fd00::/64', '--service-cidr: fd00::/64 is larger than a range of services may be: use /80 or smaller'],
  ])('may not be %s', (range, message) => {
    expect(() => config('--service-cidr', range)).toThrow(message)
  })
})
