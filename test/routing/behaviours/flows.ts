/** Open connections and flows: section 11 of the catalogue, and the gaps about them in section 17. All of it takes a kernel. */
import { service, udpSlice, type EndpointText, type ServiceParts } from '../objects.ts'
import { onKernel, type Behaviour, type KernelStage } from '../stage.ts'
import { setEndpoints, web } from './fronts.ts'

interface Dns {
  readonly vip: string
  readonly external: string
  readonly balancer: string
  readonly nodePort: number
}

/** Packets to a destination belong to one flow for as long as connection tracking says so. */
const flow = { protocol: 'udp', again: true, from: 'outside' } as const

const fresh = (s: KernelStage): Dns => ({ vip: s.at.vip(), external: s.at.externalIP(), balancer: s.at.loadBalancerIP(), nodePort: s.at.nodePort() })

function dnsService({ vip, external, balancer, nodePort }: Dns, spec: ServiceParts['spec'] = {}): object {
  return service('dns', vip, { ports: [{ port: 53, protocol: 'UDP', nodePort }], ingress: [{ ip: balancer }], spec: { type: 'LoadBalancer', externalIPs: [external], ...spec } })
}

async function dns(s: KernelStage, ...endpoints: readonly EndpointText[]): Promise<Dns> {
  const fronts = fresh(s)
  await s.apply(dnsService(fronts), udpSlice(s.at, 'dns', endpoints))
  return fronts
}

/** So many flows choose the same one of four endpoints anew once in some ten thousand times. */
const crowd = (s: KernelStage): readonly string[] => Array.from({ length: 7 }, () => s.at.externalIP())

const four = ['b1', 'b2', 'b3', 'b4'] as const

/** On every front. */
async function flows(s: KernelStage, fronts: Dns, expected: Parameters<KernelStage['expect']>[1]): Promise<void> {
  await Promise.all([
    s.expect({ ...flow, to: [fronts.vip, fronts.external, fronts.balancer], port: 53 }, expected),
    s.expect({ ...flow, to: s.at.places.node, port: fronts.nodePort }, expected),
  ])
}

