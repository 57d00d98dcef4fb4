import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isWherryError } from '../../api/errors.ts'
import { createLog } from '../../api/log.ts'
import { createFakeClock } from '../../test/kit/clock.ts'
import { parseResolvConf, readHostResolv } from './host-resolv.ts'
import { dnsSettings } from './settings.ts'
import { createUpstreams, parseUpstream, upstreamFault } from './upstreams.ts'

const own = { address: '169.254.20.10', port: 53 }

describe('the resolv.conf of the node', () => {
  let dir: string
  const [first, second] = ['own', 'systemd']
  const paths = () => ({ own: join(dir, first!), systemd: join(dir, second!) })
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'wherry-dns-'))
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  test('is read as the C library does', () => {
    const text = '# one\nnameserver 192.0.2.1 # here\n nameserver\t2001:db8::1\nnameserver nonsense\nnameserver fe80::1%eth0\nnameserver 192.0.2.9\ndomain a.example\nsearch b.example . c.example\noptions ndots:2 rotate\n; options x\noptions edns0\n'
    expect(parseResolvConf(text)).toEqual({
      nameservers: ['192.0.2.1', '2001:db8::1', 'fe80::1%eth0'], searches: ['b.example', 'c.example'], options: ['ndots:2', 'rotate', 'edns0'],
    })
    expect(parseResolvConf('search x y\ndomain z w\n').searches).toEqual(['z'])
  })

  test('counts where it names servers', () => {
    writeFileSync(paths().own, 'nameserver 192.0.2.1\n')
    writeFileSync(paths().systemd, 'nameserver 192.0.2.2\n')
    expect(readHostResolv(paths()).nameservers).toEqual(['192.0.2.1'])
  })

  test.each(['127.0.0.53', '127.0.0.54'])('gives way to what is behind the stub %s', (stub) => {
    writeFileSync(paths().own, `nameserver ${stub}\nsearch stub.example\n`)
    writeFileSync(paths().systemd, 'nameserver 192.0.2.2\nsearch real.example\n')
    expect(readHostResolv(paths())).toEqual({ nameservers: ['192.0.2.2'], searches: ['real.example'], options: [] })
  })

  test('stays where nothing is known to be behind the stub; absent it is empty', () => {
    expect(readHostResolv(paths()).nameservers).toEqual([])
    writeFileSync(paths().own, 'nameserver 127.0.0.53\n')
    expect(readHostResolv(paths()).nameservers).toEqual(['127.0.0.53'])
  })
})

test.each([
  [{ address: '192.0.2.1', port: 53 }, undefined],
  [{ address: '127.0.0.53', port: 53 }, 'it is a loopback address'],
  [{ address: '127.9.9.9', port: 53 }, 'it is a loopback address'],
  [{ address: '::1', port: 53 }, 'it is a loopback address'],
  [{ address: '::ffff:127.0.0.1', port: 53 }, 'it is a loopback address'],
  [{ address: '127.0.0.1', port: 5_300 }, undefined],
  [{ address: '0.0.0.0', port: 53 }, 'it is an unspecified address'],
  [{ address: '::', port: 5_300 }, 'it is an unspecified address'],
  [{ address: '169.254.20.10', port: 53 }, 'it is ourselves'],
  [{ address: '::ffff:169.254.20.10', port: 53 }, 'it is ourselves'],
  [{ address: '169.254.20.10', port: 54 }, undefined],
  [{ address: 'fe80::1%eth0', port: 53 }, undefined],
])('whether %j could lead round in a circle: %s', (upstream, fault) => {
  expect(upstreamFault(upstream, own)).toBe(fault)
})

function watched(named?: Parameters<typeof createUpstreams>[0]['named']) {
  const lines: { msg: string; server?: string; why?: string }[] = []
  const log = createLog({ level: 'info', write: (line) => lines.push(JSON.parse(line) as (typeof lines)[number]), now: () => 0 })
  const clock = createFakeClock()
  const state = { host: ['192.0.2.1'] as readonly string[], reads: 0 }
  const readHost = () => {
    state.reads++
    return state.host
  }
  const upstreams = createUpstreams({ named, readHost, own, clock, log })
  return { upstreams, state, clock, lines, addresses: () => upstreams.list().map(({ address }) => address) }
}

