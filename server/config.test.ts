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

describe('etcd', () => {
  test('is not used unless told', () => {
    expect(config().etcd).toBeUndefined()
  })
  test('may be several servers, with certificates', () => {
    const files = ['--etcd-cafile', '/ca', '--etcd-certfile', '/c', '--etcd-keyfile', '/k']
    expect(config('--etcd-servers', 'https://a:2379,https://[fd00::1]:2379', ...files).etcd).toEqual({
      servers: ['https://a:2379', 'https://[fd00::1]:2379'],
      cafile: '/ca',
      certfile: '/c',
      keyfile: '/k',
    })
  })
  test.each([
    [['--etcd-servers', 'a:2379'], '--etcd-servers a:2379: expected https://HOST:PORT'],
    [['--etcd-servers', 'https://a'], '--etcd-servers https://a: expected'],
    [['--etcd-servers', 'https://a:2379,'], '--etcd-servers : expected'],
    [['--etcd-servers', 'https://a:2379/v3'], 'expected https://HOST:PORT'],
    [['--etcd-servers', 'http://a:2379', '--etcd-cafile', '/ca'], 'certificates are used with https:// only'],
    [['--etcd-servers', 'https://a:2379', '--etcd-certfile', '/c'], '--etcd-keyfile is missing'],
    [['--etcd-servers', 'https://a:2379', '--restore', '/s'], 'etcd is restored with etcdctl'],
    [['--etcd-cafile', '/ca'], '--etcd-cafile is given without --etcd-servers'],
  ])('%j is refused', (flags, message) => {
    expect(() => config(...flags)).toThrow(message)
  })
})
