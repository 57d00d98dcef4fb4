/** The rules and the kernel's own nft, in a network namespace: what is planned is taken, and is read back as it was planned. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { describeAsRoot, netnsLab, type Netns } from '../../test/kit/netns.ts'
import { arbitraryChange, changedView, endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import { adopt, commit, parse, plan, render, rulesetOf } from './index.ts'
import type { Listing, Transaction } from './model.ts'

async function nft(netns: Netns, args: readonly string[], input?: string): Promise<string> {
  return (await netns.exec.run({ command: 'nft', args, ...(input !== undefined && { input }) }, AbortSignal.timeout(20_000))).stdout
}

const load = (netns: Netns, transaction: Transaction): Promise<string> => nft(netns, ['-f', '-'], render(transaction))
const read = async (netns: Netns): Promise<Listing> => parse(await nft(netns, ['list', 'table', 'ip', 'wherry']))

function plain({ chains, sets, elements }: Listing) {
  const sorted = <V>(map: ReadonlyMap<string, V>) => Object.fromEntries([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return { chains: sorted(chains), sets: sorted(sets), elements: sorted(new Map([...elements].map(([set, inside]) => [set, sorted(inside)]))) }
}

describeAsRoot('nft takes the rules', () => {
  const lab = netnsLab()

  test('and gives them back word for word', async () => {
    const netns = await lab.create()
    const local = (n: number) => endpointView(`10.244.0.${n}`, { node: 'here' })
    const service = serviceView({
      key: `${'n'.repeat(63)}/${'s'.repeat(63)}`,
      clusterIPs: ['10.96.0.1', '10.96.0.2'],
      externalIPs: ['198.18.0.1'],
      loadBalancerIPs: ['203.0.113.1'],
      sourceRanges: ['0.0.0.0/0', '198.51.100.0/24'],
      externalPolicy: 'Local',
      affinitySeconds: 86_399,
      ports: (['tcp', 'udp', 'sctp'] as const).flatMap((protocol, i) => [
        portView({ name: 'p'.repeat(63), protocol, nodePort: 30_000 + i, endpoints: Array.from({ length: 1 + i * 40 }, (_, n) => local(n + 1)) }),
        portView({ name: '', protocol, port: 81, nodePort: 30_100 + i }),
      ]),
    })
    const view = nodeView([service], nodeConfigOf({ pods: { kind: 'cidrs', cidrs: ['0.0.0.0/0', '10.0.0.0/8'] }, nodePortAddresses: ['0.0.0.0/0'], localhostNodePorts: true, masqueradeBit: 31 }))
    await load(netns, plan(adopt('ip', undefined), view, 'all').transaction!)
    const listing = await read(netns)
    expect(plain(listing)).toEqual(plain(rulesetOf('ip', view)))
    expect(plan(adopt('ip', listing), view, 'all').transaction).toBeUndefined()
  })

  test('through courses of changes', async () => {
    for (const list of fc.sample(fc.array(fc.array(arbitraryChange, { minLength: 1, maxLength: 4 }), { minLength: 8, maxLength: 8 }), { numRuns: 6, seed: 7 })) {
      const netns = await lab.create()
      let accepted = adopt('ip', undefined)
      let view = nodeView([])
      for (const [i, changes] of list.entries()) {
        const next = changedView(view, changes)
        view = next.view
        const made = plan(accepted, view, i === 5 ? 'all' : next.changed)
        if (made.transaction) await load(netns, made.transaction)
        accepted = commit(accepted, made)
      }
      expect(plan(adopt('ip', await read(netns)), view, 'all').transaction).toBeUndefined()
    }
  })

  test('and their repair', async () => {
    const netns = await lab.create()
    const view = nodeView([serviceView({ ports: [portView({ nodePort: 30_080, endpoints: [endpointView('10.244.0.2'), endpointView('10.244.0.3')] })] })])
    await load(netns, plan(adopt('ip', undefined), view, 'all').transaction!)
    await nft(netns, ['-f', '-'], [
      'delete element ip wherry endpoints-2 { 10.96.0.1 . tcp . 80 . 1 }',
      'add element ip wherry endpoints-2 { 10.9.9.9 . tcp . 9 . 0 : 10.6.6.6 . 6 }',
      'add element ip wherry pod-ranges { 10.7.0.0-10.9.255.255 }',
    ].join('\n'))
    const mended = plan(adopt('ip', await read(netns)), view, 'all').transaction!
    expect(mended.operations.map(({ kind }) => kind)).not.toContain('add-table')
    await load(netns, mended)
    expect(plain(await read(netns))).toEqual(plain(rulesetOf('ip', view)))

    await nft(netns, ['-f', '-'], [
      'add chain ip wherry deep',
      'add set ip wherry theirs { type ipv4_addr; }',
      'add rule ip wherry deep ip daddr @theirs drop',
      'insert rule ip wherry nat-output ip saddr { 10.0.0.1, 10.0.0.2 } counter accept',
      'flush chain ip wherry refuse',
    ].join('\n'))
    await load(netns, plan(adopt('ip', await read(netns)), view, 'all').transaction!)
    expect(plain(await read(netns))).toEqual(plain(rulesetOf('ip', view)))

    await nft(netns, ['-f', '-'], 'delete table ip wherry\nadd table ip wherry\nadd set ip wherry hairpin { type ipv4_addr; }\n')
    await load(netns, plan(adopt('ip', await read(netns)), view, 'all').transaction!)
    expect(plain(await read(netns))).toEqual(plain(rulesetOf('ip', view)))
  })

  test('in IPv6, too', async () => {
    const netns = await lab.create()
    const view = nodeView(
      [serviceView({
        clusterIPs: ['fd00:10:96::1'], externalIPs: ['2001:db8:1::5'], loadBalancerIPs: ['2001:db8:2::1'], sourceRanges: ['2001:db8::/32', '10.0.0.0/8'],
        affinitySeconds: 10_800, externalPolicy: 'Local',
        ports: [portView({ nodePort: 30_080, endpoints: [endpointView('fd00:244::2', { node: 'here' }), endpointView('fd00:244:1::3')] })],
      })],
      nodeConfigOf({ pods: { kind: 'interface', name: 'cni', match: 'prefix' }, nodePortAddresses: ['::/0'] }),
    )
    await load(netns, plan(adopt('ip6', undefined), view, 'all').transaction!)
    const listing = parse(await nft(netns, ['list', 'table', 'ip6', 'wherry']))
    expect(plain(listing)).toEqual(plain(rulesetOf('ip6', view)))
    expect(plan(adopt('ip6', listing), view, 'all').transaction).toBeUndefined()
  })
})
