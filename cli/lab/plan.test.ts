import { describe, expect, test } from 'vitest'
import { planChildren } from './children.ts'
import { containerdConfig } from './containerd.ts'
import { createLabPlan, inside, isOurNamespace, labDefaults, namespacesOf, nodeOf } from './plan.ts'

const plan = createLabPlan(labDefaults)

describe('the plan of a lab', () => {
  test('has names, addresses and places of its own', () => {
    expect(namespacesOf(plan)).toEqual(['wherry-switch', 'wherry-hub', 'wherry-node1', 'wherry-node2', 'wherry-node3'])
    expect(plan.nodes.map(({ name, address, cgroup }) => [name, address, cgroup])).toEqual([
      ['node1', '198.18.0.11', '/wherry-lab/node1'],
      ['node2', '198.18.0.12', '/wherry-lab/node2'],
      ['node3', '198.18.0.13', '/wherry-lab/node3'],
    ])
    expect([plan.hub.address, plan.stateDir, plan.runDir, plan.kubeconfig]).toEqual([
      '198.18.0.10',
      '/var/lib/wherry/lab',
      '/run/wherry/lab',
      '/var/lib/wherry/lab/kubeconfig',
    ])
  })

  test('a second lab shares no path, namespace or group with the first', () => {
    const second = createLabPlan({ ...labDefaults, name: 'other', port: 7443 })
    expect([second.stateDir, second.runDir, second.cgroup]).toEqual(['/var/lib/wherry/other', '/run/wherry/other', '/other-lab'])
    expect(namespacesOf(second).filter((name) => isOurNamespace(plan, name))).toEqual([])
    expect(namespacesOf(plan).filter((name) => isOurNamespace(second, name))).toEqual([])
  })

  test('knows its own namespaces, those of its pods included, from others', () => {
    const ours = ['wherry-node1', 'wherry-node17', 'wherry-hub', 'wherry-node1-0123456789ab']
    expect(ours.filter((name) => !isOurNamespace(plan, name))).toEqual([])
    const others = ['other-node1-0123456789ab', 'wherrytest-node1', 'wherry-nodes', 'my-wherry-hub', 'wherry']
    expect(others.filter((name) => isOurNamespace(plan, name))).toEqual([])
  })

  test.each([
    [{ name: 'Bad name' }, '--name'],
    [{ name: 'lab' }, '--name'],
    [{ nodes: 0 }, '--nodes'],
    [{ nodes: 51 }, '--nodes'],
    [{ port: 65_536 }, '--port'],
  ])('refuses %o', (change, option) => {
    expect(() => createLabPlan({ ...labDefaults, ...change })).toThrow(option)
  })

  test('names the nodes that there are when asked for another', () => {
    expect(() => nodeOf(plan, 'node9')).toThrow('there is no node node9')
    expect(nodeOf(plan, 'node2').namespace).toBe('wherry-node2')
  })
})

describe('the processes of a lab', () => {
  const children = planChildren(plan, { node: ['/n/node', '--flag'], root: '/checkout' })

  test('each runs in its own namespace; the hub alone is lent the listening socket', () => {
    expect(children.map((child) => child.name)).toEqual([
      'hub',
      'containerd-node1',
      'containerd-node2',
      'containerd-node3',
      'agent-node1',
      'agent-node2',
      'agent-node3',
    ])
    expect(children.filter((child) => child.listens).map((child) => child.name)).toEqual(['hub'])
    for (const child of children) expect(child.argv.slice(0, 3)).toEqual(inside(child.namespace!, []))
  })

  test('the hub and an agent get the flags that their mains know', () => {
    expect(children[0]!.argv.slice(3).join(' ')).toBe(
      '/n/node --flag --max-semi-space-size=4 /checkout/server/main.ts --data /var/lib/wherry/lab/hub --listen 198.18.0.10:6443 --listen-fd 3 ' +
        '--kubeconfig-server https://127.0.0.1:6443 ' +
        '--tls-san 127.0.0.1,localhost,198.18.0.10 --cluster-cidr 10.244.0.0/16 --service-cidr 10.96.0.0/12',
    )
    expect(children[5]!.argv.slice(3).join(' ')).toBe(
      '/n/node --flag --max-semi-space-size=4 /checkout/agent/main.ts --node node2 --hub https://198.18.0.10:6443 ' +
        '--credentials /var/lib/wherry/lab/node2/credentials ' +
        '--state /var/lib/wherry/lab/node2/agent --containerd-address /run/wherry/lab/node2/containerd.sock ' +
        '--cgroup-root /wherry-lab/node2 ' +
        '--cluster-cidr 10.244.0.0/16 --service-cidr 10.96.0.0/12 --proxy-mode nftables --usage-from cgroup --netns-prefix wherry-node2-',
    )
  })

  test('an agent waits for its credentials and its containerd', () => {
    expect(children[4]!.needs).toEqual([
      '/var/lib/wherry/lab/node1/credentials/agent.json',
      '/run/wherry/lab/node1/containerd.sock',
    ])
  })

  test('a containerd has places of its own and no plugin that looks elsewhere', () => {
    const text = containerdConfig(plan.nodes[0]!)
    expect(text).toContain('version = 2\n')
    expect([...text.matchAll(/"(\/[^"]*)"/g)].map((match) => match[1])).toEqual([
      '/var/lib/wherry/lab/node1/containerd',
      '/run/wherry/lab/node1/containerd',
      '/run/wherry/lab/node1/containerd.sock',
    ])
    expect(text).toContain('"io.containerd.grpc.v1.cri"')
  })
})
