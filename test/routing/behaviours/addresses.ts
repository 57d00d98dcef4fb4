/** Which packets are captured: section 3 of the catalogue. */
import { service, slice } from '../objects.ts'
import { behaviour, type Behaviour } from '../stage.ts'
import { all, everyone, web } from './fronts.ts'

export const addressBehaviours: readonly Behaviour[] = [
  behaviour('A1', 'a cluster IP answers pods, the node and strangers, whatever way they come', async (s) => {
    const { vip } = await web(s)
    await s.expect({ from: everyone, to: vip, port: 80 }, { answer: all })
  }),
  behaviour('A2', 'an external IP answers everyone, whoever owns it', async (s) => {
    const { external } = await web(s)
    await s.expect({ from: everyone, to: external, port: 80 }, { answer: all })
  }),
  behaviour('A2', 'one that the node owns serves the port, which no longer is the host\'s, and no other', async (s) => {
    const own = s.at.places.node
    await s.expect({ from: 'outside', to: own, port: 8080 }, 'untouched')
    await s.apply(service('web', s.at.vip(), { ports: [{ port: 8080 }], spec: { externalIPs: [own] } }), slice(s.at, 'web', ['b1', 'b3']))
    await s.expect({ from: ['outside', 'pod'], to: own, port: 8080 }, { answer: ['b1', 'b3'], source: 'hidden' })
    await s.expect({ from: 'outside', to: own, port: 9090 }, 'untouched')
  }),
  behaviour('A3', 'a load balancer IP is served on the way, so that traffic never leaves for it', async (s) => {
    const { balancer } = await web(s)
    await s.expect({ from: everyone, to: balancer, port: 80 }, { answer: all })
  }),
  behaviour('A3', 'but not one whose mode is Proxy, nor a wish or a name', async (s) => {
    const [served, also, proxied, wished] = [s.at.loadBalancerIP(), s.at.loadBalancerIP(), s.at.loadBalancerIP(), s.at.loadBalancerIP()]
    const ingress = [{ ip: served }, { ip: also, ipMode: 'VIP' }, { ip: proxied, ipMode: 'Proxy' }, { hostname: 'balancer.example' }]
    await s.apply(service('web', s.at.vip(), { ingress, spec: { type: 'LoadBalancer', loadBalancerIP: wished } }), slice(s.at, 'web', ['b1', 'b3']))
    await s.expect({ from: ['outside', 'pod'], to: [served, also], port: 80 }, { answer: ['b1', 'b3'], source: 'hidden' })
    await s.expect({ from: 'pod', to: [proxied, wished], port: 80 }, 'untouched')
  }),
  behaviour('A4', 'a node port is looked up after every other address', async (s) => {
    const [own, port] = [s.at.places.node, s.at.nodePort()]
    await s.apply(service('web', s.at.vip(), { ports: [{ port: 80, nodePort: port }], spec: { type: 'NodePort' } }), slice(s.at, 'web', ['b1']))
    await s.expect({ from: ['outside', 'pod', 'node'], to: own, port }, { answer: ['b1'] })
    await s.apply(service('api', s.at.vip(), { ports: [{ port }], spec: { externalIPs: [own] } }), slice(s.at, 'api', ['b3']))
    await s.expect({ from: ['outside', 'pod', 'node'], to: own, port }, { answer: ['b3'] })
  }),
  behaviour('A5', 'other ports of the node are the host\'s; a service\'s own port is none of them', async (s) => {
    const { nodePort } = await web(s)
    await s.expect({ from: ['outside', 'pod'], to: s.at.places.node, port: nodePort }, { answer: all })
    await s.expect({ from: ['outside', 'pod'], to: s.at.places.node, port: 80 }, 'untouched')
  }),
  behaviour('A5 A6', 'ports that a service does not have are refused on its cluster IP, the node port there, too', async (s) => {
    const { vip, nodePort } = await web(s)
    for (const port of [81, nodePort]) await s.expect({ from: everyone, to: vip, port }, 'refused')
    await s.expect({ from: ['pod', 'outside'], protocol: 'udp', to: vip, port: 80 }, 'refused')
  }),
  behaviour('A7', 'an address that no service has goes its way', async (s) => {
    await web(s)
    await s.expect({ from: ['pod', 'outside'], to: s.at.vip(), port: 80 }, 'untouched')
  }),
  behaviour('A8', 'services share external addresses by port', async (s) => {
    const [external, balancer] = [s.at.externalIP(), s.at.loadBalancerIP()]
    const shared = { ingress: [{ ip: balancer }], spec: { type: 'LoadBalancer', externalIPs: [external] } }
    await s.apply(
      service('web', s.at.vip(), shared), slice(s.at, 'web', ['b1']),
      service('api', s.at.vip(), { ...shared, ports: [{ port: 81 }] }), slice(s.at, 'api', ['b3']),
    )
    await s.expect({ from: 'outside', to: [external, balancer], port: 80 }, { answer: ['b1'] })
    await s.expect({ from: 'outside', to: [external, balancer], port: 81 }, { answer: ['b3'] })
    await s.remove(['Service api'])
    await s.expect({ from: 'outside', to: [external, balancer], port: 80 }, { answer: ['b1'] })
  }),
  behaviour('A8', 'one number is a node port of TCP for one service and of UDP for another', async (s) => {
    const nodePort = s.at.nodePort()
    const type = { spec: { type: 'NodePort' } }
    await s.apply(
      service('web', s.at.vip(), { ports: [{ port: 80, nodePort }], ...type }), slice(s.at, 'web', ['b1']),
      service('dns', s.at.vip(), { ports: [{ port: 53, nodePort, protocol: 'UDP' }], ...type }),
      slice(s.at, 'dns', ['b3'], { ports: [{ port: 8080, protocol: 'UDP' }] }),
    )
    await s.expect({ from: 'outside', to: s.at.places.node, port: nodePort }, { answer: ['b1'] })
    await s.expect({ from: 'outside', protocol: 'udp', to: s.at.places.node, port: nodePort }, { answer: ['b3'] })
  }),
  behaviour('A9', 'of two services with one address and port the older has it; both cluster IPs work; the other one inherits', async (s) => {
    const [old, young, shared] = [s.at.vip(), s.at.vip(), s.at.externalIP()]
    const spec = { externalIPs: [shared] }
    await s.apply(service('young', young, { created: '2026-02-01T00:00:00Z', spec }), slice(s.at, 'young', ['b1']))
    await s.expect({ from: 'outside', to: shared, port: 80 }, { answer: ['b1'] })
    await s.apply(service('old', old, { spec }), slice(s.at, 'old', ['b3']))
    await s.expect({ from: 'outside', to: shared, port: 80 }, { answer: ['b3'] })
    await s.expect({ from: 'pod', to: young, port: 80 }, { answer: ['b1'] })
    await s.expect({ from: 'pod', to: old, port: 80 }, { answer: ['b3'] })
    await s.remove(['Service old'])
    await s.expect({ from: 'outside', to: shared, port: 80 }, { answer: ['b1'] })
  }),
  behaviour('A9', 'so it is with node ports and cluster IPs', async (s) => {
    const [vip, other, nodePort] = [s.at.vip(), s.at.vip(), s.at.nodePort()]
    const parts = { ports: [{ port: 80, nodePort }], spec: { type: 'NodePort' } }
    const late = { created: '2026-03-01T00:00:00Z' }
    await s.apply(
      service('late', other, { ...parts, ...late }), slice(s.at, 'late', ['b3']),
      service('thief', vip, { ...late }), slice(s.at, 'thief', ['b4']),
      service('web', vip, parts), slice(s.at, 'web', ['b1']),
    )
    await s.expect({ from: 'outside', to: s.at.places.node, port: nodePort }, { answer: ['b1'] })
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1'] })
    await s.expect({ from: 'pod', to: other, port: 80 }, { answer: ['b3'] })
    await s.remove(['Service web'])
    await s.expect({ from: 'outside', to: s.at.places.node, port: nodePort }, { answer: ['b3'] })
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b4'] })
  }),
]
