import { describe, expect, test } from 'vitest'
import type { ServiceSpec } from '../../api/objects.ts'
import * as iptables from '../../rules/iptables/index.ts'
import * as ipvs from '../../rules/ipvs/index.ts'
import type { NodeView } from '../../rules/model.ts'
import { adopt, parse, plan, render, rulesetOf } from '../../rules/nft/index.ts'
import { both, clusterOf, lineOf, service, slice, told, toldBy, viewOf } from '../../test/kit/explain.ts'
import type { Cluster } from '../cluster.ts'
import { describeAsRoot, netnsLab } from '../../test/kit/netns.ts'
import { endpointView, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import { iptablesRules, ipvsRules, kernelOf, readKernel } from './kernel.ts'

describe('the iptables mode', () => {
  const toldOf = (target: string, cluster: Cluster, view: NodeView): string =>
    toldBy(target, cluster, kernelOf(new Map([['ip', iptablesRules(iptables.rulesetOf('ip', view))]]), 'node1'))
  const three = [...both, endpointView('10.244.1.3')]
  const slices = [slice({ '10.244.0.2': {}, '10.244.1.2': {}, '10.244.1.3': {} })]

  test('is told in the same words, with its own rules', () => {
    expect(toldOf('web', clusterOf({ slices }), viewOf(three))).toBe(`default/web  ClusterIP  as the kernel of node1 has it
80/TCP, internal policy Cluster, no affinity

10.96.0.1:80/TCP  cluster IP, port http
  from a pod    to one of 3 endpoints, keeps its address
                  10.244.0.2:8080  web-a   node1
                  10.244.1.2:8080  web-b   node2
                  10.244.1.3:8080  no pod  node2
  from node1    to one of the same 3, seen as node1
  from outside  to one of the same 3, seen as node1
  from web-a    to itself, seen as node1
  by  nat WHERRY-STRANGERS   -j MARK --set-xmark 0x4000/0x4000
      nat WHERRY-A-01-00     -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -m comment --comment "default/web:http" -m statistic --mode random --probability 0.33333333349 -j DNAT --to-destination 10.244.0.2:8080  and 2 more
      nat WHERRY-MASQUERADE  -j MARK --set-xmark 0x4000/0x0
      nat WHERRY-MASQUERADE  -j MASQUERADE --random-fully
      nat WHERRY-H-02-00     -s 10.244.0.2/32 -d 10.244.0.2/32 -j MASQUERADE --random-fully
`)
  })

  test('shares are those of the probabilities', () => {
    const listing = iptables.rulesetOf('ip', viewOf(three))
    const chains = new Map([...listing.nat.chains].map(([name, rules]) => [name, rules.map((rule) => rule.replace('0.50000000000', '0.25000000000'))]))
    const text = toldBy('web', clusterOf({ slices }), kernelOf(new Map([['ip', iptablesRules({ ...listing, nat: { ...listing.nat, chains } })]]), 'node1'))
    expect(text).toMatch(/10\.244\.0\.2:8080 .* 33\.3 % of new.*\n.*10\.244\.1\.2:8080 .* 16\.7 % of new.*\n.*10\.244\.1\.3:8080 .* 50 % of new/)
  })

  test('where a rule of somebody else asks chance in vain, the shares are not made up', () => {
    const listing = iptables.rulesetOf('ip', viewOf(both))
    const chain = 'WHERRY-A-01-00'
    const vain = '-m statistic --mode random --probability 0.50000000000 -s 198.51.100.9/32 -j ACCEPT'
    const chains = new Map(listing.nat.chains).set(chain, [vain, ...listing.nat.chains.get(chain)!])
    const text = toldBy('web', clusterOf(), kernelOf(new Map([['ip', iptablesRules({ ...listing, nat: { ...listing.nat, chains } })]]), 'node1'))
    expect(text).toMatch(/10\.244\.0\.2:8080 .* of an unknown share\n.*10\.244\.1\.2:8080 .* of an unknown share\n/)
  })

  test('drops are explained', () => {
    const services = [service({ internalTrafficPolicy: 'Local' })]
    const text = toldOf('web', clusterOf({ services, slices: [slice({ '10.244.1.2': {} })] }), viewOf([endpointView('10.244.1.2')], { internalPolicy: 'Local' }))
    expect(lineOf(text, 'from anyone')).toBe('from anyone  dropped: the internal traffic policy is Local, and node1 has no endpoint')
  })
})

describe('the IPVS mode', () => {
  const listingOf = (view: NodeView): ipvs.Listing => ipvs.rulesetOf('ip', view, ['127.0.0.1', '192.0.2.1'])
  const toldOf = (target: string, cluster: Cluster, listing: ipvs.Listing): string => toldBy(target, cluster, kernelOf(new Map([['ip', ipvsRules(listing)]]), 'node1'))

  test('is told in the same words, with its own rules and virtual servers', () => {
    expect(toldOf('web', clusterOf(), listingOf(viewOf(both)))).toBe(`default/web  ClusterIP  as the kernel of node1 has it
80/TCP, internal policy Cluster, no affinity

10.96.0.1:80/TCP  cluster IP, port http
  from a pod    to one of 2 endpoints, keeps its address
                  10.244.0.2:8080  web-a  node1
                  10.244.1.2:8080  web-b  node2
  from node1    to one of the same 2, seen as node1
  from outside  to one of the same 2, seen as node1
  from web-a    to itself, seen as node1
  by  services        10.96.0.1 . tcp . 80 : goto cluster-ip
      cluster-ip      ip saddr != @pod-ranges meta mark set meta mark | 0x00004000
      virtual server  tcp 10.96.0.1:80 rr -> 10.244.0.2:8080  and 1 more
      postrouting     meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random
      postrouting     ip saddr . ip daddr @hairpin masquerade fully-random
      hairpin         10.244.0.2 . 10.244.0.2
`)
  })

  test('a scheduler that nobody can foretell has no shares', () => {
    const { servers, ...rest } = listingOf(viewOf(both))
    const moved = new Map(servers).set('tcp 10.96.0.1:80', { ...servers.get('tcp 10.96.0.1:80')!, settings: 'lc' })
    expect(toldOf('web', clusterOf(), { ...rest, servers: moved })).toMatch(/10\.244\.0\.2:8080 .* of an unknown share\n.*10\.244\.1\.2:8080 .* of an unknown share\n/)
  })

  test('an endpoint that somebody else took away, and a service without endpoints', () => {
    const { servers, ...rest } = listingOf(viewOf(both))
    const server = servers.get('tcp 10.96.0.1:80')!
    const moved = new Map(servers).set('tcp 10.96.0.1:80', { ...server, reals: new Map([...server.reals].slice(1)) })
    expect(toldOf('web', clusterOf(), { ...rest, servers: moved }).split('\n')[0]).toBe(
      'Kernel and API disagree: 10.244.0.2:8080 is usable by the API, but the rules of node1 for 10.96.0.1:80/TCP lack it.')
    const text = toldOf('web', clusterOf({ slices: [] }), listingOf(viewOf([])))
    expect(lineOf(text, 'from anyone')).toBe('from anyone  refused (ICMP port unreachable): the service has no endpoint')
  })

  test('drops are explained, by policies and by source ranges', () => {
    const inside = toldOf('web', clusterOf({ services: [service({ internalTrafficPolicy: 'Local' })], slices: [slice({ '10.244.1.2': {} })] }), listingOf(viewOf([endpointView('10.244.1.2')], { internalPolicy: 'Local' })))
    expect(lineOf(inside, 'from anyone')).toBe('from anyone  dropped: the internal traffic policy is Local, and node1 has no endpoint')
    const spec: Partial<ServiceSpec> = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', loadBalancerSourceRanges: ['198.51.100.0/24'], ports: [{ name: 'http', port: 80, nodePort: 30_080 }] }
    const cluster = clusterOf({ services: [service(spec, { status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } } })] })
    const view = viewOf(both, { externalPolicy: 'Local', sourceRanges: ['198.51.100.0/24'], loadBalancerIPs: ['203.0.113.1'] }, 30_080)
    const text = toldOf('203.0.113.1', cluster, listingOf(view))
    expect(lineOf(text, 'from 198.51.100.0/24')).toBe('from 198.51.100.0/24  to one endpoint, keeps its address')
    expect(lineOf(text, 'from elsewhere')).toBe('from elsewhere        dropped: no source range has its address')
    expect(toldOf('30080', cluster, listingOf(view))).toContain('192.0.2.1:30080/TCP  node port, port http\n')
    const away = toldOf('203.0.113.1', clusterOf({ services: [service({ ...spec, loadBalancerSourceRanges: [] }, { status: cluster.services[0]!.status })], slices: [slice({ '10.244.1.2': {} })] }),
      listingOf(viewOf([endpointView('10.244.1.2')], { externalPolicy: 'Local', loadBalancerIPs: ['203.0.113.1'] }, 30_080)))
    expect(lineOf(away, 'from outside')).toBe('from outside  dropped: the external traffic policy is Local, and node1 has no endpoint')
    for (const each of [inside, text, away]) expect(each).not.toContain('disagree')
  })
})

