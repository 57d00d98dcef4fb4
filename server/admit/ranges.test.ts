import { describe, expect, test } from 'vitest'
import { familyOf, parseRanges } from './ranges.ts'

describe('a range', () => {
  test.each([
    ['10.96.0.0/12', 2 ** 20 - 2, '10.96.0.1', '10.111.255.254'],
    ['10.96.7.9/16', 65_534, '10.96.0.1', '10.96.255.254'],
    ['10.0.0.0/30', 2, '10.0.0.1', '10.0.0.2'],
    ['fd00:10:96::/112', 65_535, 'fd00:10:96::1', 'fd00:10:96::ffff'],
    ['fd00:10:96::/108', 2 ** 20 - 1, 'fd00:10:96::1', 'fd00:10:96::f:ffff'],
    ['fd00::/80', 2 ** 48 - 1, 'fd00::1', 'fd00::ffff:ffff:ffff'],
    ['fd00::8/127', 1, 'fd00::9', 'fd00::9'],
  ])('%s has %d addresses, from %s to %s', (cidr, size, first, last) => {
    const [range] = parseRanges(cidr)
    expect([range!.size, range!.at(0), range!.at(size - 1)]).toEqual([size, first, last])
    expect([first, last].map((a) => range!.indexOf(a))).toEqual([0, size - 1])
  })
  test.each([
    ['10.96.0.0/16', ['10.96.0.0', '10.96.255.255', '10.97.0.1', '10.95.255.255', '::ffff:10.96.0.5', 'None', '', '10.96.1']],
    ['fd00:10:96::/112', ['fd00:10:96::', 'fd00:10:96::1:0', 'fd00:10:95::ffff', '10.96.0.5', 'fd00:10:96::5%eth0']],
  ])('%s has none of these', (cidr, others) => {
    expect(others.map((a) => parseRanges(cidr)[0]!.indexOf(a))).toEqual(others.map(() => undefined))
  })
  test('knows an address in every spelling', () => {
    const [range] = parseRanges('fd00:10:96::/112')
    expect(['fd00:10:96::a', 'FD00:10:96:0:0:0:0:A', 'fd00:0010:0096::000a'].map((a) => range!.indexOf(a))).toEqual([9, 9, 9])
  })
})

test('two ranges are of two families, in their order', () => {
  expect(parseRanges('fd00:10:96::/112, 10.96.0.0/12').map((r) => [r.family, r.cidr])).toEqual([
    ['IPv6', 'fd00:10:96::/112'],
    ['IPv4', '10.96.0.0/12'],
  ])
})

test.each([
  ['10.96.0.0', 'must be a range of addresses'],
  ['10.96/12', 'must be a range of addresses'],
  ['10.96.0.0/33', 'must be a range of addresses'],
  ['', 'must be a range of addresses'],
  ['10.0.0.0/31', 'use /30 or larger'],
  ['fd00::/128', 'use /126 or larger'],
  ['fd00::/64', 'use /80 or smaller'],
  ['10.96.0.0/16,10.97.0.0/16', 'one of IPv4 and one of IPv6'],
  ['10.96.0.0/16,fd00::/112,fd01::/112', 'one of IPv4 and one of IPv6'],
])('%j is refused: %s', (text, why) => {
  expect(() => parseRanges(text)).toThrow(why)
})

test.each([
  ['10.0.0.1', 'IPv4'],
  ['010.0.0.1', undefined],
  ['fd00::1', 'IPv6'],
  ['fe80::1%eth0', undefined],
  ['None', undefined],
])('%s is of the family %s', (address, family) => {
  expect(familyOf(address)).toBe(family)
})
