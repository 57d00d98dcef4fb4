import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { silentLog } from '../../../api/log.ts'
import { adopt, commit, countersOf, ipvsMode, listingOf, printedIn, rulesetOf, type Listing, type Step } from '../../../rules/ipvs/index.ts'
import type { Family, NodeView } from '../../../rules/model.ts'
import { createFakeClock, settled } from '../../../test/kit/clock.ts'
import { endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../../../test/kit/views.ts'
import { createFakeIpvsMachine, type FakeIpvsMachine } from '../fake/ipvs.ts'
import { ipvsLaws, runLaw } from '../../../test/conformance/ipvs.ts'
import { openIpvsKernel } from './ipvs.ts'
import type { ForeignChange } from '../kernel.ts'

const signal = AbortSignal.timeout(20_000)
const above = mkdtempSync(join(tmpdir(), 'ipvs-sysctls-'))
afterAll(() => rmSync(above, { recursive: true, force: true }))

const names = [
  'net/ipv4/vs/conntrack', 'net/ipv4/vs/expire_nodest_conn', 'net/ipv4/vs/expire_quiescent_template', 'net/ipv4/ip_forward',
  'net/ipv6/conf/all/forwarding', 'net/ipv4/conf/all/arp_ignore', 'net/ipv4/conf/all/arp_announce',
] as const
/** A /proc/sys with nothing set. */
function sysctls(): string {
  const root = mkdtempSync(join(above, 'sys-'))
  for (const name of names) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), '0\n')
  }
  return root
}

const hosts: Readonly<Record<Family, readonly string[]>> = { ip: ['127.0.0.1', '192.0.2.1'], ip6: ['::1', '2001:db8::1'] }
const views: Readonly<Record<Family, NodeView>> = {
  ip: nodeView([
    serviceView({
      loadBalancerIPs: ['203.0.113.1'], sourceRanges: ['198.51.100.0/24'], externalPolicy: 'Local', affinitySeconds: 90,
      ports: [portView({ nodePort: 30_001, endpoints: [endpointView('10.244.0.2', { node: 'here' }), endpointView('10.244.1.2')] })],
    }),
    serviceView({ key: 'kube-system/dns', clusterIPs: ['10.96.0.10'], internalPolicy: 'Local', ports: [
      portView({ name: 'dns', protocol: 'udp', port: 53, endpoints: [endpointView('10.244.1.3')] }),
      portView({ name: 'sctp', protocol: 'sctp', port: 99, endpoints: [endpointView('10.244.1.4')] }),
    ] }),
  ]),
  ip6: nodeView(
    [serviceView({
      clusterIPs: ['fd00::1'], loadBalancerIPs: ['2001:db8:1::1'], externalPolicy: 'Local', affinitySeconds: 90,
      ports: [portView({ nodePort: 30_001, endpoints: [endpointView('fd01::2', { node: 'here' })] })],
    })],
    nodeConfigOf({ pods: { kind: 'cidrs', cidrs: ['fd01::/16'] }, nodePortAddresses: ['::/0'], nodeAddresses: ['2001:db8::1'] }),
  ),
}

async function stage(family: Family = 'ip', root = sysctls()) {
  const machine = createFakeIpvsMachine(family, hosts[family])
  const clock = createFakeClock()
  const kernel = await openIpvsKernel({ family, exec: machine.exec, log: silentLog, clock, strictARP: true, sysctls: root }, signal)
  let accepted = adopt(family, await kernel.read(signal))
  return {
    machine, kernel, clock,
    pass: async (view: NodeView) => {
      const plan = ipvsMode.plan(accepted, view, 'all')
      if (plan.transaction) await kernel.apply(plan.transaction, signal)
      accepted = commit(accepted, plan)
      return plan
    },
    reread: async () => void (accepted = adopt(family, await kernel.read(signal))),
  }
}

const shape = ({ table, servers, addresses }: Listing) => ({
  elements: table && new Map([...table.elements].map(([name, elements]) => [name, new Map(elements)])),
  chains: table?.chains,
  servers: new Map([...servers].map(([key, { settings, reals }]) => [key, { settings, reals: new Map([...reals].map(([real, { weight }]) => [real, weight])) }])),
  addresses,
})

