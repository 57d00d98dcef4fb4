import { describe, expect, test } from 'vitest'
import * as iptables from '../../rules/iptables/index.ts'
import { endpointView, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import { onlyService } from './only.ts'

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

const web = { key: 'default/web', addresses: ['10.96.0.1', '10.244.0.2', '10.244.1.2'], nodePorts: [30_080] }

describe('of two IP families', () => {
  const four = 'table ip wherry {\n\tset cluster-ips {\n\t\ttype ipv4_addr\n\t\telements = { 10.96.0.1 comment "default/web" }\n\t}\n}\n'
  const six = 'table ip6 wherry {\n\tset cluster-ips {\n\t\ttype ipv6_addr\n\t\telements = { fd00::1 comment "default/web" }\n\t}\n}\n'

  test('each is a table of its own, and one without the service is left out', () => {
    expect(onlyService(four + six, web)).toBe(four + six)
    expect(onlyService(four + six.replace('web', 'other'), web)).toBe(four)
    expect(onlyService(four.replace('web', 'other').replace('10.96.0.1', '10.96.0.7') + six, web)).toBe(six)
  })

  test('both are shown where neither has it', () => {
    const shown = onlyService((four + six).replaceAll('web', 'other').replace('10.96.0.1', '10.96.0.7'), web)
    expect(shown).toBe('table ip wherry {\n}\ntable ip6 wherry {\n}\n')
  })
})

describe('chains of iptables', () => {
  const view = nodeView([
    serviceView({ ports: [portView({ endpoints: [endpointView('10.244.0.2', { node: 'here' }), endpointView('10.244.1.2')], nodePort: 30_080 })] }),
    serviceView({ key: 'default/web2', clusterIPs: ['10.96.0.9'], ports: [portView({ endpoints: [endpointView('10.244.0.7', { node: 'here' })], nodePort: 30_082 })] }),
    serviceView({ key: 'default/none', clusterIPs: ['10.96.0.11'], ports: [portView({ endpoints: [] })] }),
  ])
  const listing = iptables.rulesetOf('ip', view)
  const saved = (name: 'filter' | 'nat'): string => {
    const { chains, jumps } = listing[name]
    const rules = [...jumps, ...chains].flatMap(([chain, each]) => each.map((rule) => `[1:60] -A ${chain} ${rule}`))
    return [`*${name}`, ...[...chains.keys()].map((chain) => `:${chain} - [0:0]`), ...rules, 'COMMIT', ''].join('\n')
  }
  const shown = onlyService(saved('filter') + saved('nat'), web)

  test('lead to the service, and to nobody else', () => {
    for (const absent of ['web2', 'default/none', '10.96.0.9', '10.244.0.7', '30082', 'WHERRY-N-tcp-30082']) expect(shown).not.toContain(absent)
    for (const there of ['*filter', '*nat', '-A PREROUTING', '-A WHERRY-SERVICES', '10.244.1.2:8080', '--dport 30080', '-s 10.244.0.2/32 -d 10.244.0.2/32 -j MASQUERADE', '-A WHERRY-STRANGERS', 'WHERRY-N-tcp-30080']) expect(shown).toContain(there)
  })

  test('are whole: what is declared has rules, and what is jumped to is declared', () => {
    const declared = [...shown.matchAll(/^:(\S+) /gm)].map((match) => match[1]!)
    expect(declared).not.toEqual([])
    for (const chain of declared) expect(shown).toContain(`-A ${chain} `)
    for (const [, target] of shown.matchAll(/ -j (WHERRY-\S+)/g)) expect(declared).toContain(target)
    expect(shown.match(/^COMMIT$/gm)).toHaveLength(2)
  })
})

describe('virtual servers of IPVS', () => {
  const text = `table ip wherry-ipvs {
	map services {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.1 . tcp . 80 comment "default/web:http" : goto cluster-ip,
			     10.96.0.9 . tcp . 80 comment "default/web2:http" : goto cluster-ip }
	}

	set marks {
		type mark
		elements = { 0x00004001 comment "default/web:http", 0x00004002 comment "default/web2:http" }
	}
}
lo               UNKNOWN        127.0.0.1/8 
wherry-ipvs0     DOWN           10.96.0.1/32 10.96.0.9/32 10.96.0.11/32 
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:80 rr
  -> 10.244.0.2:8080              Masq    1      0          0
TCP  10.96.0.9:80 rr
  -> 10.244.0.7:8080              Masq    1      0          0
FWM  16385 mh
  -> 10.244.0.2:8080              Masq    1      0          0
FWM  16386 mh
  -> 10.244.0.7:8080              Masq    1      0          0
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.96.0.1:80                        9       99       88     9999     8888
  -> 10.244.0.2:8080                     9       99       88     9999     8888
TCP  10.96.0.9:80                        9       99       88     9999     8888
  -> 10.244.0.7:8080                     9       99       88     9999     8888
`

  test('are those of the service, by address and by mark, with its addresses', () => {
    const shown = onlyService(text, web)
    for (const absent of ['web2', '10.96.0.9', '10.244.0.7', '16386']) expect(shown).not.toContain(absent)
    expect(shown).toContain('\nwherry-ipvs0     DOWN           10.96.0.1/32  # 2 more\n')
    expect(shown).toContain('\nTCP  10.96.0.1:80 rr\n  -> 10.244.0.2:8080 ')
    expect(shown).toContain('\nFWM  16385 mh\n')
    expect(shown.match(/10\.96\.0\.1:80/g)).toHaveLength(2)
    expect(shown).toContain('127.0.0.1/8')
  })
})
