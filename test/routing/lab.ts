/**
 * The lab of the kernel stages: a switch, two nodes, a host outside, and pods behind routed veth pairs, in both families. What
 * the rules do not decide is out of the way: no reverse path filter, no limit on ICMP answers, a default route on node1 that
 * leads to a host that swallows what is not for it. Many addresses lead to that host, for many clients.
 */
import { netnsLab, type Netns } from '../kit/netns.ts'
import { gatewayNumber, hostNumbers, plans, podNumbers } from './addresses.ts'
import { createHands, type Hands } from './hands.ts'
import type { Backend, Place } from './stage.ts'

export interface Lab {
  readonly node: Netns
  /** Of a place: where its hand is. */
  readonly at: (place: Place) => Netns
  readonly hands: Hands
  /** How long to wait for what must not come: many times what an answer takes. */
  readonly patienceMs: number
}

const names = ['switch', 'node1', 'node2', 'outside', ...(Object.keys(podNumbers) as (keyof typeof podNumbers)[])] as const
type Name = (typeof names)[number]
const families = ['ip', 'ip6'] as const
const whole = { ip: 32, ip6: 128 } as const
const homeOf = (pod: keyof typeof podNumbers): 1 | 2 => (pod === 'b3' || pod === 'b4' || pod === 'remote-pod' ? 2 : 1)
const talkative: Readonly<Partial<Record<Name, Backend>>> = { b1: 'b1', b2: 'b2', b3: 'b3', b4: 'b4', node1: 'host', outside: 'stranger' }

/** To be called in a `describe` body, and built in its `beforeAll`. */
export function routingLab(): { build(): Promise<Lab>; close(): void } {
  const lab = netnsLab()
  const hands = createHands()
  return {
    async build() {
      const spaces = new Map(await Promise.all(names.map(async (name) => [name, await lab.create()] as const)))
      const of = (name: Name): Netns => spaces.get(name)!
      // One process for each namespace: in an emulated machine processes are slow.
      const batch = (name: Name, lines: readonly string[]): Promise<unknown> =>
        of(name).exec.run({ command: 'ip', args: ['-batch', '-'], input: `${lines.join('\n')}\n`, timeoutMs: 30_000 }, AbortSignal.timeout(30_000))
      await batch('switch', ['link add br0 type bridge', 'link set br0 up'])
      for (const name of names) if (name !== 'switch' && name in hostNumbers) await batch(name, cables(of, name as keyof typeof hostNumbers))
      await batch('switch', Object.keys(hostNumbers).map((name) => `link set p-${name} master br0 up`))
      for (const name of ['node1', 'node2', 'outside'] as const) await sysctls(of(name), name === 'outside' ? 0 : 1)
      for (const node of ['node1', 'node2', 'outside'] as const) await batch(node, routes(node))
      for (const pod of Object.keys(podNumbers) as (keyof typeof podNumbers)[]) await batch(pod, podSide(pod))
      for (const [name, backend] of Object.entries(talkative)) await hands.answer(of(name as Name), backend, [8080, 9090])
      const at = (place: Place): Netns => of(place === 'node' ? 'node1' : place)
      return { node: of('node1'), at, hands, patienceMs: await measure(hands, at) }
    },
    close: () => hands.close(),
  }
}

/** A host's link to the switch; of a node, those to its pods too. */
function cables(of: (name: Name) => Netns, name: keyof typeof hostNumbers): readonly string[] {
  const lines = [`link add eth0 type veth peer name p-${name} netns ${of('switch').name}`]
  for (const family of families) lines.push(`address add ${plans[family].host(hostNumbers[name])}/${family === 'ip' ? 24 : '64 nodad'} dev eth0`)
  lines.push('link set eth0 up')
  for (const pod of Object.keys(podNumbers) as (keyof typeof podNumbers)[]) {
    const home = homeOf(pod)
    if (name !== `node${home}`) continue
    lines.push(`link add veth-${pod} type veth peer name eth0 netns ${of(pod).name}`, `link set veth-${pod} up`)
    for (const family of families) {
      const [address, gateway] = [plans[family].pod(home, podNumbers[pod]), plans[family].pod(home, gatewayNumber)]
      lines.push(`address add ${gateway}/${whole[family]} dev veth-${pod}${family === 'ip6' ? ' nodad' : ''}`)
      lines.push(`route add ${address}/${whole[family]} dev veth-${pod}${family === 'ip' ? ` src ${gateway}` : ''}`)
    }
  }
  return lines
}

