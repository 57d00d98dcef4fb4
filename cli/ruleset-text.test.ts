import { describe, expect, test } from 'vitest'
import { onlyService } from './ruleset-text.ts'

const ruleset = `table ip wherry {
	map services {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.1 . tcp . 443 comment "default/kubernetes:https" : goto endpoints-1,
			     10.97.3.4 . tcp . 80 comment "default/web:http" : goto endpoints-3,
			     10.97.3.5 . tcp . 80 comment "default/web2:http" : goto endpoints-2 }
	}

	map node-ports {
		type inet_proto . inet_service : verdict
		elements = { tcp . 30080 comment "default/web:http, and more" : goto node-port-endpoints-3,
			     tcp . 30081 : goto node-port-endpoints-2 }
	}

	map endpoints-1 {
		typeof ip daddr . meta l4proto . th dport . numgen random mod 1 : ip daddr . th dport
		elements = { 10.96.0.1 . tcp . 443 . 0 : 198.18.0.10 . 6443 }
	}

	map endpoints-3 {
		typeof ip daddr . meta l4proto . th dport . numgen random mod 3 : ip daddr . th dport
		elements = { 10.97.3.4 . tcp . 80 . 0 : 10.244.0.2 . 8080, 10.97.3.4 . tcp . 80 . 1 : 10.244.1.2 . 8080,
			     10.97.3.4 . tcp . 80 . 2 : 10.244.2.2 . 8080, 10.97.9.9 . tcp . 80 . 0 : 10.244.2.9 . 8080 }
	}

	set cluster-cidrs {
		type ipv4_addr
		flags interval
		elements = { 10.244.0.0/16 }
	}

	set unasked {
		type ipv4_addr
		elements = { 192.0.2.1 }
	}

	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump route
	}

	chain route {
		ip daddr . meta l4proto . th dport vmap @services
		meta l4proto . th dport vmap @node-ports
	}

	chain endpoints-1 {
		dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @endpoints-1
	}

	chain endpoints-3 {
		ip saddr != @cluster-cidrs meta mark set meta mark | 0x00004000
		dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 3 map @endpoints-3
	}

	chain node-port-endpoints-3 {
		counter
	}
}
`

describe('only what one service meets', () => {
  const shown = onlyService(ruleset, {
    key: 'default/web',
    addresses: ['10.97.3.4', '10.244.0.2', '10.244.1.2', '10.244.2.2'],
    nodePorts: [30080],
  })

  test('elements by comment, address and node port; a name that only begins alike is another', () => {
    expect(shown).toContain('10.97.3.4 . tcp . 80 comment "default/web:http" : goto endpoints-3')
    expect(shown).toContain('tcp . 30080 comment "default/web:http, and more" : goto node-port-endpoints-3')
    for (const n of [0, 1, 2]) expect(shown).toContain(`10.97.3.4 . tcp . 80 . ${n} : 10.244.${n}.2 . 8080`)
    for (const absent of ['default/web2', '30081', 'kubernetes', '10.97.9.9']) expect(shown).not.toContain(absent)
  })

  test('chains that a packet to it walks through, and the sets that they ask', () => {
    const blocks = [...shown.matchAll(/^\t(?:set|map|chain) (\S+)/gm)].map((match) => match[1])
    expect(blocks).toEqual([
      'services',
      'node-ports',
      'endpoints-3',
      'cluster-cidrs',
      'nat-prerouting',
      'route',
      'endpoints-3',
      'node-port-endpoints-3',
    ])
    expect(shown).toContain('elements = { 10.244.0.0/16 }')
  })

  test('says how much it left out', () => {
    expect(shown.match(/# \d+ more/g)).toEqual(['# 2 more', '# 1 more', '# 1 more'])
  })

  test('is still a table with one brace for each block', () => {
    expect(shown.startsWith('table ip wherry {\n')).toBe(true)
    expect(shown.endsWith('\t}\n}\n')).toBe(true)
    expect(shown.match(/\{/g)?.length).toBe(shown.match(/\}/g)?.length)
  })

  test('a text of another shape comes back as it is', () => {
    expect(onlyService('no such table\n', { key: 'a/b', addresses: [], nodePorts: [] })).toBe('no such table\n')
  })
})
