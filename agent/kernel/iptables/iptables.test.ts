import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../api/log.ts'
import { adopt, commit, countersOf, iptablesMode, parse, plan, rulesetOf, strays, type Listing } from '../../../rules/iptables/index.ts'
import type { NodeView } from '../../../rules/model.ts'
import { createFakeClock, settled } from '../../../test/kit/clock.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from '../../../test/kit/netns.ts'
import { arbitraryChange, changedView, endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../../../test/kit/views.ts'
import { createDataplane } from '../../sync/dataplane.ts'
import { createFakeIptables } from '../fake/iptables.ts'
import type { Exec } from '../exec.ts'
import { openSign } from './signs.ts'
import { iptablesRefusal, type IptablesVariant } from './tools.ts'
import { openIptablesKernel } from './iptables.ts'
import type { ForeignChange } from '../kernel.ts'

const signal = AbortSignal.timeout(120_000)
const view = nodeView([
  serviceView({
    externalIPs: ['198.18.0.1'], loadBalancerIPs: ['203.0.113.1'], sourceRanges: ['198.51.100.0/24', '192.0.2.0/24'], externalPolicy: 'Local', affinitySeconds: 10_800,
    ports: [portView({ nodePort: 30_080, endpoints: [endpointView('10.244.0.2', { node: 'here' }), endpointView('10.244.1.2'), endpointView('10.244.1.3')] })],
  }),
  serviceView({ key: 'kube-system/dns', clusterIPs: ['10.96.0.10'], ports: [
    portView({ name: 'dns', protocol: 'udp', port: 53, endpoints: [endpointView('10.244.1.3')] }),
    portView({ name: 'idle', protocol: 'sctp', port: 99, nodePort: 30_099 }),
  ] }),
])
const view6 = nodeView(
  [serviceView({
    clusterIPs: ['fd00:10:96::1', 'fd00:10:96::3ff'], externalIPs: ['2001:db8:1::5'], loadBalancerIPs: ['2001:db8:2::'], sourceRanges: ['2001:db8::/32'],
    affinitySeconds: 90, externalPolicy: 'Local',
    ports: [portView({ nodePort: 30_080, endpoints: [endpointView('fd00:244::2', { node: 'here' }), endpointView('fd00:244:1::3')] }), portView({ name: 'idle', port: 81, nodePort: 30_081 })],
  })],
  nodeConfigOf({ pods: { kind: 'interface', name: 'cni', match: 'prefix' }, nodePortAddresses: ['::/0'] }),
)
const others = '*nat\n:KUBE-POSTROUTING - [0:0]\n-A POSTROUTING -j KUBE-POSTROUTING\n-A KUBE-POSTROUTING -s 10.9.9.0/24 -j RETURN\nCOMMIT\n*filter\n-A FORWARD -s 10.9.9.0/24 -j DROP\nCOMMIT\n'
const apart = (left: Listing, seen: Listing): readonly string[] => [...strays(left, seen)]

describe('with iptables in memory', () => {
  /** @param afterRestore called behind each restore of ours */
  async function stage({ afterRestore = () => {}, variant = 'nft' }: { afterRestore?: () => void; variant?: IptablesVariant } = {}) {
    const machine = createFakeIptables('iptables', variant)
    const exec: Exec = {
      ...machine.exec,
      async run(command, stop) {
        const output = await machine.exec.run(command, stop)
        if (command.args.includes('--noflush')) afterRestore()
        return output
      },
    }
    const clock = createFakeClock()
    const kernel = await openIptablesKernel({ family: 'ip', exec, log: silentLog, clock, openSign: async () => machine.sign }, signal)
    return { machine, clock, kernel, plane: createDataplane('ip', iptablesMode, kernel) }
  }

  test('a view is written, changed and taken away; the rules of others stay', async () => {
    const { machine, plane } = await stage()
    machine.meddle(others)
    const before = machine.text()
    await plane.bring(view, 'all', signal)
    expect(apart(rulesetOf('ip', view), machine.listing())).toEqual([])
    await plane.bring(nodeView([]), new Set(view.services.keys()), signal)
    expect(apart(rulesetOf('ip', nodeView([])), machine.listing())).toEqual([])
    await plane.remove(signal)
    expect(machine.text()).toBe(before)
  })

  test.each(['nft', 'legacy'] as const)('others are told of, our own changes are not: %s', async (variant) => {
    const { machine, clock, plane } = await stage({ variant })
    const told: ForeignChange[] = []
    const stop = new AbortController()
    await plane.bring(view, 'all', signal)
    const watching = plane.watch((change) => told.push(change), stop.signal)
    const look = async () => {
      await settled()
      await clock.advance(500)
      await settled()
    }
    await look()
    await plane.bring(nodeView([]), new Set(view.services.keys()), signal)
    await look()
    machine.meddle(others)
    await look()
    expect(told).toEqual([])
    machine.meddle('*nat\n-F WHERRY-SERVICES\n-F PREROUTING\nCOMMIT\n')
    await look()
    expect(told.map(({ what }) => what)).toEqual(['jump from nat PREROUTING deleted and 1 more'])
    plane.forget()
    await plane.bring(nodeView([]), 'all', signal)
    expect(apart(rulesetOf('ip', nodeView([])), machine.listing())).toEqual([])
    stop.abort()
    await watching
  })

  test('others are told of also when they come in the middle of our own change', async () => {
    const { machine, clock, plane } = await stage({ afterRestore: () => machine.meddle('*nat\n-F WHERRY-MASQUERADE\nCOMMIT\n') })
    await plane.bring(view, 'all', signal)
    const told: string[] = []
    const stop = new AbortController()
    const watching = plane.watch(({ what }) => told.push(what), stop.signal)
    await settled()
    await clock.advance(500)
    await settled()
    await plane.bring(nodeView([]), new Set(view.services.keys()), signal)
    told.length = 0
    await clock.advance(500)
    await settled()
    expect(told).toEqual(['chain nat WHERRY-MASQUERADE changed'])
    stop.abort()
    await watching
  })

  test('a rule in the place of another of the same size is told of half a minute later where only sizes are known', async () => {
    const { machine, clock, plane } = await stage({ variant: 'legacy' })
    await plane.bring(view, 'all', signal)
    const told: string[] = []
    const stop = new AbortController()
    const watching = plane.watch(({ what }) => told.push(what), stop.signal)
    await clock.advance(500)
    const rule = machine.listing().nat.chains.get('WHERRY-STRANGERS')![0]!
    machine.meddle(`*nat\n-D WHERRY-STRANGERS ${rule}\n-I WHERRY-STRANGERS 1 ${rule.replace('10.244', '10.245')}\nCOMMIT\n`)
    await clock.advance(29_000)
    expect(told).toEqual([])
    await clock.advance(1_500)
    expect(told).toEqual(['chain nat WHERRY-STRANGERS changed'])
    stop.abort()
    await watching
  })

  test('no program is a reason to stop, with the way out', async () => {
    const { exec } = createFakeIptables('iptables')
    const opening = openIptablesKernel({ family: 'ip6', exec, log: silentLog, clock: createFakeClock() }, signal)
    await expect(opening).rejects.toMatchObject({ code: 'SETUP', message: expect.stringContaining('install the package iptables') as string })
  })

  test('a transaction of the other family is refused', async () => {
    const { kernel } = await stage()
    await expect(kernel.apply({ family: 'ip6', operations: { filter: [], nat: [] } }, signal)).rejects.toMatchObject({ code: 'KERNEL_REFUSED' })
  })
})

test.each([
  ["iptables-nft-restore v1.8.9 (nf_tables): Chain 'NO' does not exist\nError occurred at line: 2\nTry `-h'\n", 'KERNEL_NOT_FOUND', 2, "Chain 'NO' does not exist"],
  ['iptables-nft-restore v1.8.9 (nf_tables): \nline 3: CHAIN_DEL failed (Device or resource busy): chain B\n', 'KERNEL_BUSY', 3, 'CHAIN_DEL failed (Device or resource busy): chain B'],
  ['iptables-nft-restore: line 2 failed: Bad rule (does a matching rule exist in that chain?).\n', 'KERNEL_NOT_FOUND', 2, 'Bad rule (does a matching rule exist in that chain?).'],
  ['Another app is currently holding the xtables lock; still 1s 0us time ahead to have a chance to grab the lock...\n', 'KERNEL_BUSY', undefined, expect.stringContaining('xtables lock') as string],
])('the words of iptables-restore are understood: %j', (stderr, code, line, said) => {
  const error = iptablesRefusal('iptables-restore', stderr, '*nat\n-A A -j NO\nCOMMIT\n')
  expect(error).toMatchObject({ code, line, said })
  if (line === 2) expect(error.excerpt).toContain('> 2: -A A -j NO')
})

describeAsRoot('the kernel', () => {
  const lab = netnsLab()
  const variants = ['nft', 'legacy'] as const

  async function open(netns: Netns, family: 'ip' | 'ip6' = 'ip') {
    const clock = createFakeClock()
    const openThere: typeof openSign = (...which) => inNamespace(netns, () => openSign(...which))
    return { clock, kernel: await openIptablesKernel({ family, exec: netns.exec, log: silentLog, clock, openSign: openThere }, signal) }
  }
  const save = async (netns: Netns, variant: string, name = 'iptables'): Promise<string> =>
    (await execIn(netns, `${name}-${variant}-save`, [])).stdout.replace(/^#.*\n/gm, '').replace(/\[\d+:\d+\]/g, '').split('\n').filter((line) => !line.startsWith('*raw') && !line.startsWith('*mangle')).toSorted().join('\n')
  const restore = (netns: Netns, variant: string, payload: string) =>
    netns.exec.run({ command: `iptables-${variant}-restore`, args: ['--noflush', '-w', '10'], input: payload }, signal)

  test.each(variants)('takes all forms of rules and gives them back word for word: %s', async (variant) => {
    const netns = await lab.create()
    await restore(netns, variant, others)
    const before = await save(netns, variant)
    const { kernel } = await open(netns)
    expect(kernel.how).toContain(`iptables-${variant}-restore`)
    const plane = createDataplane('ip', iptablesMode, kernel)
    const wide = nodeView([...view.services.values()], nodeConfigOf({ pods: { kind: 'interface', name: 'cni0', match: 'exact' }, localhostNodePorts: true, masqueradeBit: 31, nodePortAddresses: ['0.0.0.0/0'] }))
    for (const next of [view, wide, view]) {
      await plane.bring(next, next === view ? 'all' : new Set(), signal)
      expect(apart(rulesetOf('ip', next), (await kernel.read(signal))!)).toEqual([])
      expect(plan(adopt('ip', await kernel.read(signal)), next, 'all').transaction).toBeUndefined()
    }
    const counts = countersOf(await kernel.print(signal))
    expect(counts).toContainEqual({ service: 'default/web:http', front: '10.96.0.1 tcp 80', endpoint: '10.244.1.2:8080', connections: 0 })
    expect(counts).toContainEqual({ service: 'default/web:http', front: '* tcp 30080', endpoint: '10.244.0.2:8080', connections: 0 })
    expect(await kernel.print(signal)).not.toContain('KUBE')
    await plane.remove(signal)
    expect(await save(netns, variant)).toBe(before)
    await plane.remove(signal)
  })

  test.each(variants)('in IPv6, too: %s', async (variant) => {
    const netns = await lab.create()
    await netns.exec.run({ command: `ip6tables-${variant}-restore`, args: ['--noflush'], input: '*filter\n-A INPUT -s 2001:db8::9 -j ACCEPT\nCOMMIT\n' }, signal)
    const { kernel } = await open(netns, 'ip6')
    expect(kernel.how).toContain(`ip6tables-${variant}-restore`)
    await createDataplane('ip6', iptablesMode, kernel).bring(view6, 'all', signal)
    expect(apart(rulesetOf('ip6', view6), (await kernel.read(signal))!)).toEqual([])
    await kernel.remove(signal)
    expect(await save(netns, variant, 'ip6tables')).not.toContain('WHERRY')
  })

  test.each(variants)('goes through courses of changes, and is repaired: %s', async (variant) => {
    const netns = await lab.create()
    await restore(netns, variant, others)
    const { kernel } = await open(netns)
    for (const list of fc.sample(fc.array(fc.array(arbitraryChange, { minLength: 1, maxLength: 4 }), { minLength: 6, maxLength: 6 }), { numRuns: 3, seed: 7 })) {
      let accepted = adopt('ip', await kernel.read(signal))
      let now: NodeView = nodeView([])
      for (const changes of list) {
        const next = changedView(now, changes)
        now = next.view
        const made = plan(accepted, now, next.changed)
        if (made.transaction) await kernel.apply(made.transaction, signal)
        accepted = commit(accepted, made)
      }
      expect(apart(rulesetOf('ip', now), (await kernel.read(signal))!)).toEqual([])
      await restore(netns, variant, '*nat\n:WHERRY-OTHER - [0:0]\n-F WHERRY-SERVICES\n-A WHERRY-MASQUERADE -j WHERRY-OTHER\n-I OUTPUT -j WHERRY-OTHER\n-F POSTROUTING\nCOMMIT\n')
      const repair = plan(adopt('ip', await kernel.read(signal)), now, 'all')
      await kernel.apply(repair.transaction!, signal)
      expect(apart(rulesetOf('ip', now), (await kernel.read(signal))!)).toEqual([])
    }
    expect(parse((await execIn(netns, `iptables-${variant === 'nft' ? 'legacy' : 'nft'}-save`, [])).stdout)).toBeUndefined()
  })

  test.each(variants)('a change leaves the counters of neighbours: %s', async (variant) => {
    const netns = await lab.create()
    await restore(netns, variant, others)
    const { kernel } = await open(netns)
    const plane = createDataplane('ip', iptablesMode, kernel)
    const at = (key: string, address: string, count: number) =>
      serviceView({ key, clusterIPs: [address], ports: [portView({ endpoints: Array.from({ length: count }, (_, i) => endpointView(`10.244.1.${i + 1}`)) })] })
    const neighbour = at('default/a', '10.96.0.1', 2)
    await plane.bring(nodeView([neighbour, at('default/b', '10.96.4.1', 3)]), 'all', signal)
    const leaf = rulesetOf('ip', nodeView([neighbour, at('default/b', '10.96.4.1', 3)])).nat.chains.get('WHERRY-A-01-00')!
    const counted = leaf.map((rule, i) => `[${i + 1}:60] -A WHERRY-A-01-00 ${rule}\n`).join('')
    await netns.exec.run({ command: `iptables-${variant}-restore`, args: ['--noflush', '--counters'], input: `*nat\n:WHERRY-A-01-00 - [0:0]\n${counted}COMMIT\n` }, signal)
    await plane.bring(nodeView([neighbour, at('default/b', '10.96.4.1', 2)]), new Set(['default/b']), signal)
    const counts = countersOf(await kernel.print(signal)).map(({ front, connections }) => `${front}: ${connections}`)
    expect(counts).toEqual(['10.96.0.1 tcp 80: 2', '10.96.0.1 tcp 80: 3', '10.96.4.1 tcp 80: 0', '10.96.4.1 tcp 80: 0'])
  })

  test.each(variants)('tells of other hands, and does not even look after our own changes: %s', async (variant) => {
    const netns = await lab.create()
    await restore(netns, variant, others)
    let looks = 0
    const exec: Exec = { ...netns.exec, run: (command, stop) => ((looks += command.command.endsWith('-save') ? 1 : 0), netns.exec.run(command, stop)) }
    const { kernel, clock } = await open({ ...netns, exec })
    const plane = createDataplane('ip', iptablesMode, kernel)
    await plane.bring(view, 'all', signal)
    const stop = new AbortController()
    const told: string[] = []
    const heard = Promise.withResolvers<void>()
    const watching = plane.watch(({ what }) => {
      told.push(what)
      heard.resolve()
    }, stop.signal)
    const half = async (): Promise<void> => {
      while (clock.waiting === 0) await settled()
      await clock.advance(500)
      while (clock.waiting === 0) await settled()
    }
    await half()
    const before = looks
    await plane.bring(nodeView([]), new Set(view.services.keys()), signal)
    await half()
    expect(looks).toBe(before)
    await restore(netns, variant, '*nat\n-D PREROUTING -m comment --comment "services to their endpoints" -j WHERRY-SERVICES\nCOMMIT\n')
    await half()
    await heard.promise
    expect(told).toEqual(['jump from nat PREROUTING deleted'])
    stop.abort()
    await watching
  })

  test('an error has the line of the payload, and leaves the table as it was', async () => {
    const netns = await lab.create()
    const { kernel } = await open(netns)
    const apply = kernel.apply({ family: 'ip', operations: { filter: [], nat: [{ kind: 'set-chain', chain: 'WHERRY-X', rules: ['-j WHERRY-NOWHERE'] }] } }, signal)
    await expect(apply).rejects.toMatchObject({ code: 'KERNEL_NOT_FOUND', message: expect.stringContaining('WHERRY-NOWHERE') as string })
    expect(await kernel.read(signal)).toBeUndefined()
  })
})
