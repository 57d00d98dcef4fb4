import { describe, expect, test } from 'vitest'
import type { ServiceSpec } from '../../api/objects.ts'
import { rulesetOf } from '../../rules/nft/index.ts'
import { both, clusterOf, here, lineOf, link, meta, service, slice, told, viewOf } from '../../test/kit/explain.ts'
import { endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import { nodeFor } from './answer.ts'
import { readKernel } from './kernel.ts'
import { readTarget } from './target.ts'

describe('a cluster IP', () => {
  test('is told with senders, endpoints, and the rules that did it', () => {
    expect(told('web', clusterOf(), rulesetOf('ip', viewOf(both)))).toBe(`default/web  ClusterIP  as the kernel of node1 has it
80/TCP, internal policy Cluster, no affinity

10.96.0.1:80/TCP  cluster IP, port http
  from a pod    to one of 2 endpoints, keeps its address
                  10.244.0.2:8080  web-a  node1
                  10.244.1.2:8080  web-b  node2
  from node1    to one of the same 2, seen as node1
  from outside  to one of the same 2, seen as node1
  from web-a    to itself, seen as node1
  by  nat-prerouting, nat-output  ip saddr != @pod-ranges ip daddr @cluster-ips meta mark set meta mark | 0x00004000
      cluster-ips                 10.96.0.1
      endpoints                   dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 2 map @endpoints-2
      endpoints-2                 10.96.0.1 . tcp . 80 . 0 : 10.244.0.2 . 8080  and 1 more
      nat-postrouting             meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random
      nat-postrouting             ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random
      hairpin                     10.244.0.2 . 10.244.0.2
`)
  })

  test('a pod that is led to itself has to be masqueraded', () => {
    const listing = rulesetOf('ip', viewOf(both))
    const text = told('web', clusterOf(), { ...listing, elements: new Map(listing.elements).set('hairpin', new Map()) })
    expect(text.split('\n')[0]).toBe('Kernel and API disagree: web-a is led to itself by 10.96.0.1:80/TCP, and the rules of node1 do not masquerade that: it gets no answer.')
    expect(lineOf(text, 'from web-a')).toBe('from web-a    to itself, keeps its address')
    const elsewhere = told('web', clusterOf({ slices: [slice({ '10.244.1.2': {} })] }), rulesetOf('ip', viewOf([endpointView('10.244.1.2')])))
    expect(elsewhere).not.toContain('itself')
  })

  test('shares are those of the slots, and said where they are not the same', () => {
    const listing = rulesetOf('ip', viewOf([here('10.244.0.2'), endpointView('10.244.1.2'), endpointView('10.244.1.3')]))
    const slots = new Map(listing.elements.get('endpoints-3'))
    slots.set('10.96.0.1 . tcp . 80 . 2', { key: '10.96.0.1 . tcp . 80 . 2', value: '10.244.1.2 . 8080' })
    const text = told('10.96.0.1', clusterOf(), { ...listing, elements: new Map(listing.elements).set('endpoints-3', slots) })
    expect(lineOf(text, '10.244.0.2')).toBe('10.244.0.2:8080  web-a  node1  33.3 % of new connections')
    expect(lineOf(text, '10.244.1.2')).toBe('10.244.1.2:8080  web-b  node2  66.7 % of new connections')
    expect(text).not.toContain('disagree')
  })

  test('a slot that leads nowhere is a share that is refused', () => {
    const listing = rulesetOf('ip', viewOf(both))
    const slots = new Map(listing.elements.get('endpoints-2'))
    slots.delete('10.96.0.1 . tcp . 80 . 1')
    const text = told('web', clusterOf(), { ...listing, elements: new Map(listing.elements).set('endpoints-2', slots) })
    expect(lineOf(text, 'from a pod')).toBe('from a pod    to one endpoint, keeps its address; refused (TCP reset), 50 % of new connections')
    expect(text).toMatch(/^Kernel and API disagree: 10\.244\.1\.2:8080 is usable by the API, but the rules of node1 for 10\.96\.0\.1:80\/TCP lack it\.\n/)
  })

  test('of a front in two maps the shares are not made up', () => {
    const listing = rulesetOf('ip', nodeView([
      serviceView({ ports: [portView({ endpoints: both })] }),
      serviceView({ key: 'default/other', clusterIPs: ['10.96.0.9'], ports: [portView({ endpoints: [...both, endpointView('10.244.1.3')] })] }),
    ]))
    const third = new Map(listing.elements.get('endpoints-3'))
    third.set('10.96.0.1 . tcp . 80 . 1', { key: '10.96.0.1 . tcp . 80 . 1', value: '10.244.9.9 . 1' })
    const second = new Map(listing.elements.get('endpoints-2'))
    second.delete('10.96.0.1 . tcp . 80 . 1')
    const text = told('web', clusterOf(), { ...listing, elements: new Map(listing.elements).set('endpoints-2', second).set('endpoints-3', third) })
    expect(lineOf(text, '10.244.0.2')).toMatch(/web-a +node1  of an unknown share$/)
  })

  test('without endpoints it is refused', () => {
    const text = told('web', clusterOf({ slices: [] }), rulesetOf('ip', viewOf([])))
    expect(lineOf(text, 'from anyone')).toBe('from anyone  refused (TCP reset): the service has no endpoint')
    expect(text).toContain('refuse                      reject with tcp reset')
  })

  test('endpoints that are not used are named with the reason', () => {
    const slices = [slice({ '10.244.0.2': {}, '10.244.1.2': { ready: false }, '10.244.1.3': { ready: false, serving: true, terminating: true } })]
    const text = told('web', clusterOf({ slices }), rulesetOf('ip', viewOf([here('10.244.0.2')])))
    expect(text).toContain('\nNot used:\n  10.244.1.2:8080  web-b   node2  not ready\n  10.244.1.3:8080  no pod  node2  terminating, and others are ready\n')
    expect(text).not.toContain('disagree')
  })

  test('with the policy Local and no endpoint on the node it is dropped', () => {
    const services = [service({ internalTrafficPolicy: 'Local' })]
    const text = told('web', clusterOf({ services, slices: [slice({ '10.244.1.2': {} })] }), rulesetOf('ip', viewOf([endpointView('10.244.1.2')], { internalPolicy: 'Local' })))
    expect(lineOf(text, 'from anyone')).toBe('from anyone  dropped: the internal traffic policy is Local, and node1 has no endpoint')
    expect(text).toContain('it is on node2, and the policy is Local')
    expect(text).not.toContain('disagree')
  })

  test('a drop by a rule of somebody else is not called a policy', () => {
    const services = [service({ internalTrafficPolicy: 'Local' })]
    const listing = rulesetOf('ip', viewOf([endpointView('10.244.1.2')], { internalPolicy: 'Local' }))
    const chain = listing.chains.get('untranslated-cluster-ip')!
    const chains = new Map(listing.chains).set(chain.name, { ...chain, rules: ['drop'] })
    const text = told('web', clusterOf({ services, slices: [slice({ '10.244.1.2': {} })] }), { ...listing, chains })
    expect(lineOf(text, 'from anyone')).toBe('from anyone  dropped')
    expect(text).toMatch(/untranslated-cluster-ip +drop\n/)
  })

  test('a port that the service has not is refused, and not served', () => {
    const text = told('10.96.0.1:81', clusterOf(), rulesetOf('ip', viewOf(both)))
    expect(text).toContain('10.96.0.1:81/TCP  cluster IP, a port that no service has\n  from anyone  refused (TCP reset): no service has this port')
  })
})

describe('kernel and API', () => {
  const first = (text: string): string => text.split('\n')[0]!

  test('an endpoint that only the kernel has comes first', () => {
    const text = told('web', clusterOf(), rulesetOf('ip', viewOf([...both, endpointView('10.244.7.7')])))
    expect(first(text)).toBe('Kernel and API disagree: 10.244.7.7:8080 is in the rules of node1 for 10.96.0.1:80/TCP, but the API names no such endpoint.')
    expect(lineOf(text, '10.244.7.7')).toBe('10.244.7.7:8080  unknown to the API')
  })

  test('an endpoint that the API does not call ready', () => {
    const slices = [slice({ '10.244.0.2': {}, '10.244.1.2': { ready: false } })]
    expect(first(told('web', clusterOf({ slices }), rulesetOf('ip', viewOf(both))))).toContain('10.244.1.2:8080 is in the rules of node1 for 10.96.0.1:80/TCP, but by the API it is not ready.')
  })

  test('rules that have no such service, and an agent that is behind', () => {
    const status = { version: '0.1.0', revision: 9, nodes: [link('node1', { applied: 5 })] }
    const text = told('web', clusterOf({ status }), rulesetOf('ip', nodeView([])))
    expect(text.split('\n').slice(0, 2)).toEqual([
      'Kernel and API disagree: the rules of node1 lead 10.96.0.1:80/TCP to nobody, though 2 endpoints are usable.',
      'Kernel and API disagree: it is behind: revision 5 of 7 is in its kernel.',
    ])
    expect(lineOf(text, 'from anyone')).toBe('from anyone  not translated: the rules do nothing with it')
  })

  test('an address that only the kernel knows is told; one that neither knows is an error', () => {
    const listing = rulesetOf('ip', viewOf(both, { clusterIPs: ['10.96.0.1', '10.96.0.99'] }))
    expect(told('10.96.0.99:80', clusterOf(), listing)).toMatch(/^Kernel and API disagree: 10\.244\.0\.2:8080 is in the rules of node1 for 10\.96\.0\.99:80\/TCP, but the API names no such endpoint\.\n/)
    expect(() => told('10.96.0.98:80', clusterOf(), listing)).toThrow('no service has 10.96.0.98:80')
  })
})

describe('fronts for clients from outside', () => {
  const local: Partial<ServiceSpec> = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: [{ name: 'http', port: 80, nodePort: 30_080 }] }
  const status = { loadBalancer: { ingress: [{ ip: '203.0.113.1' }, { hostname: 'lb.test' }, { ip: '203.0.113.2', ipMode: 'Proxy' }] } }
  const away = [endpointView('10.244.1.2')]

  test('with the policy Local strangers are dropped where no endpoint is, and pods are not', () => {
    const cluster = clusterOf({ services: [service(local, { status })], slices: [slice({ '10.244.1.2': {} })] })
    const text = told('203.0.113.1:80', cluster, rulesetOf('ip', viewOf(away, { externalPolicy: 'Local', loadBalancerIPs: ['203.0.113.1'] }, 30_080)))
    expect(lineOf(text, 'from a pod')).toBe('from a pod    to one endpoint, keeps its address')
    expect(lineOf(text, 'from node1')).toBe('from node1    to the same one, seen as node1')
    expect(lineOf(text, 'from outside')).toBe('from outside  dropped: the external traffic policy is Local, and node1 has no endpoint')
    expect(text).not.toContain('disagree')
  })

  test('an address of a balancer that is a proxy is none of the service', () => {
    expect(() => told('203.0.113.2', clusterOf({ services: [service(local, { status })] }), rulesetOf('ip', viewOf(both)))).toThrow('no service has 203.0.113.2')
  })

  test('a node port is that of the node that is asked', () => {
    const cluster = clusterOf({ services: [service(local)] })
    const text = told('30080', cluster, rulesetOf('ip', viewOf(both, { externalPolicy: 'Local' }, 30_080)))
    expect(text).toContain('\n192.0.2.1:30080/TCP  node port, port http\n')
    expect(lineOf(text, 'from outside')).toBe('from outside  to one endpoint, keeps its address')
    expect(lineOf(text, 'from node1')).toBe('from node1    to one of the same 2, seen as node1')
  })

  test('source ranges let some in', () => {
    const loadBalancerSourceRanges = ['198.51.100.0/24']
    const cluster = clusterOf({ services: [service({ ...local, externalTrafficPolicy: 'Cluster', loadBalancerSourceRanges }, { status })] })
    const listing = rulesetOf('ip', viewOf(both, { loadBalancerIPs: ['203.0.113.1'], sourceRanges: loadBalancerSourceRanges }))
    const text = told('203.0.113.1', cluster, listing)
    expect(lineOf(text, 'from 198.51.100.0/24')).toBe('from 198.51.100.0/24  to one of 2 endpoints, seen as node1')
    expect(lineOf(text, 'from elsewhere')).toBe('from elsewhere        dropped: no source range has its address')
    expect(text).not.toContain('disagree')
    const open = rulesetOf('ip', viewOf(both, { loadBalancerIPs: ['203.0.113.1'] }))
    expect(told('203.0.113.1', cluster, open).split('\n')[0]).toBe(
      'Kernel and API disagree: the rules of node1 for 203.0.113.1:80/TCP let 192.0.2.1 in, though no source range has it.')
  })

  test('what an older service has is not the younger one\'s', () => {
    const other = service({ clusterIP: '10.96.0.2', externalIPs: ['198.18.0.1'] }, { metadata: meta('late', 'default', { creationTimestamp: '2026-02-02T00:00:00Z' }) })
    const cluster = clusterOf({ services: [other, service({ externalIPs: ['198.18.0.1'] })] })
    const text = told('late', cluster, rulesetOf('ip', viewOf(both, { externalIPs: ['198.18.0.1'], clusterIPs: ['10.96.0.1', '10.96.0.2'] })))
    expect(text).toContain('  default/web is older and has this address and port; what follows is its traffic\n')
    expect(text).not.toContain('for 198.18.0.1')
  })

  test('pods that are told by their interface come in on it', () => {
    const view = viewOf(both)
    const config = nodeConfigOf({ pods: { kind: 'interface', name: 'cni', match: 'prefix' } })
    const text = told('web', clusterOf(), rulesetOf('ip', nodeView([...view.services.values()], config)))
    expect(lineOf(text, 'from a pod')).toContain('keeps its address')
    expect(lineOf(text, 'from outside')).toContain('seen as node1')
  })
})