export const flowBehaviours: readonly Behaviour[] = [
  onKernel('C1 C11', 'a TCP connection stays with an endpoint that is gone; new ones go elsewhere', async (s) => {
    const { vip, balancer } = await web(s, ['b1'])
    const connections = await Promise.all([s.open({ from: 'pod', to: vip, port: 80 }), s.open({ from: 'outside', to: balancer, port: 80 })])
    await setEndpoints(s, 'b3')
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b3'] })
    s.same(await Promise.all(connections.map((connection) => connection.ask())), ['b1', 'b1'])
  }),
  onKernel('C2 C6 C11', 'a UDP flow leaves an endpoint that is gone, on every front', async (s) => {
    const fronts = await dns(s, 'b1')
    await flows(s, fronts, { answer: ['b1'] })
    await s.apply(udpSlice(s.at, 'dns', ['b2']))
    await flows(s, fronts, { answer: ['b2'] })
    await s.remove(['EndpointSlice dns-1'])
    await flows(s, fronts, 'refused')
  }),
  onKernel('C2', 'an endpoint with another port is another endpoint', async (s) => {
    const fronts = await dns(s, 'b1')
    await flows(s, fronts, { answer: ['b1'], port: 8080 })
    await s.apply(udpSlice(s.at, 'dns', ['b1'], { ports: [{ port: 9090, protocol: 'UDP' }] }))
    await flows(s, fronts, { answer: ['b1'], port: 9090 })
  }),
  onKernel('C2', 'one that is not ready any more and does not end is gone, whatever it says of serving', async (s) => {
    const fronts = await dns(s, 'b1', 'b3 unready')
    for (const words of ['unready-serving', 'unready'] as const) {
      await flows(s, fronts, { answer: ['b1'] })
      await s.apply(udpSlice(s.at, 'dns', [`b1 ${words}`, 'b3']))
      await flows(s, fronts, { answer: ['b3'] })
      await s.apply(udpSlice(s.at, 'dns', ['b1']))
    }
  }),
  onKernel('C3', 'a flow stays with an endpoint that ends but serves; new flows go elsewhere', async (s) => {
    const fronts = await dns(s, 'b1')
    await flows(s, fronts, { answer: ['b1'] })
    await s.apply(udpSlice(s.at, 'dns', ['b1 terminating', 'b2']))
    await flows(s, fronts, { answer: ['b1'] })
    await s.expect({ protocol: 'udp', from: 'outside', to: fronts.vip, port: 53 }, { answer: ['b2'] })
    await s.apply(udpSlice(s.at, 'dns', ['b1 deaf', 'b2']))
    await flows(s, fronts, { answer: ['b2'] })
  }, { except: { ipvs: 'a UDP endpoint that is not chosen any more is taken out at once, and its flows with it' } }),
  onKernel('C4', 'a flow that went its own way, or was refused, is served with the first endpoint', async (s) => {
    const fronts = fresh(s)
    await s.expect({ ...flow, to: [fronts.external, fronts.balancer], port: 53 }, 'untouched')
    await s.apply(dnsService(fronts))
    await flows(s, fronts, 'refused')
    await s.apply(udpSlice(s.at, 'dns', ['b1']))
    await flows(s, fronts, { answer: ['b1'] })
  }),
  onKernel('C4', 'an external address that comes later finds no flow in its way', async (s) => {
    const fronts = await dns(s, 'b1')
    const [external, balancer] = [s.at.externalIP(), s.at.loadBalancerIP()]
    await s.expect({ ...flow, to: [external, balancer], port: 53 }, 'untouched')
    await s.apply(dnsService({ ...fronts, external, balancer }))
    await s.expect({ ...flow, to: [external, balancer], port: 53 }, { answer: ['b1'] })
  }),
  onKernel('C5', 'when a service is deleted its flows end, on every front, those of its endpoints, too', async (s) => {
    const fronts = await dns(s, 'b1')
    await flows(s, fronts, { answer: ['b1'] })
    await s.remove(['Service dns', 'EndpointSlice dns-1'])
    await s.expect({ ...flow, to: [fronts.vip, fronts.external, fronts.balancer], port: 53 }, 'untouched')
    await s.expect({ ...flow, to: s.at.places.node, port: fronts.nodePort }, 'untouched')
  }),
  onKernel('C5', 'also when another one of the same name takes its place at once', async (s) => {
    const before = await dns(s, 'b1')
    await flows(s, before, { answer: ['b1'] })
    const after = { ...before, vip: s.at.vip() }
    await s.remove(['Service dns'], dnsService(after))
    await s.expect({ ...flow, to: before.vip, port: 53 }, 'untouched')
    await s.expect({ ...flow, to: after.vip, port: 53 }, { answer: ['b1'] })
  }),
  onKernel('C7 R2', 'a start moves no flow that is right, and ends those that are not', async (s) => {
    const [vip, other, many] = [s.at.vip(), s.at.vip(), crowd(s)]
    await s.apply(dnsService({ ...fresh(s), vip }, { externalIPs: many }), udpSlice(s.at, 'dns', ['b1']))
    const api = (...endpoints: readonly EndpointText[]): object => udpSlice(s.at, 'api', endpoints)
    await s.apply(service('api', other, { ports: [{ port: 53, protocol: 'UDP' }] }), api('b1'))
    await s.expect({ ...flow, to: [vip, ...many, other], port: 53 }, { answer: ['b1'] })
    await s.apply(udpSlice(s.at, 'dns', four))
    await s.crash()
    await s.apply(api('b2'))
    await s.start()
    await s.expect({ ...flow, to: [vip, ...many], port: 53 }, { answer: ['b1'] })
    await s.expect({ ...flow, to: other, port: 53 }, { answer: ['b2'] })
  }),
  onKernel('C8', 'nothing else is touched: another service of the same endpoint keeps its flow, and so do other endpoints', async (s) => {
    const fronts = await dns(s, 'b1')
    const [vip, many] = [s.at.vip(), crowd(s)]
    const twins = { ...flow, to: [vip, ...many], port: 53 }
    await s.apply(service('twin', vip, { ports: [{ port: 53, protocol: 'UDP' }], spec: { externalIPs: many } }), udpSlice(s.at, 'twin', ['b1']))
    await s.expect(twins, { answer: ['b1'] })
    await flows(s, fronts, { answer: ['b1'] })
    await s.apply(udpSlice(s.at, 'twin', four))
    await s.apply(udpSlice(s.at, 'dns', ['b2']))
    await flows(s, fronts, { answer: ['b2'] })
    await s.expect(twins, { answer: ['b1'] })
  }),
  onKernel('C9', 'packets that connection tracking calls invalid go no further, unless it is told to be liberal', async (s) => {
    const loose = 'net.netfilter.nf_conntrack_tcp_loose'
    await s.host(['sysctl', '-qw', `${loose}=0`], ['sysctl', '-qw', `${loose}=1`])
    const forget = ['conntrack', '-D', '-p', 'tcp', '-f', s.family === 'ip' ? 'ipv4' : 'ipv6', '--orig-dst', s.at.backends.b1]
    const strict = await s.open({ from: 'outside', to: s.at.backends.b1, port: 8080 })
    await s.host(forget)
    s.same(await strict.ask(), 'silent')
    await s.configure({ dropInvalid: false })
    const liberal = await s.open({ from: 'outside', to: s.at.backends.b1, port: 8080 })
    await s.host(forget)
    s.same(await liberal.ask(), 'b1')
  }),
]
