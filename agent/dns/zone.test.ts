import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/objects.ts'
import { endpointSlice, service, stored } from '../../test/kit/objects.ts'
import { createCluster } from './cluster.ts'
import { createHistory } from './fake.ts'
import { createZone, type ZoneAnswer } from './zone.ts'
import type { DnsRecord } from './reply.ts'

const svc = (namespace: string, name: string, spec: object): KubeObject =>
  stored(service({ metadata: { name, namespace }, spec: { selector: undefined, ports: undefined, ...spec } as never }))
const slice = (namespace: string, name: string, of: string, rest: object): KubeObject =>
  stored(endpointSlice({ metadata: { name, namespace, labels: { 'kubernetes.io/service-name': of } }, ...rest } as never))

const http = { name: 'http', port: 80, protocol: 'TCP' }
const objects: readonly KubeObject[] = [
  svc('default', 'web', { clusterIP: '10.96.0.10', ports: [http, { port: 9_000 }, { name: 'dns', port: 53, protocol: 'UDP' }] }),
  svc('default', 'both', { clusterIP: '10.96.0.11', clusterIPs: ['10.96.0.11', 'fd00:10:96::B'], ports: [http] }),
  svc('default', 'six', { clusterIP: 'fd00:10:96::c', ports: [http] }),
  svc('default', 'waits', { ports: [http] }),
  slice('default', 'web-1', 'web', { endpoints: [{ addresses: ['10.244.1.9'], hostname: 'named' }, { addresses: ['10.244.1.10'] }] }),
  svc('shop', 'db', { clusterIP: 'None', ports: [{ ...http, targetPort: 8_080 }] }),
  slice('shop', 'db-1', 'db', {
    ports: [{ name: 'http', port: 8_080, protocol: 'TCP' }, { name: '', port: 1, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['10.244.1.2'], hostname: 'db-0', conditions: { ready: true } },
      { addresses: ['10.244.2.2'] },
      { addresses: ['10.244.2.3'], hostname: 'db-9', conditions: { ready: false, serving: true } },
    ],
  }),
  slice('shop', 'db-2', 'db', { addressType: 'IPv6', ports: [{ name: 'http', port: 8_081 }], endpoints: [{ addresses: ['fd00::2'], hostname: 'db-0' }] }),
  slice('shop', 'db-3', 'db', { addressType: 'FQDN', endpoints: [{ addresses: ['db.example.com'] }] }),
  svc('shop', 'four', { clusterIP: 'None', ports: [] }),
  slice('shop', 'four-1', 'four', { endpoints: [{ addresses: ['10.244.1.2'], hostname: 'other' }] }),
  svc('shop', 'empty', { clusterIP: 'None', ports: [http] }),
  slice('shop', 'empty-1', 'empty', { endpoints: [{ addresses: ['10.244.3.2'], conditions: { ready: false } }] }),
  svc('shop', 'out', { type: 'ExternalName', externalName: 'DB.Example.com.' }),
  svc('shop', 'in', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }),
  svc('shop', 'far', { type: 'ExternalName', externalName: 'in.shop.svc.cluster.local' }),
  svc('shop', 'lost', { type: 'ExternalName', externalName: 'nobody.default.svc.cluster.local' }),
  svc('shop', 'round', { type: 'ExternalName', externalName: 'about.shop.svc.cluster.local' }),
  svc('shop', 'about', { type: 'ExternalName', externalName: 'round.shop.svc.cluster.local' }),
]

const options = { domain: 'cluster.local', address: '169.254.20.10', ranges: ['10.244.0.0/16', '10.96.0.0/12', 'fd00:10:96::/112'], random: () => 0.999 }

function zoneOf(all: readonly KubeObject[], more: Partial<typeof options> = {}) {
  const cluster = createCluster()
  const history = createHistory()
  cluster.take(history.put(...all))
  return { cluster, history, zone: createZone(cluster, { ...options, ...more }) }
}

function dataText(record: DnsRecord): string {
  const { data } = record
  if (typeof data === 'string') return data
  return record.type === 'SRV' ? `${record.data.port} ${record.data.target}` : record.type === 'SOA' ? `minimum ${record.data.minimum}` : JSON.stringify(data)
}
const recordText = (record: DnsRecord): string => `${record.type} ${dataText(record)}`