function podSide(pod: keyof typeof podNumbers): readonly string[] {
  return [
    'link set eth0 up',
    ...families.flatMap((family) => {
      const [address, gateway] = [plans[family].pod(homeOf(pod), podNumbers[pod]), plans[family].pod(homeOf(pod), gatewayNumber)]
      return [
        `address add ${address}/${whole[family]} dev eth0${family === 'ip6' ? ' nodad' : ''}`,
        `route add ${gateway} dev eth0${family === 'ip' ? ' scope link' : ''}`,
        `route add default via ${gateway}`,
      ]
    }),
  ]
}

function routes(name: keyof typeof hostNumbers): readonly string[] {
  return families.flatMap((family) => {
    const { host, podsOf, ranges } = plans[family]
    const via = (other: keyof typeof hostNumbers): string => host(hostNumbers[other])
    const add = `route add`
    if (name === 'node1') return [`${add} ${podsOf(2)} via ${via('node2')}`, `${add} default via ${via('outside')} src ${via('node1')}`]
    if (name === 'node2') return [`${add} ${podsOf(1)} via ${via('node1')}`, `${add} default via ${via('node1')}`]
    return [`${add} default via ${via('node1')}`, `${add} local ${ranges.clients} dev lo`]
  })
}

/** @param forwards the host outside swallows what is not for it */
function sysctls(netns: Netns, forwards: 0 | 1): Promise<unknown> {
  const settings = [
    `ip_forward=${forwards}`, 'conf.all.rp_filter=0', 'conf.default.rp_filter=0', 'conf.eth0.rp_filter=0', 'icmp_ratelimit=0', 'ip_nonlocal_bind=1',
    ...['all', 'default', 'eth0'].map((name) => `conf.${name}.send_redirects=0`),
    'conf.all.route_localnet=1',
  ].map((text) => `net.ipv4.${text}`)
  const settings6 = [`conf.all.forwarding=${forwards}`, 'icmp.ratelimit=0', 'ip_nonlocal_bind=1'].map((text) => `net.ipv6.${text}`)
  return netns.exec.run({ command: 'sysctl', args: ['-qw', ...settings, ...settings6] }, AbortSignal.timeout(10_000))
}

/**
 * Many times what an answer takes by and large: an emulated machine may stop for a moment, and that moment would be waited for
 * wherever silence is expected. All namespaces' neighbours are known to each other afterwards.
 */
async function measure(hands: Hands, at: (place: Place) => Netns): Promise<number> {
  const times: number[] = []
  for (const family of families) {
    for (const from of ['pod', 'outside', 'remote-pod', 'node'] as const) {
      for (const [home, number] of [[1, podNumbers.b1], [1, podNumbers.b2], [2, podNumbers.b3], [2, podNumbers.b4]] as const) {
        const to = plans[family].pod(home, number)
        const ask = (): Promise<readonly string[]> => hands.ask(at(from), { protocol: 'tcp', to, port: 8080, sources: [undefined], patienceMs: 20_000 })
        const [first] = await ask()
        if (first === 'silent' || first === 'refused') throw new Error(`the lab does not work: ${from} asks ${to} directly and is ${first}`)
        const started = performance.now()
        await ask()
        times.push(performance.now() - started)
      }
    }
  }
  return Math.max(250, 50 * times.toSorted((a, b) => a - b)[times.length / 2]!)
}
