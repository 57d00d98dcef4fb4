/** The IPVS mode on a kernel that has IPVS: its tools' laws, the texts that they print, and what packets meet. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFakeIpvsMachine } from '../../agent/kernel/fake/ipvs.ts'
import { bring, ipvsLaws, runLaw } from '../conformance/ipvs.ts'
import { openIpvsKernel } from '../../agent/kernel/ipvs/ipvs.ts'
import type { Kernel } from '../../agent/kernel/kernel.ts'
import { removeRules } from '../../agent/modes.ts'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { countersOf, listingOf, printedIn, type Listing, type Transaction } from '../../rules/ipvs/index.ts'
import type { EndpointView, Family, ServiceView } from '../../rules/model.ts'
import { execIn, inNamespace, netnsLab, type Netns } from '../kit/netns.ts'
import { endpointView, nodeConfigOf, nodeView, portView, serviceView } from '../kit/views.ts'
import { answer } from './answer.ts'

const lab = netnsLab()
const signal = AbortSignal.timeout(580_000)
let node: Netns, local: Netns, remote: Netns, client: Netns, outsider: Netns
let kernel: Kernel<Listing, Transaction>
const servers: (Server | UdpSocket)[] = []

const open = (family: Family): Promise<Kernel<Listing, Transaction>> =>
  inNamespace(node, () => openIpvsKernel({ family, exec: node.exec, log: silentLog, clock: systemClock, strictARP: true }, signal))

/** Says who it is and whom it sees; with a port, what it hears, too. */
async function serve(netns: Netns, name: string, port: number): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    if (port === 8081) socket.pipe(socket)
    else socket.end(`${name} sees ${socket.remoteAddress?.replace('::ffff:', '')}`)
  })
  await inNamespace(netns, () => once(server.listen(port, '::'), 'listening'))
  servers.push(server)
}

async function serveUdp(netns: Netns, name: string): Promise<void> {
  const server = createSocket('udp4')
  server.on('message', (_, { address, port }) => server.send(`${name} sees ${address}`, port, address))
  await inNamespace(netns, async () => {
    server.bind(5353, '0.0.0.0')
    await once(server, 'listening')
  })
  servers.push(server)
}

/** What comes back for one datagram from a socket of its own, or the error that does. */
async function askUdp(from: Netns, address: string): Promise<string> {
  const socket = createSocket('udp4')
  try {
    await inNamespace(from, async () => {
      socket.connect(53, address)
      await once(socket, 'connect')
    })
    socket.send('who')
    const [said] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer]
    return said.toString()
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    socket.close()
  }
}

beforeAll(async () => {
  ;[node, local, remote, client, outsider] = await Promise.all([1, 2, 3, 4, 5].map(() => lab.create())) as [Netns, Netns, Netns, Netns, Netns]
  for (const [netns, mine, peer] of [
    [local, '10.244.0.1', '10.244.0.2'], [remote, '10.244.1.1', '10.244.1.2'], [client, '10.244.2.1', '10.244.2.2'], [outsider, '192.0.2.1', '192.0.2.9'],
  ] as const) {
    await lab.cable({ netns: node, address: `${mine}/24` }, { netns, address: `${peer}/24` })
    await lab.route(netns, 'default', mine)
  }
  for (const [netns, name] of [[local, 'local'], [remote, 'remote']] as const) {
    await serve(netns, name, 8080)
    await serve(netns, name, 8081)
    await serveUdp(netns, name)
  }
  // What nobody must reach by a virtual address.
  await serve(node, 'the node itself', 81)
  await serve(node, 'the host network', 8090)
  kernel = await open('ip')
})
afterAll(() => servers.forEach((server) => server.close()))

describe('the laws of the tools', () => {
  test.each(ipvsLaws.map((law) => [law.name, law] as const))('%s', async (_, law) => {
    const fake = await openIpvsKernel(
      { family: 'ip', exec: createFakeIpvsMachine('ip').exec, log: silentLog, clock: systemClock, strictARP: true },
      signal,
    )
    const real = await runLaw(kernel, law, signal)
    expect(real).toEqual({ ...(law.code !== undefined && { code: law.code }), left: law.left })
    expect(real).toEqual(await runLaw(fake, law, signal))
  })
})

