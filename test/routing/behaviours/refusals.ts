/** Who is refused, who is dropped, who may not enter: section 6 of the catalogue, and the source ranges of section 8. */
import { service, slice } from '../objects.ts'
import { behaviour, onKernel, type Behaviour } from '../stage.ts'
import { all, everyone, externals, setEndpoints, web, webService } from './fronts.ts'

const local = { externalTrafficPolicy: 'Local' }

export const refusalBehaviours: readonly Behaviour[] = [
  behaviour('N1', 'without endpoints everyone is refused, on every front', async (s) => {
    const fronts = await web(s, [])
    await s.expect({ from: everyone, to: [fronts.vip, ...externals(fronts)], port: 80 }, 'refused')
    await s.expect({ from: everyone, to: s.at.places.node, port: fronts.nodePort }, 'refused')
    await s.apply(webService(fronts, { sessionAffinity: 'ClientIP' }))
    await s.expect({ from: everyone, to: [fronts.vip, ...externals(fronts)], port: 80 }, 'refused')
  }),
  behaviour('N1', 'so it is with UDP', async (s) => {
    const [to, external, nodePort] = [s.at.vip(), s.at.externalIP(), s.at.nodePort()]
    await s.apply(service('dns', to, { ports: [{ port: 53, protocol: 'UDP', nodePort }], spec: { type: 'NodePort', externalIPs: [external] } }))
    await s.expect({ from: ['pod', 'outside'], protocol: 'udp', to: [to, external], port: 53 }, 'refused')
    await s.expect({ from: ['pod', 'outside'], protocol: 'udp', to: s.at.places.node, port: nodePort }, 'refused')
  }),
  behaviour('N2', 'internal policy Local and none here: the cluster IP drops everyone, the others do not care', async (s) => {
    const fronts = await web(s, ['b3'], { internalTrafficPolicy: 'Local' })
    await s.expect({ from: everyone, to: fronts.vip, port: 80 }, 'dropped')
    await s.expect({ from: everyone, to: externals(fronts), port: 80 }, { answer: ['b3'] })
  }),
  behaviour('N3', 'external policy Local and none here: outsiders are dropped, all others are served', async (s) => {
    const fronts = await web(s, ['b3', 'b4'], local)
    await s.expect({ from: 'outside', to: externals(fronts), port: 80 }, 'dropped')
    await s.expect({ from: 'outside', to: s.at.places.node, port: fronts.nodePort }, 'dropped')
    await s.expect({ from: 'pod', to: externals(fronts), port: 80 }, { answer: ['b3', 'b4'], source: 'kept' })
    await s.expect({ from: 'node', to: externals(fronts), port: 80 }, { answer: ['b3', 'b4'] })
    await s.expect({ from: everyone, to: fronts.vip, port: 80 }, { answer: ['b3', 'b4'] })
  }),
  behaviour('N4', 'none anywhere: refused, whatever the policy', async (s) => {
    const fronts = await web(s, [], { ...local, internalTrafficPolicy: 'Local' })
    await s.expect({ from: everyone, to: [fronts.vip, ...externals(fronts)], port: 80 }, 'refused')
  }),
  behaviour('N5', 'dropped becomes refused when the last one goes, and back', async (s) => {
    const fronts = await web(s, ['b3'], { ...local, internalTrafficPolicy: 'Local' })
    const to = [fronts.vip, ...externals(fronts)]
    for (const far of ['b3', 'b4'] as const) {
      await setEndpoints(s, far)
      await s.expect({ from: 'outside', to, port: 80 }, 'dropped')
      await setEndpoints(s)
      await s.expect({ from: 'outside', to, port: 80 }, 'refused')
    }
    await setEndpoints(s, 'b1')
    await s.expect({ from: 'outside', to, port: 80 }, { answer: ['b1'] })
  }),
  onKernel('N6', 'an open connection is not cut when its service is left without endpoints, nor by a policy', async (s) => {
    const fronts = await web(s, ['b3'])
    const connections = await Promise.all([fronts.vip, fronts.balancer].map((to) => s.open({ from: 'outside', to, port: 80 })))
    const answers = () => Promise.all(connections.map((connection) => connection.ask()))
    await s.apply(webService(fronts, { ...local, internalTrafficPolicy: 'Local' }))
    await s.expect({ from: 'outside', to: fronts.balancer, port: 80 }, 'dropped')
    s.same(await answers(), ['b3', 'b3'])
    await setEndpoints(s)
    await s.expect({ from: 'outside', to: fronts.balancer, port: 80 }, 'refused')
    s.same(await answers(), ['b3', 'b3'])
  }),
  behaviour('L1', 'source ranges keep others out of load balancer IPs, pods included, and out of nothing else', async (s) => {
    const fronts = await web(s, all, { loadBalancerSourceRanges: [s.at.ranges.outside] })
    await s.expect({ from: 'outside', to: fronts.balancer, port: 80 }, { answer: all, source: 'hidden' })
    await s.expect({ from: ['pod', 'node'], to: fronts.balancer, port: 80 }, 'dropped')
    await s.expect({ from: 'outside', client: 1, to: fronts.balancer, port: 80 }, 'dropped')
    await s.expect({ from: ['pod', 'node'], to: [fronts.external, fronts.vip], port: 80 }, { answer: all })
  }),
  behaviour('L1', 'several ranges, one in another, let in what any of them does', async (s) => {
    const { balancer } = await web(s, ['b1'], { loadBalancerSourceRanges: [s.at.ranges.clients, s.at.ranges.outside, `${s.at.client(1)}/${s.family === 'ip' ? 32 : 128}`] })
    for (const client of [1, 2]) await s.expect({ from: 'outside', client, to: balancer, port: 80 }, { answer: ['b1'] })
    await s.expect({ from: 'outside', to: balancer, port: 80 }, { answer: ['b1'] })
    await s.expect({ from: 'pod', to: balancer, port: 80 }, 'dropped')
  }),
  behaviour('L2', 'the node enters if its own address may', async (s) => {
    const one = s.family === 'ip' ? 32 : 128
    const { balancer } = await web(s, all, { loadBalancerSourceRanges: [`${s.at.places.node}/${one}`] })
    await s.expect({ from: 'node', to: balancer, port: 80 }, { answer: all })
    await s.expect({ from: ['outside', 'pod'], to: balancer, port: 80 }, 'dropped')
  }),
  behaviour('L3', 'ranges of the other family do not count; if no other is left, everyone may enter', async (s) => {
    const fronts = await web(s, all, { loadBalancerSourceRanges: [s.otherAt.ranges.nobody] })
    await s.expect({ from: ['outside', 'pod'], to: fronts.balancer, port: 80 }, { answer: all })
    await s.apply(webService(fronts, { loadBalancerSourceRanges: [s.otherAt.ranges.everyone, s.at.ranges.nobody] }))
    await s.expect({ from: ['outside', 'pod'], to: fronts.balancer, port: 80 }, 'dropped')
  }),
  behaviour('L4', 'who may not enter is dropped, although there are no endpoints', async (s) => {
    const { balancer } = await web(s, [], { loadBalancerSourceRanges: [s.at.ranges.outside] })
    await s.expect({ from: 'pod', to: balancer, port: 80 }, 'dropped')
    await s.expect({ from: 'outside', to: balancer, port: 80 }, 'refused')
  }),
  behaviour('L5', 'they count on every way in, and before the policy Local', async (s) => {
    const { balancer } = await web(s, ['b1', 'b3'], { ...local, loadBalancerSourceRanges: [s.at.ranges.clients] })
    await s.expect({ from: ['outside', 'pod', 'node', 'remote-pod'], to: balancer, port: 80 }, 'dropped')
    await s.expect({ from: 'outside', client: 1, to: balancer, port: 80 }, { answer: ['b1'], source: 'kept' })
  }),
  behaviour('L6', 'ranges change live: added, widened, taken away', async (s) => {
    const fronts = await web(s, ['b1'])
    const steps = [
      [[s.at.ranges.clients], { outside: 'dropped', client: 'served' }],
      [[s.at.ranges.nobody], { outside: 'dropped', client: 'dropped' }],
      [[s.at.ranges.clients, s.at.ranges.outside], { outside: 'served', client: 'served' }],
      [[s.at.ranges.outside], { outside: 'served', client: 'dropped' }],
      [[], { outside: 'served', client: 'served' }],
    ] as const
    for (const [loadBalancerSourceRanges, then] of steps) {
      await s.apply(webService(fronts, { loadBalancerSourceRanges }))
      const expected = (word: 'served' | 'dropped') => (word === 'served' ? ({ answer: ['b1'] } as const) : word)
      await s.expect({ from: 'outside', to: fronts.balancer, port: 80 }, expected(then.outside))
      await s.expect({ from: 'outside', client: 7, to: fronts.balancer, port: 80 }, expected(then.client))
    }
  }),
  behaviour('L1', 'those of one service are not those of another on the same address', async (s) => {
    const balancer = s.at.loadBalancerIP()
    const ingress = [{ ip: balancer }]
    await s.apply(
      service('web', s.at.vip(), { ingress, spec: { type: 'LoadBalancer', loadBalancerSourceRanges: [s.at.ranges.nobody] } }), slice(s.at, 'web', ['b1']),
      service('api', s.at.vip(), { ports: [{ port: 81 }], ingress, spec: { type: 'LoadBalancer' } }), slice(s.at, 'api', ['b3']),
    )
    await s.expect({ from: 'outside', to: balancer, port: 80 }, 'dropped')
    await s.expect({ from: 'outside', to: balancer, port: 81 }, { answer: ['b3'] })
  }),
]
