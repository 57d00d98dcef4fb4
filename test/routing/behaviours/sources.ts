/** Who goes where, whom the endpoint sees, and whom a closed firewall lets through: sections 4 and 5 of the catalogue, and H5. */
import { service, slice } from '../objects.ts'
import { behaviour, onKernel, type Behaviour } from '../stage.ts'
import { all, everyone, externals, setEndpoints, web } from './fronts.ts'

const here = ['b1', 'b2'] as const
const local = { externalTrafficPolicy: 'Local' }
const overruled = 'a table of one\'s own cannot overrule another\'s policy'
const notOverruled = { nftables: overruled, ipvs: overruled }

export const sourceBehaviours: readonly Behaviour[] = [
  behaviour('D1', 'a pod reaches all endpoints of a cluster IP and keeps its address', async (s) => {
    const { vip } = await web(s)
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: all, source: 'kept' })
  }),
  behaviour('D2', 'the node reaches them all', async (s) => {
    const { vip } = await web(s)
    await s.expect({ from: 'node', to: vip, port: 80 }, { answer: all })
  }),
  behaviour('D3 M2', 'from outside the source is hidden, from local endpoints, too', async (s) => {
    const { vip } = await web(s)
    await s.expect({ from: 'outside', to: vip, port: 80 }, { answer: all, source: 'hidden' })
  }),
  behaviour('D4', 'internal policy Local keeps the cluster IP on the node, and changes nothing about sources', async (s) => {
    const { vip } = await web(s, all, { internalTrafficPolicy: 'Local' })
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: here, source: 'kept' })
    await s.expect({ from: 'outside', to: vip, port: 80 }, { answer: here, source: 'hidden' })
    await s.expect({ from: 'node', to: vip, port: 80 }, { answer: here })
  }),
  behaviour('D5 M3', 'external addresses hide everyone, pods included', async (s) => {
    const fronts = await web(s)
    await s.expect({ from: ['pod', 'outside', 'remote-pod'], to: externals(fronts), port: 80 }, { answer: all, source: 'hidden' })
    await s.expect({ from: ['pod', 'outside', 'remote-pod'], to: s.at.places.node, port: fronts.nodePort }, { answer: all, source: 'hidden' })
  }),
  behaviour('D6', 'external policy Local: outsiders stay on the node and are seen', async (s) => {
    const fronts = await web(s, all, local)
    await s.expect({ from: 'outside', to: externals(fronts), port: 80 }, { answer: here, source: 'kept' })
  }),
  behaviour('D7 D8', 'external policy Local: pods and the node reach everybody', async (s) => {
    const fronts = await web(s, all, local)
    await s.expect({ from: 'pod', to: externals(fronts), port: 80 }, { answer: all, source: 'kept' })
    await s.expect({ from: 'node', to: externals(fronts), port: 80 }, { answer: all })
  }),
  behaviour('D9', 'external addresses do not care for the internal policy', async (s) => {
    const fronts = await web(s, all, { internalTrafficPolicy: 'Local' })
    await s.expect({ from: everyone, to: externals(fronts), port: 80 }, { answer: all })
    await s.expect({ from: 'pod', to: externals(fronts), port: 80 }, { answer: all, source: 'hidden' })
  }),
  behaviour('D10', 'the cluster IP does not care for the external policy; with both, each goes by its own', async (s) => {
    const fronts = await web(s, all, local)
    await s.expect({ from: everyone, to: fronts.vip, port: 80 }, { answer: all })
    const both = await web(s, ['b1', 'b3'], { ...local, internalTrafficPolicy: 'Local' })
    await s.expect({ from: everyone, to: both.vip, port: 80 }, { answer: ['b1'] })
    await s.expect({ from: 'outside', to: both.balancer, port: 80 }, { answer: ['b1'], source: 'kept' })
    await s.expect({ from: 'pod', to: both.balancer, port: 80 }, { answer: ['b1', 'b3'], source: 'kept' })
  }),
  behaviour('D11 M5', 'an endpoint that reaches itself sees the node; the others see the endpoint', async (s) => {
    const { vip } = await web(s, ['b1'])
    await s.expect({ from: 'b1', to: vip, port: 80 }, { answer: ['b1'], source: 'hidden' })
    await setEndpoints(s, 'b2', 'b3')
    await s.expect({ from: 'b1', to: vip, port: 80 }, { answer: ['b2', 'b3'], source: 'kept' })
  }),
  behaviour('D11', 'that is so under the policy Local, and for an endpoint of which nobody says where it is', async (s) => {
    const fronts = await web(s, ['b1'], local)
    await s.expect({ from: 'b1', to: externals(fronts), port: 80 }, { answer: ['b1'], source: 'hidden' })
    await setEndpoints(s, 'b1 nowhere')
    await s.expect({ from: 'b1', to: fronts.vip, port: 80 }, { answer: ['b1'], source: 'hidden' })
  }),
  behaviour('D12', 'a pod of another node is a pod of the cluster', async (s) => {
    const fronts = await web(s, ['b1', 'b2'], local)
    await s.expect({ from: 'remote-pod', to: [fronts.vip, ...externals(fronts)], port: 80 }, { answer: ['b1', 'b2'], source: 'kept' })
  }),
  behaviour('D12 M7', 'where only this node\'s range is known, it is a stranger', async (s) => {
    await s.configure({ pods: { kind: 'cidrs', cidrs: [s.at.ranges.localPods] } })
    const { vip } = await web(s)
    await s.expect({ from: 'remote-pod', to: vip, port: 80 }, { answer: all, source: 'hidden' })
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: all, source: 'kept' })
  }),
  behaviour('M1', 'another bit of the mark does as well', async (s) => {
    const { vip } = await web(s)
    for (const masqueradeBit of [31, 3]) {
      await s.configure({ masqueradeBit })
      await s.expect({ from: 'outside', to: vip, port: 80 }, { answer: all, source: 'hidden' })
      await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: all, source: 'kept' })
    }
  }),
  behaviour('M2', 'masqueradeAll hides pods at cluster IPs, too', async (s) => {
    await s.configure({ masqueradeAll: true })
    const { vip } = await web(s)
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: all, source: 'hidden' })
  }),
  behaviour('M2', 'where pods cannot be told, nobody is hidden there', async (s) => {
    await s.configure({ pods: { kind: 'none' } })
    const { vip } = await web(s, here)
    await s.expect({ from: ['outside', 'pod'], to: vip, port: 80 }, { answer: here, source: 'kept' })
  }),
  behaviour('M3', 'and at external addresses everyone still is', async (s) => {
    await s.configure({ pods: { kind: 'none' } })
    const fronts = await web(s)
    await s.expect({ from: ['outside', 'pod'], to: externals(fronts), port: 80 }, { answer: all, source: 'hidden' })
  }),
  behaviour('M4', 'masqueradeAll does not reach external addresses with the policy Local', async (s) => {
    await s.configure({ masqueradeAll: true })
    const fronts = await web(s, ['b1', 'b3'], local)
    await s.expect({ from: 'outside', to: externals(fronts), port: 80 }, { answer: ['b1'], source: 'kept' })
    await s.expect({ from: 'pod', to: externals(fronts), port: 80 }, { answer: ['b1', 'b3'], source: 'kept' })
  }),
  behaviour('M6', 'pods are told by ranges, of this family', async (s) => {
    await s.configure({ pods: { kind: 'cidrs', cidrs: [s.at.ranges.clients] } })
    const { vip } = await web(s, here)
    await s.expect({ from: 'outside', client: 1, to: vip, port: 80 }, { answer: here, source: 'kept' })
    await s.expect({ from: ['outside', 'pod'], to: vip, port: 80 }, { answer: here, source: 'hidden' })
  }),
  behaviour('M8', 'pods are told by what their interface\'s name begins with', async (s) => {
    await s.configure({ pods: { kind: 'interface', name: 'veth-', match: 'prefix' } })
    const fronts = await web(s, here)
    await s.expect({ from: 'pod', to: fronts.vip, port: 80 }, { answer: here, source: 'kept' })
    await s.expect({ from: 'remote-pod', to: fronts.vip, port: 80 }, { answer: here, source: 'hidden' })
    await s.expect({ from: 'node', to: fronts.vip, port: 80 }, { answer: here })
  }),
  behaviour('M8', 'or by one interface', async (s) => {
    await s.configure({ pods: { kind: 'interface', name: 'veth-pod', match: 'exact' } })
    const { vip } = await web(s, ['b2'])
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b2'], source: 'kept' })
    await s.expect({ from: 'b1', to: vip, port: 80 }, { answer: ['b2'], source: 'hidden' })
  }),
  behaviour('M9', 'where pods cannot be told, the policy Local is for them, too', async (s) => {
    await s.configure({ pods: { kind: 'none' } })
    const fronts = await web(s, ['b1', 'b3'], local)
    await s.expect({ from: 'pod', to: externals(fronts), port: 80 }, { answer: ['b1'], source: 'kept' })
    await s.apply(slice(s.at, 'web', ['b3']))
    await s.expect({ from: 'pod', to: externals(fronts), port: 80 }, 'dropped')
  }),
  onKernel('M10', 'a host that forwards nothing by itself forwards what is masqueraded, and the answers', async (s) => {
    const fronts = await web(s)
    const tool = s.family === 'ip' ? 'iptables' : 'ip6tables'
    await s.host([tool, '-P', 'FORWARD', 'DROP'], [tool, '-P', 'FORWARD', 'ACCEPT'])
    await s.expect({ from: 'outside', to: externals(fronts), port: 80 }, { answer: all, source: 'hidden' })
    await s.expect({ from: 'outside', to: s.at.backends.b3, port: 8080 }, 'dropped')
  }, { except: notOverruled }),
  onKernel('H5', 'a host that lets nobody in lets those in who ask for the health of a load balancer', async (s) => {
    // A program of the host listens there.
    const healthCheckNodePort = 9090
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort }
    await s.apply(service('web', s.at.vip(), { spec }), slice(s.at, 'web', ['b1']))
    const tool = s.family === 'ip' ? 'iptables' : 'ip6tables'
    const rule = ['INPUT', '-p', 'tcp', '-j', 'DROP']
    await s.host([tool, '-A', ...rule], [tool, '-D', ...rule])
    await s.expect({ from: 'outside', to: s.at.places.node, port: healthCheckNodePort }, 'untouched')
    await s.expect({ from: 'outside', to: s.at.places.node, port: 8080 }, 'dropped')
  }, { except: notOverruled }),
]
