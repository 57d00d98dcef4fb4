import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import type { EndpointView, Family, NodeView, ServicePortView, ServiceView } from '../../rules/model.ts'
import { nftMode } from '../../rules/nft/index.ts'
import { describeAsRoot, execIn, inNamespace, netnsLab, type Netns } from '../../test/kit/netns.ts'
import { endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../../test/kit/views.ts'
import { waitFor } from '../../test/kit/wait.ts'
import { createConntrack } from '../kernel/flows/conntrack.ts'
import { openFlowNetlink } from '../kernel/flows/netlink.ts'
import type { Place } from '../kernel/flows/table.ts'
import { openLibnftables } from '../kernel/nft/libnftables.ts'
import { openNetlinkTalk } from '../kernel/netlink.ts'
import { createNftKernel } from '../kernel/nft/nft.ts'
import { createDataplane } from './dataplane.ts'
import { createFlows } from './flows.ts'

const never = new AbortController().signal

/** The addresses of a row, by name. `away` is no address of the node. */
const names = ['vip1', 'vip2', 'ext', 'lb', 'node', 'away', 'pod1', 'pod2', 'pod3', 'outside'] as const
type Name = (typeof names)[number]
const addresses: Readonly<Record<Family, Readonly<Record<Name, string>>>> = {
  ip: {
    vip1: '10.96.0.1', vip2: '10.96.0.2', ext: '198.18.0.5', lb: '203.0.113.7', node: '192.0.2.1', away: '198.51.100.9',
    pod1: '10.244.0.11', pod2: '10.244.0.12', pod3: '10.244.0.13', outside: '192.0.2.9',
  },
  ip6: {
    vip1: 'fd00:96::1', vip2: 'fd00:96::2', ext: '2001:db8:5::5', lb: '2001:db8:7::7',
    node: '2001:db8:2::1', away: '2001:db8:9::9',
    pod1: 'fd00:244::11', pod2: 'fd00:244::12', pod3: 'fd00:244::13', outside: '2001:db8:2::9',
  },
}

interface Wish {
  readonly key?: string
  readonly vip?: Name
  readonly ext?: boolean
  readonly lb?: boolean
  readonly nodePort?: number
  readonly port?: number
  readonly protocol?: ServicePortView['protocol']
  readonly localOnly?: boolean
  readonly created?: string
  /** `pod1`, `pod1:5354`, with words of `states` behind it. */
  readonly pods?: readonly string[]
}

const states: Readonly<Record<string, Partial<EndpointView>>> = {
  leaving: { ready: false, terminating: true },
  unready: { ready: false },
  dead: { ready: false, serving: false, terminating: true },
  published: { ready: true, serving: false },
  here: { node: 'here' },
}

function viewOf(family: Family, wishes: readonly Wish[], nodePortAddresses?: readonly string[]): NodeView {
  const a = addresses[family]
  const services = wishes.map((wish): ServiceView => {
    const { key = 'default/dns', vip = 'vip1', ext, lb, nodePort, localOnly, created, pods = [] } = wish
    const { port = 53, protocol = 'udp' } = wish
    return serviceView({
      key,
      clusterIPs: [a[vip]],
      externalIPs: ext ? [a.ext] : [],
      loadBalancerIPs: lb ? [a.lb] : [],
      externalPolicy: localOnly ? 'Local' : 'Cluster',
      ...(created !== undefined && { created }),
      ports: [
        portView({
          name: 'dns',
          protocol,
          port,
          ...(nodePort !== undefined && { nodePort }),
          endpoints: pods.map((text) => {
            const [place = '', ...words] = text.split(' ')
            const [name, at = '5353'] = place.split(':')
            const state: Partial<EndpointView> = Object.assign({}, ...words.map((word) => states[word]))
            return endpointView(a[name as Name], { port: Number(at), ...state })
          }),
        }),
      ],
    })
  })
  const config = nodeConfigOf({
    pods: { kind: 'cidrs', cidrs: [family === 'ip' ? '10.244.0.0/16' : 'fd00:244::/32'] },
    nodePortAddresses: nodePortAddresses ?? [family === 'ip' ? '0.0.0.0/0' : '::/0'],
    nodeAddresses: [a.node],
  })
  return nodeView(services, config)
}

interface Row {
  readonly name: string
  readonly before: readonly Wish[]
  readonly after: readonly Wish[]
  /** Flows before the change, `from > to by whom they were answered`; the rest is in `goes` or `stays`. */
  readonly goes?: readonly string[]
  readonly stays?: readonly string[]
}

const dns: Wish = { nodePort: 30_053, ext: true, lb: true, pods: ['pod1'] }
const toAll = (source: string, target: string): readonly string[] =>
  ['vip1:53', 'ext:53', 'lb:53', 'node:30053'].map((front, i) => `${source}:${4001 + i} > ${front} by ${target}`)
const untranslated = (source: string): readonly string[] =>
  ['vip1:53', 'ext:53', 'lb:53'].map((front, i) => `${source}:${4001 + i} > ${front} by ${front}`)

/** Other services are from the first of January. */
const young: Wish = { ...dns, key: 'default/young', created: '2026-01-02T00:00:00Z', pods: ['pod2'] }

/** The catalogue's rows about connection tracking, and what is around them. */
const rows: readonly Row[] = [
  { name: 'an endpoint that is gone', before: [dns], after: [{ ...dns, pods: ['pod2'] }], goes: toAll('outside', 'pod1:5353') },
  { name: 'the last endpoint is gone', before: [dns], after: [{ ...dns, pods: [] }], goes: toAll('outside', 'pod1:5353') },
  {
    name: 'an endpoint on another port',
    before: [dns],
    after: [{ ...dns, pods: ['pod1:5354'] }],
    goes: toAll('outside', 'pod1:5353'),
  },
  { name: 'an endpoint more', before: [dns], after: [{ ...dns, pods: ['pod1', 'pod2'] }], stays: toAll('outside', 'pod1:5353') },
  { name: 'nothing but the order', before: [dns], after: [{ ...dns, pods: ['pod1'] }], stays: toAll('node', 'pod1:5353') },
  {
    name: 'an endpoint that ends, and still serves',
    before: [dns],
    after: [{ ...dns, pods: ['pod1 leaving', 'pod2'] }],
    stays: toAll('outside', 'pod1:5353'),
  },
  {
    name: 'an endpoint that ends, and serves no more',
    before: [dns],
    after: [{ ...dns, pods: ['pod1 dead', 'pod2'] }],
    goes: toAll('outside', 'pod1:5353'),
  },
  {
    name: 'an endpoint that is not ready, and says that it serves',
    before: [dns],
    after: [{ ...dns, pods: ['pod1 unready', 'pod2'] }],
    goes: toAll('outside', 'pod1:5353'),
  },
  {
    name: 'an endpoint that is published although it does not serve',
    before: [{ ...dns, pods: ['pod1 published'] }],
    after: [{ ...dns, pods: ['pod2'] }],
    goes: toAll('outside', 'pod1:5353'),
  },
  { name: 'the service is deleted', before: [dns], after: [], goes: toAll('outside', 'pod1:5353') },
  {
    name: 'the service is deleted, seen from a pod that had itself as endpoint',
    before: [dns],
    after: [],
    goes: toAll('pod1', 'pod1:5353'),
  },
  {
    name: 'a pod that has itself as endpoint',
    before: [dns],
    after: [{ ...dns, pods: ['pod1', 'pod2'] }],
    stays: toAll('pod1', 'pod1:5353'),
  },
  {
    name: 'another cluster IP',
    before: [dns],
    after: [{ ...dns, vip: 'vip2' }],
    goes: ['outside:4001 > vip1:53 by pod1:5353'],
    stays: ['outside:4002 > ext:53 by pod1:5353', 'outside:4003 > node:30053 by pod1:5353'],
  },
  {
    name: 'another node port and another port',
    before: [dns],
    after: [{ ...dns, nodePort: 30_054, port: 54 }],
    goes: toAll('outside', 'pod1:5353'),
  },
  {
    name: 'one external address less',
    before: [dns],
    after: [{ ...dns, ext: false }],
    goes: ['outside:4001 > ext:53 by pod1:5353'],
    stays: ['outside:4002 > vip1:53 by pod1:5353', 'outside:4003 > lb:53 by pod1:5353'],
  },
  { name: 'the first endpoint', before: [], after: [dns], goes: untranslated('outside') },
  {
    name: 'the first endpoint, seen at a node port',
    before: [],
    after: [dns],
    goes: ['outside:4001 > node:30053 by node:30053'],
    stays: [
      'outside:4002 > away:30053 by away:30053',
      'outside:4003 > node:30054 by node:30054',
      'outside:4004 > pod2:53 by pod2:53',
    ],
  },
  {
    name: 'an external address that comes late',
    before: [{ ...dns, ext: false, lb: false }],
    after: [dns],
    goes: ['outside:4001 > ext:53 by ext:53', 'outside:4002 > lb:53 by lb:53'],
    stays: ['outside:4003 > vip1:53 by pod1:5353'],
  },
  {
    name: 'another service with the same endpoint',
    before: [dns, { key: 'default/other', vip: 'vip2', pods: ['pod1'] }],
    after: [{ ...dns, pods: ['pod2'] }, { key: 'default/other', vip: 'vip2', pods: ['pod1'] }],
    goes: ['outside:4001 > vip1:53 by pod1:5353'],
    stays: ['outside:4002 > vip2:53 by pod1:5353', 'outside:4003 > pod1:5353 by pod1:5353'],
  },
  {
    name: 'policy Local: a remote endpoint serves pods on, and its flows stay',
    before: [{ ...dns, pods: ['pod1 here'] }],
    after: [{ ...dns, localOnly: true, pods: ['pod1', 'pod2 here'] }],
    stays: toAll('outside', 'pod1:5353'),
  },
  {
    name: 'a protocol that goes while its port stays for another',
    before: [dns],
    after: [{ ...dns, protocol: 'tcp' }],
    goes: toAll('outside', 'pod1:5353'),
  },
  {
    name: 'the older of two that want one address goes, the younger takes over',
    before: [dns, young],
    after: [young],
    goes: toAll('outside', 'pod1:5353'),
  },
]

/** `pod1:5353` as a place. */
function placeOf(family: Family, text: string): Place {
  const [name, port] = text.split(':')
  return { address: addresses[family][name as Name], port: Number(port) }
}

const flowPattern = /^(\S+) > (\S+) by (\S+)$/

describe.each(['ip', 'ip6'] as const)('what contradicts the rules of family %s', (family) => {
  test.each(rows)('$name', ({ before, after, goes = [], stays = [] }) => {
    const flows = createFlows({ family })
    const view = viewOf(family, before)
    flows.take(view, 'all')
    flows.expected.begin(new Set([addresses[family].node]))()
    const moved = [...before, ...after].filter((wish) => !(before.includes(wish) && after.includes(wish)))
    const changed = new Set(moved.map(({ key = 'default/dns' }) => key))
    const woken = flows.take({ ...viewOf(family, after), config: view.config }, changed)
    const done = flows.expected.begin(new Set([addresses[family].node]))
    const contradicts = (text: string): boolean => {
      const [, , to, by] = flowPattern.exec(text) as unknown as [string, string, string, string]
      const service = placeOf(family, to)
      return flows.expected.isVirtual(service.address, service.port) && !flows.expected.isLive(service, placeOf(family, by))
    }
    expect(goes.filter((text) => !contradicts(text))).toEqual([])
    expect(stays.filter(contradicts)).toEqual([])
    if (goes.length > 0) expect(woken).toBe(true)
    done()
  })
})

describe('UDP flows', () => {
  const at = (family: Family, text: string) => placeOf(family, text)
  const vip = at('ip', 'vip1:53')
  const changed = new Set(['default/dns'])

  test('need no look while nothing of UDP changes', () => {
    const flows = createFlows({ family: 'ip' })
    expect(flows.take(viewOf('ip', [{ protocol: 'tcp', pods: ['pod1'] }]), 'all')).toBe(false)
    expect(flows.take(viewOf('ip', [{ protocol: 'tcp', pods: ['pod2'] }]), changed)).toBe(false)
    const view = viewOf('ip', [dns])
    expect(flows.take(view, changed)).toBe(true)
    expect(flows.take(view, 'all')).toBe(false)
    const { config } = view
    expect(flows.take({ ...viewOf('ip', [{ ...dns, pods: ['pod1 leaving'] }]), config }, changed), 'still serving').toBe(false)
    expect(flows.take({ ...viewOf('ip', [{ ...dns, pods: ['pod1', 'pod2'] }]), config }, changed)).toBe(true)
    expect(flows.take({ services: new Map(), config }, changed)).toBe(true)
    expect(flows.take({ services: new Map(), config }, changed)).toBe(false)
  })

  test('are looked at again when the node takes node ports on other addresses', () => {
    const flows = createFlows({ family: 'ip' })
    const [{ node, away }, nodePort] = [addresses.ip, 30_053]
    flows.take(viewOf('ip', [dns], [node]), 'all')
    flows.expected.begin(new Set([node, away]))
    expect([flows.expected.isVirtual(node, nodePort), flows.expected.isVirtual(away, nodePort)]).toEqual([true, false])
    expect(flows.take(viewOf('ip', [dns], [node, away]), new Set())).toBe(true)
    expect(flows.expected.isVirtual(away, nodePort)).toBe(true)
  })

  test('to what is gone are known until a look was completed that began after it went', () => {
    const flows = createFlows({ family: 'ip' })
    const view = viewOf('ip', [dns])
    flows.take(view, 'all')
    const early = flows.expected.begin(new Set())
    flows.take({ ...view, services: new Map() }, changed)
    early()
    expect(flows.expected.isVirtual(vip.address, vip.port)).toBe(true)
    expect(flows.expected.isLive(vip, at('ip', 'pod1:5353'))).toBe(false)
    expect(flows.expected.isLive(vip, vip), 'untranslated').toBe(true)
    flows.expected.begin(new Set())
    expect(flows.expected.isVirtual(vip.address, vip.port), 'a look that failed').toBe(true)
    flows.expected.begin(new Set())()
    expect(flows.expected.isVirtual(vip.address, vip.port)).toBe(false)
  })

  test('to what is back are as to any service', () => {
    const flows = createFlows({ family: 'ip' })
    const view = viewOf('ip', [dns])
    flows.take(view, 'all')
    flows.take({ ...view, services: new Map() }, changed)
    flows.take(view, changed)
    flows.expected.begin(new Set())()
    expect(flows.expected.isLive(vip, at('ip', 'pod1:5353'))).toBe(true)
    expect(flows.expected.isLive(vip, vip)).toBe(false)
  })

  test('are distinguished by whole addresses and ports', () => {
    const flows = createFlows({ family: 'ip' })
    flows.take(viewOf('ip', [dns]), 'all')
    for (const text of ['10.244.0.1 5353', '0.244.0.11 5353', '10.244.0.11 535', '10.244.0.11 53531']) {
      const [address = '', port] = text.split(' ')
      expect(flows.expected.isLive(vip, { address, port: Number(port) })).toBe(false)
    }
  })

  test('to a range that is known to be virtual have nobody to answer where no service is', () => {
    const flows = createFlows({ family: 'ip', virtualRanges: ['10.96.0.0/12'] })
    flows.take(viewOf('ip', [dns]), 'all')
    flows.expected.begin(new Set())
    const old = { address: '10.111.255.254', port: 9 }
    expect(flows.expected.isVirtual(old.address, old.port)).toBe(true)
    expect(flows.expected.isLive(old, at('ip', 'pod1:5353'))).toBe(false)
    expect(flows.expected.isVirtual('10.112.0.1', 9)).toBe(false)
    expect(flows.expected.isLive(vip, at('ip', 'pod1:5353'))).toBe(true)
  })
})

describeAsRoot('real UDP flows through real rules', () => {
  describe.each(['ip', 'ip6'] as const)('of family %s', (family) => realFlows(family))
})

function realFlows(family: Family): void {
  const lab = netnsLab()
  const a = addresses[family]
  const [length, gateway] = family === 'ip' ? [24, '10.244.0.1'] : [64, 'fd00:244::1']
  const closing: (() => void)[] = []
  let hosts: Readonly<Record<'outside' | 'node' | 'pod1', Netns>>

  beforeAll(async () => {
    const [outside, node, pods] = [await lab.create(), await lab.create(), await lab.create()]
    hosts = { outside, node, pod1: pods }
    // Addresses are used before duplicates of them were looked for.
    for (const netns of [outside, node, pods])
      for (const which of ['all', 'default'] as const) await lab.sysctl(netns, `net.ipv6.conf.${which}.accept_dad`, '0')
    await lab.cable({ netns: outside, address: `${a.outside}/${length}` }, { netns: node, address: `${a.node}/${length}` })
    const [inside, outer] = [a.pod1, gateway].map((address) => `${address}/${length}`) as [string, string]
    const [wire] = await lab.cable({ netns: pods, address: inside }, { netns: node, address: outer })
    for (const pod of [a.pod2, a.pod3]) await execIn(pods, 'ip', ['address', 'add', `${pod}/${length}`, 'dev', wire])
    await lab.sysctl(node, family === 'ip' ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding', '1')
    await lab.route(outside, 'default', a.node)
    await lab.route(pods, 'default', gateway)
    // Packets that nothing translates go somewhere.
    await lab.route(node, 'default', a.pod3)
    // A packet whose next hop is not known yet waits, and would make its entry when nobody expects it.
    const hops = [[outside, a.node], [pods, gateway], ...[a.pod1, a.pod2, a.pod3].map((pod) => [node, pod] as const)] as const
    for (const [netns, hop] of hops) await knock(netns, hop)
    for (const [netns, hop] of hops) {
      const isKnown = async () => (await execIn(netns, 'ip', ['neighbour', 'show', hop])).stdout.includes('lladdr')
      await waitFor(`${hop} to be found`, isKnown)
    }
  })
  afterEach(() => closing.splice(0).forEach((close) => close()))

  const knock = async (netns: Netns, address: string): Promise<void> => {
    const socket = createSocket(family === 'ip' ? 'udp4' : 'udp6')
    await inNamespace(netns, async () => {
      socket.bind(0)
      await once(socket, 'listening')
    })
    await new Promise<void>((resolve, reject) => socket.send('?', 9, address, (e) => (e ? reject(e) : resolve())))
    socket.close()
  }
  const send = async (from: string, to: string): Promise<void> => {
    const [host, port] = from.split(':') as [keyof typeof hosts, string]
    const socket = createSocket(family === 'ip' ? 'udp4' : 'udp6')
    closing.push(() => socket.close())
    await inNamespace(hosts[host], async () => {
      socket.bind(Number(port), a[host])
      await once(socket, 'listening')
    })
    const place = placeOf(family, to)
    await new Promise<void>((resolve, reject) => socket.send('?', place.port, place.address, (e) => (e ? reject(e) : resolve())))
    closing.pop()!()
  }
  /** As rows write them. */
  const entries = async (...protocol: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await execIn(hosts.node, 'conntrack', ['-L', '-f', family === 'ip' ? 'ipv4' : 'ipv6', ...protocol])
    const nameOf = (address: string): string => names.find((name) => a[name] === address) ?? address
    return stdout.split('\n').flatMap((line) => {
      const [from, by] = [...line.matchAll(/src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g)]
      return from && by ? [`${nameOf(from[1]!)}:${from[3]} > ${nameOf(from[2]!)}:${from[4]} by ${nameOf(by[1]!)}:${by[3]}`] : []
    })
  }
  const stage = async () => {
    await execIn(hosts.node, 'conntrack', ['-F'])
    const dataplane = await inNamespace(hosts.node, async () => {
      const kernel = createNftKernel({ door: await openLibnftables(), family, log: silentLog })
      await kernel.remove(never)
      return createDataplane(family, nftMode, kernel)
    })
    closing.push(() => dataplane.close())
    const flows = createFlows({ family })
    const localAddresses = (): ReadonlySet<string> => new Set([a.node, gateway])
    const table = await openFlowNetlink(family, { open: () => inNamespace(hosts.node, () => openNetlinkTalk()) })
    const conntrack = createConntrack({ table, log: silentLog, localAddresses })
    return {
      conntrack,
      /** @returns how many entries were deleted */
      async bring(wishes: readonly Wish[]): Promise<number> {
        const view = viewOf(family, wishes)
        await inNamespace(hosts.node, () => dataplane.bring(view, 'all', never))
        flows.take(view, 'all')
        return conntrack.reconcile(flows.expected, never)
      },
    }
  }

  test.each(rows)('$name', async ({ before, after, goes = [], stays = [] }) => {
    const s = await stage()
    expect(await s.bring(before)).toBe(0)
    for (const text of [...goes, ...stays]) {
      const [, from, to] = flowPattern.exec(text) as unknown as [string, string, string]
      await send(from, to)
    }
    expect(await entries('-p', 'udp')).toEqual(expect.arrayContaining([...goes, ...stays]))
    expect(await s.bring(after)).toBe(goes.length)
    const left = await entries('-p', 'udp')
    expect(left.filter((text) => goes.includes(text))).toEqual([])
    expect(left).toEqual(expect.arrayContaining([...stays]))
    expect(s.conntrack.total()).toBe(goes.length)
  })

  test('among a flood of others, other protocols and other zones, none of which is touched', async () => {
    const s = await stage()
    await s.bring([dns])
    const tuple = (protocol: string, more: string): string =>
      `-A -p ${protocol} -s ${a.outside} -d ${a.vip1} --sport 700 --dport 53 ` +
      `-r ${a.pod1} -q ${a.outside} --reply-port-src 5353 --reply-port-dst 700 -t 600 ${more}`
    const flood = Array.from({ length: 2_000 }, (_, n) => {
      const ports = `--sport ${1_000 + n} --dport ${n % 2 === 0 ? 53 : 30_053}`
      return `-A -p udp -s ${a.outside} -d ${a.away} ${ports} -t 600`
    })
    const others = [
      tuple('tcp', '--state ESTABLISHED -u SEEN_REPLY,ASSURED'),
      tuple('sctp', '--state ESTABLISHED --orig-vtag 1 --reply-vtag 2'),
      tuple('udp', '-w 7'),
    ]
    const input = [...others, ...flood, ''].join('\n')
    const folder = mkdtempSync(join(tmpdir(), 'wherry-flows-'))
    closing.push(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'entries'), input)
    await execIn(hosts.node, 'conntrack', ['-R', join(folder, 'entries')])
    await send('outside:4001', 'vip1:53')
    const before = await entries()
    const gone = 'outside:4001 > vip1:53 by pod1:5353'
    expect(before.length).toBeGreaterThanOrEqual(2_004)
    expect(before).toContain(gone)
    expect(await s.bring([])).toBe(1)
    expect((await entries()).toSorted()).toEqual(before.filter((text) => text !== gone).toSorted())
  })
}
