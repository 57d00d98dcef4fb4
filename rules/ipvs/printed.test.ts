import { describe, expect, test } from 'vitest'
import { countersOf, listingOf, printedIn, printedText } from './index.ts'

const four = {
  table: `table ip wherry-ipvs {
	map services {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.1 . tcp . 80 comment "default/web:http" : goto cluster-ip }
	}

	chain arriving {
		type filter hook input priority 90; policy accept;
		ct state new goto front
	}
}
`,
  addresses: `lo               UNKNOWN        127.0.0.1/8 
eth0@if12        UP             192.0.2.1/24 198.51.100.1 peer 198.51.100.2/32 
docker0          DOWN           
wherry-ipvs0     DOWN           10.96.0.1/32 10.96.0.10/32 
`,
  servers: `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:80 rr
  -> 10.244.0.2:8080              Masq    1      2          1         
`,
  counts: `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.96.0.1:80                        9       99       88     9999     8888
  -> 10.244.0.2:8080                     9       99       88     9999     8888
`,
}
const six = {
  table: four.table.replace('table ip ', 'table ip6 ').replace('10.96.0.1 . tcp', 'fd00::1 . tcp').replace('ipv4', 'ipv6'),
  addresses: 'lo               UNKNOWN        ::1/128 \nwherry-ipvs0     DOWN           fd00::1/128 \n',
  servers: four.servers.replace('10.96.0.1:80', '[fd00::1]:80').replace('10.244.0.2:8080', '[fd01::2]:8080'),
  counts: four.counts.replaceAll('10.96.0.1:80', '[fd00::1]:80').replaceAll('10.244.0.2:8080', '[fd01::2]:8080'),
}
const both = printedText(four) + printedText(six)

describe('what an agent prints', () => {
  test('falls into its parts again, family by family', () => {
    expect(printedIn(both)).toEqual([{ family: 'ip', ...four }, { family: 'ip6', ...six }])
    expect(printedIn(printedText(six))).toEqual([{ family: 'ip6', ...six }])
  })

  test('is a listing: who owns which address, and which server leads where', () => {
    const [ip, ip6] = printedIn(both).map(listingOf)
    expect(ip).toMatchObject({ family: 'ip', device: true, addresses: new Set(['10.96.0.1', '10.96.0.10']), hostAddresses: ['127.0.0.1', '192.0.2.1', '198.51.100.1'] })
    expect(ip!.servers.get('tcp 10.96.0.1:80')).toEqual({ settings: 'rr', reals: new Map([['10.244.0.2:8080', { weight: 1, translated: true, connections: 3 }]]) })
    expect(ip!.table!.chains.get('arriving')).toMatchObject({ rules: ['ct state new goto front'] })
    expect(ip6).toMatchObject({ family: 'ip6', addresses: new Set(['fd00::1']), hostAddresses: ['::1'] })
    expect([...ip6!.servers.keys()]).toEqual(['tcp [fd00::1]:80'])
  })

  test('has the counters of both families', () => {
    expect(countersOf(both)).toEqual([
      { service: 'default/web:http', front: '10.96.0.1 tcp 80', endpoint: '10.244.0.2:8080', connections: 9 },
      { service: 'default/web:http', front: 'fd00::1 tcp 80', endpoint: '[fd01::2]:8080', connections: 9 },
    ])
  })

  test.each(['addresses', 'servers', 'counts'] as const)('is refused without its %s', (part) => {
    expect(() => printedIn(printedText({ ...four, [part]: '' }))).toThrow('what ip and ipvsadm print behind it is not whole')
  })

  test.each(['', 'table ip wherry {\n}\n', '*nat\nCOMMIT\n'])('of another mode is nothing: %j', (text) => {
    expect(printedIn(text)).toEqual([])
    expect(countersOf(text)).toEqual([])
  })
})