describe('targets', () => {
  test.each([
    ['web', { kind: 'service', name: 'web' }],
    ['shop/web', { kind: 'service', namespace: 'shop', name: 'web' }],
    ['10.96.0.10', { kind: 'address', address: '10.96.0.10' }],
    ['10.96.0.10:80', { kind: 'address', address: '10.96.0.10', port: 80 }],
    ['[FD00:0::1]:80', { kind: 'address', address: 'fd00::1', port: 80 }],
    ['[fd00::1]', { kind: 'address', address: 'fd00::1' }],
    ['fd00::1', { kind: 'address', address: 'fd00::1' }],
    [':30080', { kind: 'node-port', port: 30_080 }],
    ['30080', { kind: 'node-port', port: 30_080 }],
  ])('%s', (text, target) => expect(readTarget(text)).toEqual(target))

  test.each(['', 'a b', '10.96.0.10:0', '70000', 'Web', 'a/b/c', '10.96.0.300', '10.96.0.1:99999'])('"%s" is none', (text) => {
    expect(() => readTarget(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  test.each([
    ['nope', 'there is no service default/nope', 'name one of default/web 10.96.0.1'],
    ['10.96.0.2', 'no service has 10.96.0.2', 'those that there are: default/web 10.96.0.1'],
    ['10.244.0.2', 'no service has 10.244.0.2', 'it is the pod default/web-a: no virtual IP stands in front of it'],
    ['192.0.2.1', 'no service has 192.0.2.1', 'it is the address of node1; a node port of it has the form 192.0.2.1:30080'],
    ['31000', 'no service has the node port 31000', 'no service has node ports'],
  ])('%s is nobody\'s, and the nearest is named', (text, message, advice) => {
    expect(() => told(text, clusterOf(), rulesetOf('ip', viewOf(both)))).toThrow(expect.objectContaining({ message, advice }))
  })

  test.each([
    [{ clusterIP: 'None' }, 'default/web is headless: it has no virtual IP'],
    [{ type: 'ExternalName', externalName: 'a.test' } as const, 'default/web is an ExternalName: it has no virtual IP'],
  ])('a service without a virtual IP: %o', (spec, message) => {
    expect(() => told('web', clusterOf({ services: [service(spec)] }), rulesetOf('ip', nodeView([])))).toThrow(message)
  })

  test('the node is the named one, the one that has the address, or the first that is connected', () => {
    const cluster = clusterOf({ status: { version: '', revision: 1, nodes: [link('node1', { connected: false }), link('node2')] } })
    const name = (target: string, wish?: string): string => nodeFor(cluster, readTarget(target), wish).node.metadata.name
    expect([name('web'), name('web', 'node1'), name('192.0.2.1:30080')]).toEqual(['node2', 'node1', 'node1'])
    expect(nodeFor(clusterOf(), readTarget('web'), undefined).node.metadata.name).toBe('node1')
    expect(() => name('192.0.2.1:30080', 'node2')).toThrow('that address belongs to node1')
    expect(() => name('web', 'node9')).toThrow('there is no node node9')
    expect(() => nodeFor({ ...cluster, status: { ...cluster.status, nodes: [] } }, readTarget('web'), undefined)).toThrow('no node is connected')
  })
})

describe('rules that cannot be read', () => {
  test.each([
    ['', 'the kernel of node1 holds no rules of wherry'],
    ['*nat\n-A WHERRY-SERVICES\n', 'the rules of node1 hold something that explain does not know: iptables-save: table nat has no end'],
    ['table ip wherry-ipvs {\n}\nIP Virtual Server version 1.2.1 (size=4096)\n', 'what ip and ipvsadm print behind it is not whole'],
    ['table ip wherry {\n\tset a {\n', 'the rules of node1 hold something that explain does not know'],
  ])('%j', (text, message) => {
    expect(() => readKernel(text, 'node1')).toThrow(expect.objectContaining({ code: 'RULES_UNREADABLE', message: expect.stringContaining(message) as string }))
  })

  test('a rule of others that the tracer does not know is no reason to guess', () => {
    const listing = rulesetOf('ip', viewOf(both))
    const chain = listing.chains.get('endpoints')!
    const chains = new Map(listing.chains).set('endpoints', { ...chain, rules: ['ip dscp 4 drop', ...chain.rules] })
    expect(() => told('web', clusterOf(), { ...listing, chains })).toThrow('"ip dscp 4 drop" is nothing that the tracer knows')
  })
})