const here = endpointView('10.244.0.2', { node: 'here' })
const there = endpointView('10.244.1.2')
const config = nodeConfigOf({ nodePortAddresses: ['192.0.2.0/24'] })
const service = (n: number, endpoints: readonly EndpointView[], part: Partial<ServiceView> = {}): ServiceView =>
  serviceView({ key: `default/s${n}`, clusterIPs: [`10.96.0.${n}`], ports: [portView({ endpoints })], ...part })

const view = nodeView(
  [
    service(1, [here, there]),
    service(2, []),
    service(3, [there], { internalPolicy: 'Local' }),
    service(4, [here, there], { affinitySeconds: 600 }),
    service(5, [here, there], { externalPolicy: 'Local', loadBalancerIPs: ['203.0.113.5'], affinitySeconds: 600, ports: [portView({ nodePort: 30_005, endpoints: [here, there] })] }),
    service(6, [there], { externalPolicy: 'Local', loadBalancerIPs: ['203.0.113.6'] }),
    service(7, [here, there], { externalIPs: ['198.18.0.7'], ports: [portView({ nodePort: 30_007, endpoints: [here, there] })] }),
    service(8, [here, there], { loadBalancerIPs: ['203.0.113.8'], sourceRanges: ['192.0.2.128/25'] }),
    service(9, [{ ...here, port: 8081 }]),
    service(10, [here]),
    service(11, [{ ...here, address: '192.0.2.1', port: 8090 }], {
      externalPolicy: 'Local',
      ports: [portView({ nodePort: 30_011, endpoints: [{ ...here, address: '192.0.2.1', port: 8090 }] })],
    }),
    service(12, [], { ports: [portView({ name: 'dns', protocol: 'udp', port: 53, endpoints: [here, there].map((e) => ({ ...e, port: 5353 })) })] }),
    service(13, [], { ports: [portView({ name: 'dns', protocol: 'udp', port: 53 })] }),
  ],
  config,
)

/** Who answered, asked a few times. */
async function ask(from: Netns, address: string, port = 80, times = 4): Promise<readonly string[]> {
  const answers = new Set<string>()
  for (let n = 0; n < times; n++) answers.add(await answer(from, address, port))
  return [...answers].sort()
}

/** What became of a connection that did not come about: a code, or silence for three seconds. */
async function failure(from: Netns, host: string, port = 80): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const socket: Socket = await inNamespace(from, async () => {
    const made = connect({ host, port, timeout: 3_000 })
    made.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message)).on('timeout', () => resolve('silence')).on('connect', () => resolve('connected'))
    await new Promise(setImmediate)
    return made
  })
  const end = await promise
  socket.destroy()
  return end
}

