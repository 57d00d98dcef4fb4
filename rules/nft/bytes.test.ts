import { describe, expect, test } from 'vitest'
import { elementForm, isDynamic } from './bytes.ts'
import { layoutOf, extensionParts } from './layout.ts'
import type { SetDeclaration } from './model.ts'
import { nodeConfigOf } from '../../test/kit/views.ts'

const set = (type: string, kind: SetDeclaration['kind'] = 'set'): SetDeclaration => ({ name: 'some', kind, type })
const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex')

/** What is written for a text, between bytes that nobody may touch; undefined if it is refused. */
function written(type: string, text: string): string | undefined {
  const { key } = elementForm(set(type))!
  const into = Buffer.alloc(key.length + 4)
  if (!key.write(text, into, 2)) return undefined
  expect([into.readUInt16LE(), into.readUInt16LE(key.length + 2)]).toEqual([0, 0])
  return into.toString('hex', 2, key.length + 2)
}

describe('keys and values as bytes', () => {
  test.each([
    ['type ipv4_addr;', '0a600001', '10.96.0.1'],
    ['type inet_service;', '1f90', '8080'],
    ['type classid;', '0100cdab', 'abcd:1'],
    ['type classid;', '0000cdab', 'abcd:0'],
    ['type classid;', '05000000', '0:5'],
    ['type classid;', '00000000', 'none'],
    ['type classid;', 'ffffffff', 'root'],
    ['type ipv4_addr . inet_proto . inet_service;', '0a600001 06000000 00500000', '10.96.0.1 . tcp . 80'],
    ['type ipv4_addr . inet_proto . inet_service;', '0a600001 11000000 00350000', '10.96.0.1 . udp . 53'],
    ['type ipv4_addr . inet_proto . inet_service;', '0a600001 84000000 ffff0000', '10.96.0.1 . sctp . 65535'],
    ['type ipv4_addr . inet_proto . inet_service;', '0a600001 2f000000 00000000', '10.96.0.1 . 47 . 0'],
    ['typeof ip daddr . numgen random mod 70000;', '00000000 01000100', '0.0.0.0 . 65537'],
    ['typeof ip6 daddr . th dport;', '20010db8000000000000000000000001 01bb0000', '2001:db8::1 . 443'],
  ])('%s %s is %s', (type, hex, text) => {
    const form = elementForm(set(type))!
    expect(form.key.length).toBe(bytes(hex).length)
    expect(form.key.text(bytes(`ffff${hex}`), 2)).toBe(text)
    expect(written(type, text)).toBe(hex.replaceAll(' ', ''))
  })

  test.each([
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['00000000000000000000000000010002', '::0.1.0.2'],
    ['00000000000000000000ffff0a000001', '::ffff:10.0.0.1'],
    ['0000000000000000ffff00000a000001', '::ffff:0:a00:1'],
    ['fd000000000000000000000000000000', 'fd00::'],
    ['20010db8000000000001000000000000', '2001:db8:0:0:1::'],
    ['20010db8000000010000000000000001', '2001:db8:0:1::1'],
    ['20010000000300040005000600070008', '2001:0:3:4:5:6:7:8'],
    ['00010000000000040000000000070008', '1::4:0:0:7:8'],
  ])('the IPv6 address %s is %s', (hex, text) => {
    expect(elementForm(set('type ipv6_addr;'))!.key.text(bytes(hex), 0)).toBe(text)
    expect(written('type ipv6_addr;', text)).toBe(text.includes('.') ? undefined : hex)
  })

  test.each([
    ['type ipv4_addr;', ''],
    ['type ipv4_addr;', '10.0.0'],
    ['type ipv4_addr;', '10.0.0.256'],
    ['type ipv4_addr;', '10.0.0.01'],
    ['type ipv4_addr;', '10.0.0.1.2'],
    ['type ipv4_addr;', '10.0.0.1 '],
    ['type ipv4_addr;', '10.0.0.0/24'],
    ['type ipv4_addr;', '10.0.0.1-10.0.0.2'],
    ['type ipv4_addr;', 'fd00::1'],
    ['type ipv6_addr;', '10.0.0.1'],
    ['type ipv6_addr;', 'fe80::1%eth0'],
    ['type ipv6_addr;', 'fd00::/64'],
    ['type inet_service;', '65536'],
    ['type inet_service;', '-1'],
    ['type inet_service;', 'http'],
    ['type inet_proto;', '256'],
    ['type inet_proto;', 'icmpv9'],
    ['type inet_proto;', '6x'],
    ['type classid;', '10000:1'],
    ['type classid;', 'rooted'],
    ['typeof numgen random mod 3;', '4294967296'],
    ['type ipv4_addr . inet_service;', '10.0.0.1'],
    ['type ipv4_addr . inet_service;', '10.0.0.1 , 80'],
    ['type ipv4_addr . inet_service;', '10.0.0.1 . 80 . 1'],
  ])('%s does not take %j', (type, text) => {
    expect(written(type, text)).toBeUndefined()
  })

  test.each([
    'type ipv4_addr; flags interval;',
    'type ipv4_addr; flags timeout;',
    'type ipv4_addr; size 5;',
    'type ipv4_addr . mark;',
    'typeof ip daddr & 255.0.0.0;',
    'type ipv4_addr : verdict;',
    'type ipv4_addr : ipv4_addr;',
    'flags constant; type ipv4_addr;',
    '',
  ])('a set of %j is none of its business', (type) => {
    expect(elementForm(set(type))).toBeUndefined()
  })

  test('nor is a map without values', () => {
    expect(elementForm(set('type ipv4_addr;', 'map'))).toBeUndefined()
  })
})

test.each(['ip', 'ip6'] as const)('all sets of the layout of %s are known but those of ranges and those that packets write to', (family) => {
  const extensions = (['endpoints', 'outsiders', 'affinity-members'] as const).map((kind) => extensionParts(family, { kind, number: 3 }).set)
  const sets = [...layoutOf(family, nodeConfigOf()).sets.values(), ...extensions]
  expect(sets.filter((each) => !elementForm(each)).map(({ name }) => name)).toEqual(['service-ranges', 'external-ranges', 'pod-ranges', 'node-port-addresses', 'source-ranges', 'affinity'])
  expect(sets.filter(isDynamic).map(({ name }) => name)).toEqual(['affinity'])
})