describeAsRoot('what nft prints for people', () => {
  const lab = netnsLab()

  test('is explained as what it prints for machines, counters, comments and named priorities or not', async () => {
    const netns = await lab.create()
    const nft = async (args: readonly string[], input?: string): Promise<string> =>
      (await netns.exec.run({ command: 'nft', args, ...(input !== undefined && { input }) }, AbortSignal.timeout(20_000))).stdout
    const services = [service({ type: 'LoadBalancer', sessionAffinity: 'ClientIP', externalTrafficPolicy: 'Local', loadBalancerSourceRanges: ['198.51.100.0/24'],
      ports: [{ name: 'http', port: 80, nodePort: 30_080 }] }, { status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } } })]
    const view = viewOf(both, { affinitySeconds: 10_800, externalPolicy: 'Local', sourceRanges: ['198.51.100.0/24'], loadBalancerIPs: ['203.0.113.1'] }, 30_080)
    await nft(['-f', '-'], render(plan(adopt('ip', undefined), view, 'all').transaction!))
    const people = await nft(['list', 'table', 'ip', 'wherry'])
    const exact = await nft(['-y', '-s', '-p', 'list', 'table', 'ip', 'wherry'])
    expect(people).toContain('priority srcnat')
    expect(people).not.toBe(exact)
    const text = toldBy('web', clusterOf({ services }), readKernel(`${people}table ip6 wherry {\n}\n`, 'node1'))
    expect(text).toBe(told('web', clusterOf({ services }), parse(exact)))
    expect(text).toBe(told('web', clusterOf({ services }), rulesetOf('ip', view)))
    expect(text.match(/to one of/g)!.length).toBeGreaterThan(4)
    expect(text).not.toContain('disagree')
  })

  test('and what iptables-save prints, one family behind the other', async () => {
    const netns = await lab.create()
    const run = async (command: string, args: readonly string[], input?: string): Promise<string> =>
      (await netns.exec.run({ command, args, ...(input !== undefined && { input }) }, AbortSignal.timeout(20_000))).stdout
    const services = [service({ type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30_080 }] })]
    const view = viewOf(both, {}, 30_080)
    const six = nodeView([serviceView({ clusterIPs: ['fd00::1'], ports: [portView({ endpoints: [endpointView('fd00:1::2')] })] })])
    const load = (family: 'ip' | 'ip6', wanted: NodeView): string => iptables.render(iptables.plan(iptables.adopt(family, undefined), wanted, 'all').transaction!)
    await run('iptables-restore', ['--noflush'], load('ip', view))
    await run('ip6tables-restore', ['--noflush'], load('ip6', six))
    const saved = iptables.selectOurs(await run('iptables-save', ['-c'])) + iptables.selectOurs(await run('ip6tables-save', ['-c']))
    const kernel = readKernel(saved, 'node1')
    const text = toldBy('web', clusterOf({ services }), kernel)
    expect(text).toBe(toldBy('web', clusterOf({ services }), kernelOf(new Map([['ip', iptablesRules(iptables.rulesetOf('ip', view))]]), 'node1')))
    expect(text).toContain('to one of 2 endpoints, keeps its address')
    const packet = { hook: 'prerouting', inputInterface: 'x', source: 'fd00::77', destination: 'fd00::1', protocol: 'tcp', sourcePort: 1, destinationPort: 80 } as const
    expect(kernel.ways({ addresses: [] }, packet).map(({ fate }) => fate)).toEqual([{ kind: 'translated', address: 'fd00:1::2', port: 8080 }])
  })
})