describe('a node', () => {
  beforeAll(async () => void (await bring(kernel, 'ip', view, signal)))

  test('after it was programmed there is nothing to do: what is printed is what was meant', async () => {
    expect(await bring(kernel, 'ip', view, signal)).toBeUndefined()
  })

  test('a pod reaches a cluster IP with its own address', async () => {
    expect(await ask(client, '10.96.0.1')).toEqual(['local sees 10.244.2.2', 'remote sees 10.244.2.2'])
  })

  test('the node reaches a cluster IP with an address of its own that others can answer', async () => {
    expect(await ask(node, '10.96.0.1')).toEqual(['local sees 10.244.0.1', 'remote sees 10.244.1.1'])
  })

  test('a stranger reaches a cluster IP, and is hidden', async () => {
    expect(await ask(outsider, '10.96.0.1')).toEqual(['local sees 10.244.0.1', 'remote sees 10.244.1.1'])
  })

  test('an endpoint that is sent to itself', async () => {
    expect(await ask(local, '10.96.0.10')).toEqual(['local sees 10.244.0.1'])
  })

  test('no endpoints: refused, to pods, the node and strangers', async () => {
    expect(await Promise.all([client, node, outsider].map((from) => failure(from, '10.96.0.2')))).toEqual(['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED'])
  })

  test('a port that no service has: refused, although the node listens there', async () => {
    expect(await Promise.all([client, node].map((from) => failure(from, '10.96.0.1', 81)))).toEqual(['ECONNREFUSED', 'ECONNREFUSED'])
    expect(await ask(client, '192.0.2.1', 81, 1)).toEqual(['the node itself sees 10.244.2.2'])
  })

  test('internal policy Local without a local endpoint: silence', async () => {
    expect(await Promise.all([client, node].map((from) => failure(from, '10.96.0.3')))).toEqual(['silence', 'silence'])
  })

  test('an endpoint in the host network of this node', async () => {
    expect(await ask(client, '10.96.0.11', 80, 1)).toEqual(['the host network sees 10.244.2.2'])
    expect(await ask(outsider, '192.0.2.1', 30_011, 1)).toEqual(['the host network sees 192.0.2.9'])
    expect((await ask(node, '10.96.0.11', 80, 1))[0]).toMatch(/^the host network sees /)
  })

  test('UDP: answers come from the virtual address; without endpoints it is refused', async () => {
    const said = new Set<string>()
    for (let n = 0; n < 4; n++) said.add(await askUdp(client, '10.96.0.12'))
    expect([...said].sort()).toEqual(['local sees 10.244.2.2', 'remote sees 10.244.2.2'])
    expect(await askUdp(node, '10.96.0.12')).toMatch(/^(local sees 10.244.0.1|remote sees 10.244.1.1)$/)
    expect(await askUdp(client, '10.96.0.13')).toBe('ECONNREFUSED')
    expect(await askUdp(node, '10.96.0.13')).toBe('ECONNREFUSED')
  })

  test('affinity', async () => {
    expect(await ask(client, '10.96.0.4')).toHaveLength(1)
  })

  test('external policy Local: outsiders stay here and keep their address, by load balancer IP and by NodePort', async () => {
    expect(await ask(outsider, '203.0.113.5')).toEqual(['local sees 192.0.2.9'])
    expect(await ask(outsider, '192.0.2.1', 30_005)).toEqual(['local sees 192.0.2.9'])
  })

  test('external policy Local: a pod keeps its address, and like the node it is served by endpoints elsewhere', async () => {
    expect(await ask(client, '203.0.113.6')).toEqual(['remote sees 10.244.2.2'])
    expect(await ask(node, '203.0.113.6')).toEqual(['remote sees 10.244.1.1'])
    expect(await failure(outsider, '203.0.113.6')).toBe('silence')
  })

  test('external policy Cluster: everybody is hidden, by external IP and by NodePort', async () => {
    for (const [address, port] of [['198.18.0.7', 80], ['192.0.2.1', 30_007]] as const)
      expect(await ask(outsider, address, port)).toEqual(['local sees 10.244.0.1', 'remote sees 10.244.1.1'])
    expect(await ask(client, '198.18.0.7')).toEqual(['local sees 10.244.0.1', 'remote sees 10.244.1.1'])
    expect(await failure(outsider, '192.0.2.1', 30_008)).toBe('ECONNREFUSED')
  })

  test('source ranges: silence outside, an answer once they are wider', async () => {
    expect(await failure(outsider, '203.0.113.8')).toBe('silence')
    const wider = nodeView([...view.services.values()].map((s) => (s.key === 'default/s8' ? { ...s, sourceRanges: ['192.0.2.0/24'] } : s)), config)
    await bring(kernel, 'ip', wider, signal)
    expect(await ask(outsider, '203.0.113.8')).toHaveLength(2)
  })

  test('an open connection outlives its endpoint’s place in the service; new ones go elsewhere', async () => {
    const socket = await inNamespace(client, async () => {
      const made = connect({ host: '10.96.0.9', port: 80 })
      await once(made, 'connect')
      return made
    })
    const moved = nodeView([...view.services.values()].map((s) => (s.key === 'default/s9' ? service(9, [there]) : s)), config)
    await bring(kernel, 'ip', moved, signal)
    expect(await ask(client, '10.96.0.9')).toEqual(['remote sees 10.244.2.2'])
    socket.write('still there')
    const [heard] = (await once(socket, 'data')) as [Buffer]
    expect(heard.toString()).toBe('still there')
    expect((await kernel.read(signal))!.servers.get('tcp 10.96.0.9:80')!.reals.get('10.244.0.2:8081')).toMatchObject({ weight: 0, connections: 1 })
    socket.destroy()
  })

  test('connections are counted by service and endpoint', async () => {
    const counts = countersOf(await kernel.print(signal))
    expect(counts.find(({ front, endpoint }) => front === '10.96.0.1 tcp 80' && endpoint === '10.244.1.2:8080')).toMatchObject({ service: 'default/s1:http' })
    expect(counts.filter(({ front }) => front.startsWith('mark ')).reduce((sum, { connections }) => sum + connections, 0)).toBeGreaterThanOrEqual(8)
  })

  test('what is printed for people holds all that the kernel has', async () => {
    expect(printedIn(await kernel.print(signal)).map(listingOf)).toEqual([await kernel.read(signal)])
  })

  test('IPv6 beside it, and each family is taken away alone', async () => {
    await execIn(node, 'ip', ['address', 'add', 'fd01::1/64', 'dev', 'veth0', 'nodad'])
    await execIn(local, 'ip', ['address', 'add', 'fd01::2/64', 'dev', 'veth1', 'nodad'])
    await execIn(local, 'ip', ['-6', 'route', 'add', 'default', 'via', 'fd01::1'])
    const six = await open('ip6')
    const view6 = nodeView(
      [serviceView({ clusterIPs: ['fd00::1'], loadBalancerIPs: ['2001:db8::5'], externalPolicy: 'Local', affinitySeconds: 60, ports: [portView({ endpoints: [endpointView('fd01::2', { node: 'here' })] })] })],
      nodeConfigOf({ pods: { kind: 'cidrs', cidrs: ['fd01::/16'] }, nodePortAddresses: ['::/0'] }),
    )
    await bring(six, 'ip6', view6, signal)
    expect(await bring(six, 'ip6', view6, signal)).toBeUndefined()
    expect(await ask(node, 'fd00::1', 80, 1)).toEqual(['local sees fd01::1'])
    expect(await ask(local, 'fd00::1', 80, 1)).toEqual(['local sees fd01::1'])
    expect(await failure(node, 'fd00::1', 81)).toBe('ECONNREFUSED')
    await execIn(node, 'ipvsadm', ['-A', '-t', '192.0.2.1:443', '-s', 'wlc'])
    await six.remove(signal)
    expect(await ask(client, '10.96.0.1')).toHaveLength(2)
    await kernel.remove(signal)
    expect((await execIn(node, 'ipvsadm', ['-Sn'])).stdout).toBe('-A -t 192.0.2.1:443 -s wlc\n')
    expect((await execIn(node, 'nft', ['list', 'tables'])).stdout).toBe('')
    expect((await execIn(node, 'ip', ['-o', 'link'])).stdout).not.toContain('wherry-ipvs0')
  })

  test('the rest is found and taken away where somebody deleted the device', async () => {
    await bring(kernel, 'ip', view, signal)
    await execIn(node, 'ip', ['link', 'delete', 'wherry-ipvs0'])
    expect((await execIn(node, 'ipvsadm', ['-Sn'])).stdout).toContain('-A -t 10.96.0.1:80')
    await inNamespace(node, () => removeRules({ exec: node.exec, log: silentLog, clock: systemClock }, signal))
    expect((await execIn(node, 'ipvsadm', ['-Sn'])).stdout).toBe('-A -t 192.0.2.1:443 -s wlc\n')
    expect((await execIn(node, 'nft', ['list', 'tables'])).stdout).not.toContain('wherry')
  })
})
