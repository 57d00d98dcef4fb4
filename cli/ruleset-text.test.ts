import { describe, expect, test } from 'vitest'
import { onlyService } from './ruleset-text.ts'

const ruleset = `table ip wherry {
	set external {
		type ipv4_addr . inet_proto . inet_service
		elements = { 0.0.0.0 . tcp . 30080 comment "default/web:http, and more",
			     0.0.0.0 . tcp . 30081 comment "default/web2:http" }
	}

	set external-local {
		type ipv4_addr . inet_proto . inet_service
		elements = { 198.51.100.1 . tcp . 80 comment "default/other" }
	}

	set refused {
		type ipv4_addr . inet_proto . inet_service
	}

	set cluster-ips {
		type ipv4_addr
		elements = { 10.96.0.1 comment "default/kubernetes",
			     10.97.3.4 comment "default/web" }
	}

	set service-ranges {
		type ipv4_addr
		flags interval
		elements = { 10.97.0.0/18, 10.100.0.0/18, 10.101.0.0/18, 10.102.0.0/18, 10.103.0.0/18, 10.104.0.0/18, 10.105.0.0/18, 10.106.0.0/18, 10.107.0.0/18 }
	}

	set pod-ranges {
		type ipv4_addr
		flags interval
		elements = { 10.244.0.0/16 }
	}

	map endpoints-1 {
		typeof ip daddr . meta l4proto . th dport . numgen random mod 1 : ip daddr . th dport
		counter
		elements = { 10.96.0.1 . tcp . 443 . 0 counter packets 2 bytes 120 comment "default/kubernetes:https" : 198.18.0.10 . 6443 }
	}

	map endpoints-2 {
		typeof ip daddr . meta l4proto . th dport . numgen random mod 2 : ip daddr . th dport
		counter
		elements = { 10.97.3.4 . tcp . 80 . 0 counter packets 0 bytes 0 comment "default/web:http" : 10.244.0.2 . 8080, 10.97.3.4 . tcp . 80 . 1 counter packets 0 bytes 0 : 10.244.1.2 . 8080,
			     0.0.0.0 . tcp . 30080 . 1 counter packets 0 bytes 0 : 10.244.1.9 . 8080, 10.97.9.9 . tcp . 80 . 0 counter packets 0 bytes 0 : 10.244.2.9 . 8080 }
	}

	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr . meta l4proto . th dport @external goto external
		ip daddr . meta l4proto . th dport @external-local goto external-local
		ip saddr != @pod-ranges ip daddr @cluster-ips meta mark set meta mark | 0x00004000
		ip daddr @service-ranges jump endpoints
	}

	chain external {
		meta mark set meta mark | 0x00004000 goto endpoints
	}

	chain external-local {
		goto endpoints
	}

	chain endpoints {
		dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @endpoints-1
		dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 2 map @endpoints-2
	}

	chain learn {
	}

	chain filter-input {
		type filter hook input priority filter; policy accept;
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
    expect(shown).toContain('0.0.0.0 . tcp . 30080 comment "default/web:http, and more"')
    expect(shown).toContain('10.97.3.4 . tcp . 80 . 0 counter packets 0 bytes 0 comment "default/web:http" : 10.244.0.2 . 8080')
    expect(shown).toContain('10.97.3.4 . tcp . 80 . 1 counter packets 0 bytes 0 : 10.244.1.2 . 8080')
    expect(shown).toContain('0.0.0.0 . tcp . 30080 . 1 counter packets 0 bytes 0 : 10.244.1.9 . 8080')
    for (const absent of ['default/web2', '30081', 'kubernetes', '10.97.9.9', 'default/other']) expect(shown).not.toContain(absent)
  })

  test('chains that a packet to it walks through, and the sets that they ask', () => {
    const blocks = [...shown.matchAll(/^\t(?:set|map|chain) (\S+)/gm)].map((match) => match[1])
    expect(blocks).toEqual(['external', 'cluster-ips', 'service-ranges', 'pod-ranges', 'endpoints-2', 'nat-prerouting', 'external', 'endpoints'])
    expect(shown).toContain('elements = { 10.244.0.0/16 }')
    expect(shown).not.toContain('@external-local')
    expect(shown).toContain('elements = { 10.97.0.0/18 }')
    expect(shown).not.toContain('@endpoints-1')
  })

  test('says how much it left out', () => {
    expect(shown.match(/# \d+ more/g)).toEqual(['# 1 more', '# 1 more', '# 8 more', '# 1 more'])
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
