import { describe, expect, test } from 'vitest'
import { addressFault, canonicalAddress, canonicalCIDR, cidrContains, disjointCIDRs, isOtherFamily, isPort, unicastFault } from './address.ts'

test.each<readonly [string, string | undefined]>([
  ['10.244.0.1', undefined],
  ['255.255.255.255', undefined],
  ['0.0.0.0', undefined],
  ...['', '10.244.0', '10.244.0.0.1', '10.244.0.', '.10.244.0', '10..0.1', '10.244.0.256', '010.1.1.1', '1.1.1.00', '10.1.1.1 ', '10.1.1.+1', '::1', 'None']
    .map((text) => [text, 'is not an IPv4 address'] as const),
])('address "%s" %s', (text, fault) => {
  expect(addressFault('ip', text)).toBe(fault)
})

test.each([
  ['10.96.0.1', undefined],
  ['192.0.2.1', undefined],
  ['1.0.0.0', undefined],
  ['223.255.255.255', undefined],
  ['0.0.0.0', 'is an unspecified address'],
  ['127.0.0.1', 'is a loopback address'],
  ['127.255.255.255', 'is a loopback address'],
  ['128.0.0.0', undefined],
  ['169.253.255.255', undefined],
  ['169.254.169.254', 'is a link-local address'],
  ['169.255.0.0', undefined],
  ['224.0.0.1', 'is a multicast address'],
  ['240.0.0.1', 'is a reserved or broadcast address'],
  ['255.255.255.255', 'is a reserved or broadcast address'],
  ['fe80::1', 'is not an IPv4 address'],
])('%s as an endpoint: %s', (text, fault) => {
  expect(unicastFault('ip', text)).toBe(fault)
})

test.each<readonly [string, string | undefined]>([
  ['10.244.0.0/16', '10.244.0.0/16'],
  ['10.244.7.9/16', '10.244.0.0/16'],
  ['10.1.0.1/32', '10.1.0.1'],
  ['10.1.0.1', '10.1.0.1'],
  ['200.1.2.3/1', '128.0.0.0/1'],
  ['1.2.3.4/0', '0.0.0.0/0'],
  ...['10.244.0.0/33', '10.244.0.0/', '10.244.0/16', '10.244.0.0/016', 'fd00::/8', ''].map((text) => [text, undefined] as const),
])('CIDR %s is %s', (text, canonical) => {
  expect(canonicalCIDR('ip', text)).toBe(canonical)
})

describe('an interval set takes no overlaps', () => {
  test.each([
    [['10.244.1.0/24', '10.244.0.0/16', '10.244.0.0/16'], ['10.244.0.0/16']],
    [['10.244.0.0/24', '10.244.1.0/24'], ['10.244.0.0/24', '10.244.1.0/24']],
    [['200.0.0.0/8', '10.0.0.1', '10.0.0.0/8'], ['10.0.0.0/8', '200.0.0.0/8']],
    [['0.0.0.0/0', '10.0.0.0/8'], ['0.0.0.0/0']],
    [[], []],
  ])('%j', (cidrs, kept) => {
    expect(disjointCIDRs('ip', cidrs)).toEqual(kept)
  })
})

test.each([
  ['10.244.0.0/16', '10.244.255.255', true],
  ['10.244.0.0/16', '10.245.0.0', false],
  ['10.1.0.1', '10.1.0.1', true],
  ['10.1.0.1', '10.1.0.2', false],
  ['10.1.0.1-10.1.0.5', '10.1.0.5', true],
  ['10.1.0.1-10.1.0.5', '10.1.0.6', false],
  ['200.0.0.0/8', '200.1.1.1', true],
  ['0.0.0.0/0', '200.1.1.1', true],
  ['10.244.0.0/16', 'x', false],
])('%s holds %s: %s', (range, address, holds) => {
  expect(cidrContains(range, address)).toBe(holds)
})

test('ports', () => {
  expect([1, 80, 65_535].filter(isPort)).toHaveLength(3)
  expect([0, -1, 65_536, 1.5, NaN].filter(isPort)).toEqual([])
})

describe('IPv6', () => {
  test.each([
    ['fd00::1', undefined],
    ['FD00::1', 'is not an IPv6 address'],
    ['fd00:0::1', 'is not an IPv6 address'],
    ['::', 'is an unspecified address'],
    ['::1', 'is a loopback address'],
    ['fe80::1', 'is a link-local address'],
    ['fe80::1%eth0', 'is not an IPv6 address'],
    ['ff02::1', 'is a multicast address'],
    ['::ffff:10.0.0.1', 'is not an IPv6 address'],
    ['::ffff:a00:1', 'is an IPv4 address in IPv6 clothes'],
    ['10.0.0.1', 'is not an IPv6 address'],
  ])('%s as an endpoint: %s', (text, fault) => {
    expect(unicastFault('ip6', text)).toBe(fault)
  })

  test.each<readonly [string, string | undefined]>([
    ['fd00:10::/64', 'fd00:10::/64'],
    ['fd00:10::99/64', 'fd00:10::/64'],
    ['fd00::1/128', 'fd00::1'],
    ['FD00::1', 'fd00::1'],
    [' 2001:db8::/32 ', '2001:db8::/32'],
    ['::/0', '::/0'],
    ['fd00::/129', undefined],
    ['10.0.0.0/8', undefined],
  ])('CIDR %s is %s', (text, canonical) => {
    expect(canonicalCIDR('ip6', text)).toBe(canonical)
  })

  test('ranges hold addresses, and swallow each other', () => {
    expect(cidrContains('fd00::/16', 'fd00:ffff::1')).toBe(true)
    expect(cidrContains('fd00::/16', 'fd01::1')).toBe(false)
    expect(cidrContains('::/0', '10.0.0.1')).toBe(false)
    expect(disjointCIDRs('ip6', ['fd00:1::/32', 'fd00::/16', 'fd01::1'])).toEqual(['fd00::/16', 'fd01::1'])
  })
})

test.each<readonly ['ip' | 'ip6', string, string | undefined]>([
  ['ip', '010.001.0.1', '10.1.0.1'],
  ['ip', '10.0.0.256', undefined],
  ['ip', '10.0.1', undefined],
  ['ip', '', undefined],
  ['ip6', '2001:0db8:0:0::1', '2001:db8::1'],
  ['ip6', '10.0.0.1', undefined],
])('in family %s, %s is written %s', (family, text, canonical) => {
  expect(canonicalAddress(family, text)).toBe(canonical)
})

test('families are told apart by their look', () => {
  expect([isOtherFamily('ip', 'fd00::/8'), isOtherFamily('ip', '10.0.0.0/8'), isOtherFamily('ip6', 'nonsense')]).toEqual([true, false, true])
})