describe.each(['ip', 'ip6'] as const)('family %s', (family) => {
  test('what was planned is what is read, and after it there is nothing to do', async () => {
    const { kernel, pass, reread } = await stage(family)
    await pass(views[family])
    expect(shape((await kernel.read(signal))!)).toEqual(shape(rulesetOf(family, views[family], hosts[family])))
    await reread()
    expect((await pass(views[family])).transaction).toBeUndefined()
  })

  test('remove leaves nothing of ours and all of others', async () => {
    const { machine, kernel, pass } = await stage(family)
    machine.image.apply({ kind: 'servers', operations: [{ kind: 'add-server', virtual: 'mark 7', settings: 'wlc' }] })
    await pass(views[family])
    await kernel.remove(signal)
    expect([...machine.image.listing.servers.keys()]).toEqual(['mark 7'])
    expect(machine.image.listing.table).toBeUndefined()
    expect(machine.image.listing.addresses.size).toBe(0)
    expect(machine.given.at(-1)).toBe('ip: link delete wherry-ipvs0\n')
    await kernel.remove(signal)
  })
})

test('the kernel is made ready', async () => {
  const root = sysctls()
  const values = () => names.map((name) => readFileSync(join(root, name), 'utf8').trim())
  await stage('ip', root)
  expect(values()).toEqual(['1', '1', '1', '1', '0', '1', '2'])
  await stage('ip6', root)
  expect(values()).toEqual(['1', '1', '1', '1', '1', '1', '2'])
})

describe('the laws of the tools, in memory (test/vm has them on a kernel)', () => {
  test.each(ipvsLaws.map((law) => [law.name, law] as const))('%s', async (_, law) => {
    const { kernel } = await stage()
    expect(await runLaw(kernel, law, signal)).toEqual({ ...(law.code !== undefined && { code: law.code }), left: law.left })
  })
})

describe('errors have a code and the tool’s words', () => {
  const failing = async (step: Step, prepare: (machine: FakeIpvsMachine) => void = () => {}) => {
    const { machine, kernel } = await stage()
    prepare(machine)
    return kernel.apply({ family: 'ip', steps: [step] }, signal)
  }
  const server = { kind: 'add-server', virtual: 'tcp 10.96.0.1:80', settings: 'rr' } as const

  test('a virtual server that is there, though later lines are right', async () => {
    const step: Step = { kind: 'servers', operations: [server, server, { ...server, virtual: 'tcp 10.96.0.2:80' }] }
    await expect(failing(step)).rejects.toMatchObject({ code: 'KERNEL_EXISTS', said: 'Service already exists' })
  })

  test('a real server of a virtual server that is not there', async () => {
    const step: Step = { kind: 'servers', operations: [{ kind: 'add-real', virtual: 'tcp 10.96.0.1:80', real: '10.244.1.2:80', weight: 1 }] }
    await expect(failing(step)).rejects.toMatchObject({ code: 'KERNEL_NOT_FOUND' })
  })

  test('an address that is there, with the line', async () => {
    const add = { kind: 'add-address', address: '10.96.0.1' } as const
    await expect(failing({ kind: 'addresses', operations: [add, add] })).rejects.toMatchObject({ code: 'KERNEL_EXISTS', line: 2, excerpt: 'address add 10.96.0.1/32 dev wherry-ipvs0' })
  })

  test('an element of a table that is not there', async () => {
    const step: Step = { kind: 'rules', operations: [{ kind: 'add-elements', set: 'services', elements: [{ key: 'x' }] }] }
    await expect(failing(step)).rejects.toMatchObject({ code: 'KERNEL_NOT_FOUND' })
  })

  test('a kernel without the module', async () => {
    const machine = createFakeIpvsMachine('ip')
    machine.removeModule()
    const opening = openIpvsKernel({ family: 'ip', exec: machine.exec, log: silentLog, clock: createFakeClock(), strictARP: false, sysctls: sysctls() }, signal)
    await expect(opening).rejects.toMatchObject({ code: 'SETUP', message: 'ipvs: the kernel has no ip_vs module: modprobe ip_vs, or use mode nftables' })
  })

  test('a kernel setting that cannot be set', async () => {
    const opening = openIpvsKernel(
      { family: 'ip', exec: createFakeIpvsMachine('ip').exec, log: silentLog, clock: createFakeClock(), strictARP: false, sysctls: join(above, 'nowhere') },
      signal,
    )
    await expect(opening).rejects.toMatchObject({ code: 'SETUP', message: expect.stringContaining('net/ipv4/vs/conntrack') })
  })

  test('another family’s transaction', async () => {
    const { kernel } = await stage()
    await expect(kernel.apply({ family: 'ip6', steps: [] }, signal)).rejects.toMatchObject({ code: 'KERNEL_REFUSED' })
  })
})

