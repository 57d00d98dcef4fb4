import { describe, expect, test } from 'vitest'
import { parseNamespace } from './namespaces.ts'
import { type LinkState, type NamespaceState, type NetworkState, planNetwork, planRemoval } from './network.ts'
import { createLabPlan, labDefaults, type LabPlan } from './plan.ts'

const plan = createLabPlan({ ...labDefaults, nodes: 2 })
const nothing: NetworkState = { namespaces: new Map() }

const link = (address?: string, master?: string): LinkState => ({
  up: true,
  addresses: address ? [address] : [],
  ...(master && { master }),
})

/** What a whole lab looks like. */
function whole(of: LabPlan): Map<string, NamespaceState> {
  const host = (address: string, sysctls: Record<string, string>): NamespaceState => ({
    links: new Map([
      ['lo', link()],
      ['eth0', link(`${address}/24`)],
    ]),
    defaultRoute: { via: '198.18.0.1', source: address },
    sysctls,
  })
  const ports = [of.hub, ...of.nodes].map(({ switchPort }): [string, LinkState] => [switchPort, link(undefined, 'lan')])
  return new Map<string, NamespaceState>([
    [
      'wherry-switch',
      {
        links: new Map([['lo', link()], ['lan', link('198.18.0.1/24')], ...ports]),
        sysctls: { 'net.ipv4.ip_forward': '0', 'net.ipv6.conf.all.forwarding': '0' },
      },
    ],
    ['wherry-hub', host('198.18.0.10', { 'net.ipv4.ip_forward': '0' })],
    ...of.nodes.map(({ namespace, address }): [string, NamespaceState] => [
      namespace,
      host(address, {
        'net.ipv4.ip_forward': '1',
        'net.ipv4.conf.all.rp_filter': '0',
        'net.ipv4.conf.default.rp_filter': '0',
        'net.ipv4.conf.eth0.rp_filter': '0',
      }),
    ]),
  ])
}

const commands = (state: NetworkState): string[] => planNetwork(plan, state).map((step) => step.argv.join(' '))

describe('the steps from what is there to what is wanted', () => {
  test("from nothing: every namespace first, a link with both ends at once, nothing in the machine's own namespace", () => {
    const steps = commands(nothing)
    expect(steps.slice(0, 4)).toEqual([
      'ip netns add wherry-switch',
      'ip netns add wherry-hub',
      'ip netns add wherry-node1',
      'ip netns add wherry-node2',
    ])
    expect(steps).toContain('ip -n wherry-switch link add node1 type veth peer name eth0 netns wherry-node1')
    expect(steps).toContain('ip -n wherry-node2 route replace default via 198.18.0.1 dev eth0 src 198.18.0.12')
    expect(steps).toContain(
      'nsenter --net=/run/netns/wherry-switch -- busybox sysctl -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0',
    )
    expect(steps.slice(4).filter((step) => !/^(ip -n wherry-|nsenter --net=\/run\/netns\/wherry-)/.test(step))).toEqual([])
  })

  test('from a whole lab: none', () => {
    expect(commands({ namespaces: whole(plan) })).toEqual([])
  })

  test('one value of the kernel that somebody changed is set again, and only that', () => {
    const found = whole(plan)
    const node = found.get('wherry-node1')!
    found.set('wherry-node1', { ...node, sysctls: { ...node.sysctls, 'net.ipv4.ip_forward': '0' } })
    expect(commands({ namespaces: found })).toEqual([
      'nsenter --net=/run/netns/wherry-node1 -- busybox sysctl -w net.ipv4.ip_forward=1',
    ])
  })

  test('a deleted namespace leaves its port on the switch, which goes before the new link comes', () => {
    const found = whole(plan)
    found.delete('wherry-node2')
    const steps = commands({ namespaces: found })
    expect(steps[0]).toBe('ip netns add wherry-node2')
    expect(steps.indexOf('ip -n wherry-switch link del node2')).toBeLessThan(
      steps.indexOf('ip -n wherry-switch link add node2 type veth peer name eth0 netns wherry-node2'),
    )
    expect(steps.indexOf('ip -n wherry-switch link del node2')).toBeGreaterThan(0)
    expect(steps.filter((step) => /node1|hub/.test(step))).toEqual([])
  })

  test('a deleted switch leaves ends in the nodes', () => {
    const found = whole(plan)
    found.delete('wherry-switch')
    const steps = commands({ namespaces: found })
    for (const host of ['hub', 'node1', 'node2']) expect(steps).toContain(`ip -n wherry-${host} link del eth0`)
    expect(steps).toContain('ip -n wherry-hub address add 198.18.0.10/24 dev eth0')
  })

  test('a route or an address that is gone comes back', () => {
    const found = whole(plan)
    const { defaultRoute: _, ...rest } = found.get('wherry-node1')!
    found.set('wherry-node1', {
      ...rest,
      links: new Map([
        ['lo', link()],
        ['eth0', link()],
      ]),
    })
    expect(commands({ namespaces: found })).toEqual([
      'ip -n wherry-node1 address add 198.18.0.11/24 dev eth0',
      'ip -n wherry-node1 route replace default via 198.18.0.1 dev eth0 src 198.18.0.11',
    ])
  })

  test('removal is one step for each namespace', () => {
    expect(planRemoval(['a', 'b']).map((step) => step.argv.join(' '))).toEqual(['ip netns del a', 'ip netns del b'])
  })
})

describe('reading what the tools print', () => {
  test('links, addresses, masters, the default route and sysctls', () => {
    const links = JSON.stringify([
      { ifname: 'lo', flags: ['LOOPBACK'], addr_info: [] },
      {
        ifname: 'eth0',
        flags: ['UP'],
        addr_info: [
          { family: 'inet', local: '198.18.0.11', prefixlen: 24 },
          { family: 'inet6', local: 'fe80::1', prefixlen: 64 },
        ],
      },
      { ifname: 'p', flags: ['UP'], master: 'lan' },
    ])
    const state = parseNamespace(
      links,
      '[{"dst":"default","gateway":"198.18.0.1","prefsrc":"198.18.0.11"}]',
      'net.ipv4.ip_forward = 1\n',
    )
    expect(state.links.get('eth0')).toEqual({ up: true, addresses: ['198.18.0.11/24'] })
    expect(state.links.get('lo')?.up).toBe(false)
    expect(state.links.get('p')?.master).toBe('lan')
    expect(state.defaultRoute).toEqual({ via: '198.18.0.1', source: '198.18.0.11' })
    expect(state.sysctls).toEqual({ 'net.ipv4.ip_forward': '1' })
    expect(parseNamespace('[]', '', '')).toEqual({ links: new Map(), sysctls: {} })
  })
})
