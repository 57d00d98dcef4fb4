import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import { adopt, parse, plan, rulesetOf, tableIn } from './index.ts'
import type { Listing } from './model.ts'

/** What `nft list table ip wherry` of nft 1.0.6 printed after the plan for `view` was loaded into a kernel. */
const listing = readFileSync(join(import.meta.dirname, 'listing.nft'), 'utf8')

const pod = (n: number, local = false) => endpointView(`10.244.${n}.7`, { node: local ? 'here' : 'elsewhere' })
const view = nodeView(
  [
    serviceView({ ports: [portView({ nodePort: 30_080, endpoints: [pod(1, true), pod(2), pod(3)] }), portView({ name: 'admin', port: 9000, nodePort: 30_090 })] }),
    serviceView({
      key: 'kube-system/dns',
      clusterIPs: ['10.96.0.10'],
      ports: [portView({ name: 'dns', protocol: 'udp', port: 53, endpoints: [pod(4, true)] }), portView({ name: '', port: 53, endpoints: [pod(4, true)] })],
    }),
    serviceView({
      key: 'default/shop',
      clusterIPs: ['10.96.0.12'],
      loadBalancerIPs: ['203.0.113.1'],
      sourceRanges: ['198.51.100.0/24', '192.0.2.9/32'],
      externalPolicy: 'Local',
      affinitySeconds: 5_400,
      ports: [portView({ endpoints: [pod(1, true), pod(2)] })],
    }),
    serviceView({ key: `${'n'.repeat(63)}/${'s'.repeat(63)}`, clusterIPs: ['10.96.0.11'], ports: [portView({ name: 'p'.repeat(63), protocol: 'sctp', endpoints: [pod(5)] })] }),
  ],
  nodeConfigOf({ pods: { kind: 'cidrs', cidrs: ['10.244.0.0/16', '10.1.2.3', '10.1.2.5', '10.9.0.0/24'] }, nodePortAddresses: ['192.0.2.1', '198.51.100.0/24'] }),
)

function plain({ chains, sets, elements }: Listing) {
  const sorted = <V>(map: ReadonlyMap<string, V>) => Object.fromEntries([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return { chains: sorted(chains), sets: sorted(sets), elements: sorted(new Map([...elements].map(([set, inside]) => [set, sorted(inside)]))) }
}

describe('a listing that nft printed', () => {
  test('is read as what was planned', () => {
    expect(plain(parse(listing))).toEqual(plain(rulesetOf('ip', view)))
  })

  test('leaves nothing to plan', () => {
    expect(plan(adopt('ip', parse(listing)), view, 'all').transaction).toBeUndefined()
  })

  test.each([
    ['with handles (-a)', listing.replace(/(\{|;|reject|fully-random)$/gm, '$1 # handle 12')],
    ['with numeric priorities (-y)', listing.replace('priority dstnat + 10', 'priority -90').replace('priority dstnat;', 'priority -100;')],
    ['with names for priorities in output, as later versions print', listing.replace('output priority -100', 'output priority dstnat')],
    ['without the numbers of counters (-s)', listing.replace(/ packets \d+ bytes \d+/g, '')],
    ['with what packets taught it', listing.replace('flags dynamic,timeout\n', 'flags dynamic,timeout\n\t\telements = { 1:2000 . 10.0.0.9 timeout 3h expires 2h59m : 1:2001 }\n')],
    ['where no protocol has a name', listing.replaceAll('. tcp .', '. 6 .').replaceAll('{ tcp .', '{ 6 .').replaceAll('. udp .', '. 17 .').replaceAll('. sctp .', '. 132 .')],
  ])('%s', (_, text) => {
    expect(text).not.toBe(listing)
    expect(plan(adopt('ip', parse(text)), view, 'all').transaction).toBeUndefined()
  })
})

test('what others put in is kept as it stands', () => {
  const { chains, sets, elements } = parse(`
table ip wherry {
	comment "somebody's"
	counter hits {
		packets 3 bytes 120
	}

	set theirs {
		type ipv4_addr
		size 65535
		flags interval,timeout
		elements = { 10.0.0.1-10.0.0.9, 10.0.1.0/24,
			     10.0.2.1 comment "a, b } : elements = { c" }
	}

	map steps {
		typeof iifname : verdict
		elements = { "eth0" : accept,
			     "eth1" : jump mine }
	}

	chain mine {
		comment "not a rule"
		type filter hook forward priority filter; policy drop;
		ip saddr { 10.0.0.1, 10.0.0.2,
			 10.0.0.3 } counter packets 0 bytes 0 log prefix "} {" accept
		tcp dport 80 drop
	}
}
table ip other {
}`)
  expect(sets.get('theirs')).toEqual({ name: 'theirs', kind: 'set', type: 'type ipv4_addr; size 65535; flags interval,timeout;' })
  expect([...elements.get('theirs')!.values()]).toEqual([
    { key: '10.0.0.1-10.0.0.9' }, { key: '10.0.1.0/24' }, { key: '10.0.2.1', comment: 'a, b } : elements = { c' },
  ])
  expect([...elements.get('steps')!.values()]).toEqual([{ key: '"eth0"', value: 'accept' }, { key: '"eth1"', value: 'jump mine' }])
  expect(chains.get('mine')).toEqual({
    name: 'mine',
    base: 'type filter hook forward priority 0; policy drop;',
    rules: ['ip saddr { 10.0.0.1, 10.0.0.2, 10.0.0.3 } counter packets 0 bytes 0 log prefix "} {" accept', 'tcp dport 80 drop'],
  })
})

test.each([
  ['', 'no table'],
  ['chain x {\n}\n', 'no table'],
  ['table ip wherry {\n\tchain x {\n', 'line 3'],
  ['table ip wherry {\n\tset x {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.1,\n', 'an element has no end'],
])('%j cannot be read', (text, why) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'RULES_UNREADABLE', message: expect.stringContaining(why) }))
})

describe('one table of a ruleset', () => {
  const table = (name: string, inside: string): string => `table ${name} {\n\tchain c {\n\t\t${inside}\n\t}\n}\n`
  const ours = table('ip wherry', 'accept')
  const others = [table('ip wherry2', 'drop'), table('ip6 wherry', 'drop'), table('ip other', 'accept comment "table ip wherry {"')]

  test.each([
    ['alone', ours],
    ['first', [ours, ...others].join('')],
    ['last', [...others, ours].join('')],
    ['in between', [others[0], '# Warning: somebody\n', ours, others[2]].join('')],
  ])('is found %s', (_, ruleset) => {
    expect(tableIn(ruleset, 'ip', 'wherry')).toBe(ours)
  })

  test('is not found where it is not', () => {
    expect(tableIn(others.join(''), 'ip', 'wherry')).toBeUndefined()
    expect(tableIn('', 'ip', 'wherry')).toBeUndefined()
  })

  test('is not taken for whole where it ends in the middle', () => {
    expect(() => parse(tableIn(others[0] + ours.slice(0, -3), 'ip', 'wherry')!)).toThrow(/ends in the middle/)
  })
})