test("the node's name servers are read again, at most every five seconds", async () => {
  const { state, clock, addresses, upstreams } = watched()
  expect(addresses()).toEqual(['192.0.2.1'])
  const before = upstreams.list()
  state.host = ['192.0.2.1', '192.0.2.2']
  expect(upstreams.list()).toBe(before)
  expect(state.reads).toBe(1)
  await clock.advance(5_000)
  expect(addresses()).toEqual(['192.0.2.1', '192.0.2.2'])
})

test('those that could lead round in a circle are left out, and told once', async () => {
  const { state, clock, addresses, lines } = watched()
  state.host = ['127.0.0.53', '192.0.2.7', '169.254.20.10']
  expect(addresses()).toEqual(['192.0.2.7'])
  await clock.advance(60_000)
  expect(addresses()).toEqual(['192.0.2.7'])
  expect(lines.flatMap(({ server, why }) => (why ? [`${server}: ${why}`] : []))).toEqual(['127.0.0.53:53: it is a loopback address', '169.254.20.10:53: it is ourselves'])
  state.host = ['127.0.0.53']
  await clock.advance(60_000)
  expect(addresses()).toEqual([])
  expect(lines.at(-1)?.msg).toBe('names outside the cluster cannot be resolved: the node has no name server to ask')
})

test('where a person named some, the node is not looked at', () => {
  const { addresses, state } = watched([{ address: '198.51.100.1', port: 53 }])
  expect(addresses()).toEqual(['198.51.100.1'])
  expect(state.reads).toBe(0)
})

test.each([
  ['192.0.2.1', { address: '192.0.2.1', port: 53 }],
  ['192.0.2.1:5353', { address: '192.0.2.1', port: 5_353 }],
  ['2001:db8::1', { address: '2001:db8::1', port: 53 }],
  ['[2001:db8::1]', { address: '2001:db8::1', port: 53 }],
  ['[2001:db8::1]:5353', { address: '2001:db8::1', port: 5_353 }],
  ['dns.example', undefined],
  ['192.0.2.1:0', undefined],
  ['192.0.2.1:70000', undefined],
  ['1', undefined],
  ['', undefined],
])('%s names %j', (text, upstream) => {
  expect(parseUpstream(text)).toEqual(upstream)
})

describe('flags', () => {
  const flags = { address: '169.254.20.10', domain: 'cluster.local' }
  const refusal = (more: Partial<typeof flags & { upstream: string }>): string => {
    try {
      return JSON.stringify(dnsSettings({ ...flags, ...more }))
    } catch (e) {
      if (isWherryError(e, 'USAGE')) return e.message
      throw e
    }
  }
  test('are taken in one form', () => {
    expect(dnsSettings(flags)).toEqual(flags)
    expect(dnsSettings({ address: 'FD00::0010', domain: 'My.Lab.', upstream: '192.0.2.1, 127.0.0.1:5300' })).toEqual({
      address: 'fd00::10', domain: 'my.lab', upstreams: [{ address: '192.0.2.1', port: 53 }, { address: '127.0.0.1', port: 5_300 }],
    })
    expect(dnsSettings({ ...flags, address: 'none' })).toBeUndefined()
  })
  test.each([
    [{ address: 'off' }, '--cluster-dns off: expected an IP address, or none'],
    [{ address: '127.0.0.53' }, '--cluster-dns 127.0.0.53: pods cannot reach this address of the node'],
    [{ address: '::1' }, '--cluster-dns ::1: pods cannot reach this address of the node'],
    [{ domain: '' }, '--cluster-domain : expected a domain name'],
    [{ domain: 'a..b' }, '--cluster-domain a..b: expected a domain name'],
    [{ domain: 'a b' }, '--cluster-domain a b: expected a domain name'],
    [{ upstream: 'one.one' }, '--dns-upstream one.one: expected ADDRESS or ADDRESS:PORT'],
    [{ upstream: '192.0.2.1,127.0.0.53' }, '--dns-upstream 127.0.0.53: it is a loopback address'],
    [{ upstream: '169.254.20.10' }, '--dns-upstream 169.254.20.10: it is ourselves'],
  ])('%j', (more, message) => {
    expect(refusal(more)).toBe(message)
  })
})