describe('watch', () => {
  const watched = async () => {
    const s = await stage()
    await s.pass(views.ip)
    const told: ForeignChange[] = []
    const stop = new AbortController()
    const done = s.kernel.watch((change) => void told.push(change), stop.signal)
    const tick = async (): Promise<void> => {
      await s.clock.advance(600)
      await settled(20)
    }
    return { ...s, told, tick, end: async () => (stop.abort(), done) }
  }

  test('our own changes are not told of, and the end comes with the signal', async () => {
    const { pass, told, tick, end } = await watched()
    await tick()
    await pass(nodeView([]))
    await tick()
    await end()
    expect(told).toEqual([])
  })

  test.each<readonly [string, Step]>([
    ['virtual server udp 10.96.0.10:53 deleted', { kind: 'servers', operations: [{ kind: 'delete-server', virtual: 'udp 10.96.0.10:53' }] }],
    ['virtual server tcp 10.96.0.1:80 changed', { kind: 'servers', operations: [{ kind: 'edit-server', virtual: 'tcp 10.96.0.1:80', settings: 'wlc' }] }],
    ['real servers of tcp 10.96.0.1:80 changed', { kind: 'servers', operations: [{ kind: 'delete-real', virtual: 'tcp 10.96.0.1:80', real: '10.244.1.2:8080' }] }],
    ['address 10.96.0.10 deleted', { kind: 'addresses', operations: [{ kind: 'delete-address', address: '10.96.0.10' }] }],
    ['table ip wherry-ipvs deleted', { kind: 'rules', operations: [{ kind: 'delete-table' }] }],
    ['chain front changed', { kind: 'rules', operations: [{ kind: 'add-rule', chain: 'front', rule: 'drop' }] }],
    ['set restricted changed', { kind: 'rules', operations: [{ kind: 'delete-elements', set: 'restricted', keys: ['203.0.113.1 . tcp . 80'] }] }],
  ])('%s', async (what, step) => {
    const { machine, told, tick, end } = await watched()
    expect(machine.image.apply(step)).toEqual([])
    await tick()
    await end()
    expect(told[0]?.what).toContain(what)
  })

  test('other people’s virtual servers are their own business', async () => {
    const { machine, reread, told, tick, end } = await watched()
    machine.image.apply({ kind: 'servers', operations: [{ kind: 'add-server', virtual: 'tcp 192.0.2.1:443', settings: 'wlc' }] })
    await tick()
    await reread()
    machine.image.apply({ kind: 'servers', operations: [{ kind: 'delete-server', virtual: 'tcp 192.0.2.1:443' }] })
    await tick()
    await end()
    expect(told).toEqual([])
  })
})

test('print shows the rules, addresses, and our virtual servers with their counters: all that there is to read', async () => {
  const { machine, kernel, pass } = await stage()
  machine.image.apply({ kind: 'servers', operations: [{ kind: 'add-server', virtual: 'tcp 192.0.2.1:443', settings: 'wlc' }] })
  await pass(views.ip)
  machine.setConnections('tcp 10.96.0.1:80', '10.244.1.2:8080', 12)
  const text = await kernel.print(signal)
  expect(text).toContain('table ip wherry-ipvs {')
  expect(text).toContain('TCP  10.96.0.1:80')
  expect(text).not.toContain('192.0.2.1:443')
  const { servers, ...read } = (await kernel.read(signal))!
  const ours = new Map([...servers].filter(([key]) => key !== 'tcp 192.0.2.1:443'))
  expect(printedIn(text).map(listingOf)).toEqual([{ ...read, servers: ours }])
  const counts = countersOf(text)
  expect(counts).toContainEqual({ service: 'default/web:http', front: '10.96.0.1 tcp 80', endpoint: '10.244.1.2:8080', connections: 12 })
  expect(counts.filter(({ front }) => front.startsWith('mark '))).toEqual([expect.objectContaining({ service: 'default/web:http', endpoint: '10.244.0.2:8080' })])
})