/** `CODE record, record / authority + additional`; NODATA is NOERROR with an SOA alone. */
function told(answer: ZoneAnswer): string {
  if (answer.kind === 'alias') return `alias ${answer.answers.map(recordText).join(', ')} then ${answer.target}`
  if (answer.kind !== 'reply') return answer.kind
  const { rcode, answers, authorities, additionals } = answer.reply
  const isEmpty = answers.length === 0
  const soa = authorities.map(({ type, ttl }) => ` / ${type} ${ttl}`).join()
  if (isEmpty) expect(soa).toBe(' / SOA 5')
  const name = rcode === 'NOERROR' && isEmpty ? 'NODATA' : rcode
  const more = additionals.length > 0 ? ` + ${additionals.map((a) => `${a.name} ${recordText(a)}`).join(', ')}` : ''
  return [name, answers.map(recordText).join(', ')].filter((part) => part !== '').join(' ') + (isEmpty ? '' : soa) + more
}

const { zone } = zoneOf(objects)
const asking = (name: string, type: string) => told(zone.answer({ name, type, isPlain: true }))

const c = 'cluster.local'
describe('the specification', () => {
  test.each([
    // 2.2: the version of the schema
    [`dns-version.${c}`, 'TXT', 'NOERROR TXT 1.1.0'],
    [`dns-version.${c}`, 'A', 'NODATA'],
    [`x.dns-version.${c}`, 'TXT', 'NXDOMAIN'],
    // 2.3: services with a virtual IP
    [`web.default.svc.${c}`, 'A', 'NOERROR A 10.96.0.10'],
    [`web.default.svc.${c}`, 'AAAA', 'NODATA'],
    [`web.default.svc.${c}`, 'MX', 'NODATA'],
    [`web.default.svc.${c}`, 'SRV', 'NODATA'],
    [`web.default.svc.${c}`, 'ANY', 'NOERROR A 10.96.0.10'],
    [`both.default.svc.${c}`, 'A', 'NOERROR A 10.96.0.11'],
    [`both.default.svc.${c}`, 'AAAA', 'NOERROR AAAA fd00:10:96::b'],
    [`both.default.svc.${c}`, 'ANY', 'NOERROR A 10.96.0.11, AAAA fd00:10:96::b'],
    [`six.default.svc.${c}`, 'A', 'NODATA'],
    [`six.default.svc.${c}`, 'AAAA', 'NOERROR AAAA fd00:10:96::c'],
    [`waits.default.svc.${c}`, 'A', 'NODATA'],
    [`nobody.default.svc.${c}`, 'A', 'NXDOMAIN'],
    [`web.shop.svc.${c}`, 'A', 'NXDOMAIN'],
    [`*.default.svc.${c}`, 'A', 'NXDOMAIN'],
    [`_http._tcp.web.default.svc.${c}`, 'SRV', `NOERROR SRV 80 web.default.svc.${c} + web.default.svc.${c} A 10.96.0.10`],
    [`_dns._udp.web.default.svc.${c}`, 'SRV', `NOERROR SRV 53 web.default.svc.${c} + web.default.svc.${c} A 10.96.0.10`],
    [`_http._tcp.both.default.svc.${c}`, 'SRV', `NOERROR SRV 80 both.default.svc.${c} + both.default.svc.${c} A 10.96.0.11, both.default.svc.${c} AAAA fd00:10:96::b`],
    [`_http._tcp.web.default.svc.${c}`, 'A', 'NODATA'],
    [`_tcp.web.default.svc.${c}`, 'SRV', 'NODATA'],
    [`_sctp.web.default.svc.${c}`, 'SRV', 'NXDOMAIN'],
    [`_http._udp.web.default.svc.${c}`, 'SRV', 'NXDOMAIN'],
    [`_._tcp.web.default.svc.${c}`, 'SRV', 'NXDOMAIN'],
    [`http.tcp.web.default.svc.${c}`, 'SRV', 'NXDOMAIN'],
    [`x._http._tcp.web.default.svc.${c}`, 'SRV', 'NXDOMAIN'],
    [`named.web.default.svc.${c}`, 'A', 'NOERROR A 10.244.1.9'],
    [`10-244-1-10.web.default.svc.${c}`, 'A', 'NOERROR A 10.244.1.10'],
    ['10.0.96.10.in-addr.arpa', 'PTR', `NOERROR PTR web.default.svc.${c}`],
    ['10.0.96.10.in-addr.arpa', 'A', 'NODATA'],
    ['99.0.96.10.in-addr.arpa', 'PTR', 'NXDOMAIN'],
    // 2.4: headless services
    [`db.shop.svc.${c}`, 'A', 'NOERROR A 10.244.1.2, A 10.244.2.2'],
    [`db.shop.svc.${c}`, 'AAAA', 'NOERROR AAAA fd00::2'],
    [`db.shop.svc.${c}`, 'TXT', 'NODATA'],
    [`four.shop.svc.${c}`, 'AAAA', 'NODATA'],
    [`empty.shop.svc.${c}`, 'A', 'NXDOMAIN'],
    [`_http._tcp.empty.shop.svc.${c}`, 'SRV', 'NXDOMAIN'],
    [`db-0.db.shop.svc.${c}`, 'A', 'NOERROR A 10.244.1.2'],
    [`db-0.db.shop.svc.${c}`, 'AAAA', 'NOERROR AAAA fd00::2'],
    [`10-244-2-2.db.shop.svc.${c}`, 'A', 'NOERROR A 10.244.2.2'],
    [`10-244-2-2.db.shop.svc.${c}`, 'AAAA', 'NODATA'],
    [`10-244-1-2.db.shop.svc.${c}`, 'A', 'NXDOMAIN'],
    [`db-9.db.shop.svc.${c}`, 'A', 'NXDOMAIN'],
    [`x.db-0.db.shop.svc.${c}`, 'A', 'NXDOMAIN'],
    [
      `_http._tcp.db.shop.svc.${c}`,
      'SRV',
      `NOERROR SRV 8080 db-0.db.shop.svc.${c}, SRV 8080 10-244-2-2.db.shop.svc.${c}, SRV 8081 db-0.db.shop.svc.${c}` +
        ` + db-0.db.shop.svc.${c} A 10.244.1.2, db-0.db.shop.svc.${c} AAAA fd00::2, 10-244-2-2.db.shop.svc.${c} A 10.244.2.2`,
    ],
    ['2.1.244.10.in-addr.arpa', 'PTR', `NOERROR PTR db-0.db.shop.svc.${c}, PTR other.four.shop.svc.${c}`],
    ['2.2.244.10.in-addr.arpa', 'PTR', `NOERROR PTR 10-244-2-2.db.shop.svc.${c}`],
    ['2.2.244.10.in-addr.arpa', 'A', 'NODATA'],
    ['3.2.244.10.in-addr.arpa', 'PTR', 'NXDOMAIN'],
    [`2.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, 'PTR', `NOERROR PTR db-0.db.shop.svc.${c}`],
    // 2.5: names from outside
    [`out.shop.svc.${c}`, 'A', 'alias CNAME db.example.com then db.example.com'],
    [`out.shop.svc.${c}`, 'TXT', 'alias CNAME db.example.com then db.example.com'],
    [`out.shop.svc.${c}`, 'CNAME', 'NOERROR CNAME db.example.com'],
    [`out.shop.svc.${c}`, 'ANY', 'NOERROR CNAME db.example.com'],
    [`x.out.shop.svc.${c}`, 'A', 'NXDOMAIN'],
    [`_http._tcp.out.shop.svc.${c}`, 'SRV', 'NXDOMAIN'],
    [`in.shop.svc.${c}`, 'A', `NOERROR CNAME web.default.svc.${c}, A 10.96.0.10`],
    [`in.shop.svc.${c}`, 'AAAA', `NOERROR CNAME web.default.svc.${c} / SOA 5`],
    [`far.shop.svc.${c}`, 'A', `NOERROR CNAME in.shop.svc.${c}, CNAME web.default.svc.${c}, A 10.96.0.10`],
    [`lost.shop.svc.${c}`, 'A', `NXDOMAIN CNAME nobody.default.svc.${c} / SOA 5`],
    [`round.shop.svc.${c}`, 'A', 'circle'],
    // 2.6: pods
    [`10-244-1-5.default.pod.${c}`, 'A', 'NOERROR A 10.244.1.5'],
    [`10-244-1-5.default.pod.${c}`, 'AAAA', 'NODATA'],
    [`fd00--5.default.pod.${c}`, 'AAAA', 'NOERROR AAAA fd00::5'],
    [`10-244-1.default.pod.${c}`, 'A', 'NXDOMAIN'],
    [`10-244-1-256.default.pod.${c}`, 'A', 'NXDOMAIN'],
    [`web.default.pod.${c}`, 'A', 'NXDOMAIN'],
    [`x.10-244-1-5.default.pod.${c}`, 'A', 'NXDOMAIN'],
    // the domain itself, and names that only have names below them
    [c, 'SOA', 'NOERROR SOA minimum 5'],
    [c, 'NS', `NOERROR NS ns.dns.${c} + ns.dns.${c} A 169.254.20.10`],
    [c, 'A', 'NODATA'],
    [`dns.${c}`, 'A', 'NODATA'],
    [`ns.dns.${c}`, 'A', 'NOERROR A 169.254.20.10'],
    [`x.dns.${c}`, 'A', 'NXDOMAIN'],
    [`svc.${c}`, 'A', 'NODATA'],
    [`pod.${c}`, 'A', 'NODATA'],
    [`default.svc.${c}`, 'A', 'NODATA'],
    [`default.pod.${c}`, 'A', 'NODATA'],
    [`nowhere.svc.${c}`, 'A', 'NXDOMAIN'],
    [`web.${c}`, 'A', 'NXDOMAIN'],
    [`web.default.${c}`, 'A', 'NXDOMAIN'],
    // not ours
    ['example.com', 'A', 'elsewhere'],
    [`not${c}`, 'A', 'elsewhere'],
    ['local', 'SOA', 'elsewhere'],
    ['', 'NS', 'elsewhere'],
    ['1.2.0.192.in-addr.arpa', 'PTR', 'elsewhere'],
    ['2.244.10.in-addr.arpa', 'PTR', 'elsewhere'],
    ['x.2.1.244.10.in-addr.arpa', 'PTR', 'elsewhere'],
    ['02.1.244.10.in-addr.arpa', 'PTR', 'elsewhere'],
  ])('%s %s: %s', (name, type, expected) => {
    expect(asking(name, type)).toBe(expected)
  })
})

test('virtual IPs go back to their services', () => {
  expect(asking(reverse('10.96.0.10'), 'PTR')).toBe(`NOERROR PTR web.default.svc.${c}`)
  expect(asking(reverse('10.96.0.11'), 'PTR')).toBe(`NOERROR PTR both.default.svc.${c}`)
  expect(asking(`b.${'0.'.repeat(19)}6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa`, 'PTR')).toBe(`NOERROR PTR both.default.svc.${c}`)
  expect(asking(`d.${'0.'.repeat(19)}6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa`, 'PTR')).toBe('NXDOMAIN')
})

test('addresses of endpoints of services with a virtual IP do not go back: the world may know them', () => {
  expect(told(zoneOf(objects, { ranges: [] }).zone.answer({ name: reverse('10.244.1.9'), type: 'PTR', isPlain: true }))).toBe('elsewhere')
})

function reverse(address: string): string {
  return `${address.split('.').toReversed().join('.')}.in-addr.arpa`
}

test('a name with dots inside a label is none of the cluster', () => {
  expect(told(zone.answer({ name: `web.default.svc.${c}`, type: 'A', isPlain: false }))).toBe('NXDOMAIN')
})

test('another domain', () => {
  const other = zoneOf(objects, { domain: 'my.lab.example' }).zone
  expect(told(other.answer({ name: 'web.default.svc.my.lab.example', type: 'A', isPlain: true }))).toBe('NOERROR A 10.96.0.10')
  expect(told(other.answer({ name: `web.default.svc.${c}`, type: 'A', isPlain: true }))).toBe('elsewhere')
})

test('before the first sync nothing is known of the cluster, and all is known to be elsewhere that is', () => {
  const before = createZone(createCluster(), options)
  const ask = (name: string, type = 'A') => told(before.answer({ name, type, isPlain: true }))
  expect(ask(`web.default.svc.${c}`)).toBe('unknown')
  expect(ask(c, 'SOA')).toBe('unknown')
  expect(ask(reverse('192.0.2.1'), 'PTR')).toBe('unknown')
  expect(ask('example.com')).toBe('elsewhere')
})

test('a cluster without any service is empty and not unknown', () => {
  expect(told(zoneOf([]).zone.answer({ name: `web.default.svc.${c}`, type: 'A', isPlain: true }))).toBe('NXDOMAIN')
})

test('endpoints come in another order each time', () => {
  let at = 0
  const values = [0.9, 0.1, 0.5, 0.2, 0.8, 0.4, 0.6]
  const many = slice('shop', 'many-1', 'four', { endpoints: Array.from({ length: 8 }, (_, i) => ({ addresses: [`10.244.9.${i}`] })) })
  const mixed = zoneOf([...objects, many], { random: () => values[at++ % values.length]! }).zone
  const order = (): string => told(mixed.answer({ name: `four.shop.svc.${c}`, type: 'A', isPlain: true }))
  const [first, second] = [order(), order()]
  expect(first).not.toBe(second)
  expect(first.split(/,? A /).toSorted()).toEqual(second.split(/,? A /).toSorted())
})

describe('changes', () => {
  const web = (ip: string) => svc('default', 'web', { clusterIP: ip, ports: [http] })
  const ends = (...addresses: readonly string[]) => slice('shop', 'db-1', 'db', { endpoints: addresses.map((address) => ({ addresses: [address] })) })
  const start = () => {
    const state = zoneOf([web('10.96.0.10'), svc('shop', 'db', { clusterIP: 'None' }), ends('10.244.1.2', '10.244.1.3')])
    const ask = (name: string, type = 'A') => told(state.zone.answer({ name, type, isPlain: true }))
    return { ...state, ask }
  }

  test('of virtual IPs reach both directions', () => {
    const { cluster, history, ask } = start()
    cluster.take(history.put(web('10.96.0.20')))
    expect(ask(`web.default.svc.${c}`)).toBe('NOERROR A 10.96.0.20')
    expect(ask(reverse('10.96.0.20'), 'PTR')).toBe(`NOERROR PTR web.default.svc.${c}`)
    expect(ask(reverse('10.96.0.10'), 'PTR')).toBe('NXDOMAIN')
  })

  test('of endpoints reach both directions, asked for before or not', () => {
    const { cluster, history, ask } = start()
    expect(ask(`db.shop.svc.${c}`)).toBe('NOERROR A 10.244.1.2, A 10.244.1.3')
    cluster.take(history.put(ends('10.244.1.3', '10.244.1.4')))
    expect(ask(`db.shop.svc.${c}`)).toBe('NOERROR A 10.244.1.3, A 10.244.1.4')
    expect(ask(reverse('10.244.1.2'), 'PTR')).toBe('NXDOMAIN')
    expect(ask(reverse('10.244.1.4'), 'PTR')).toBe(`NOERROR PTR 10-244-1-4.db.shop.svc.${c}`)
  })

  test('the end of the last slice ends the name; that of a service its namespace', () => {
    const { cluster, history, ask } = start()
    cluster.take(history.drop(ends()))
    expect(ask(`db.shop.svc.${c}`)).toBe('NXDOMAIN')
    expect(ask(`shop.svc.${c}`)).toBe('NODATA')
    cluster.take(history.drop(svc('shop', 'db', {})))
    expect(ask(`shop.svc.${c}`)).toBe('NXDOMAIN')
    cluster.take(history.put(svc('shop', 'db', { clusterIP: '10.96.0.30' })))
    expect(ask(`db.shop.svc.${c}`)).toBe('NOERROR A 10.96.0.30')
  })

  test('a slice that moves to another service takes its endpoints along', () => {
    const { cluster, history, ask } = start()
    cluster.take(history.put(svc('shop', 'next', { clusterIP: 'None' }), slice('shop', 'db-1', 'next', { endpoints: [{ addresses: ['10.244.1.2'] }] })))
    expect(ask(`db.shop.svc.${c}`)).toBe('NXDOMAIN')
    expect(ask(`next.shop.svc.${c}`)).toBe('NOERROR A 10.244.1.2')
    expect(ask(reverse('10.244.1.2'), 'PTR')).toBe(`NOERROR PTR 10-244-1-2.next.shop.svc.${c}`)
  })

  test('a slice may come before its service', () => {
    const cluster = createCluster()
    const history = createHistory()
    const early = createZone(cluster, options)
    cluster.take(history.put(ends('10.244.1.2')))
    cluster.take(history.put(svc('shop', 'db', { clusterIP: 'None' })))
    expect(told(early.answer({ name: reverse('10.244.1.2'), type: 'PTR', isPlain: true }))).toBe(`NOERROR PTR 10-244-1-2.db.shop.svc.${c}`)
  })
})
