/** NodePorts: section 7 of the catalogue. */
import { service, slice } from '../objects.ts'
import { behaviour, type Behaviour } from '../stage.ts'
import { all, everyone, web } from './fronts.ts'

const closed = 'IPVS takes NodePorts on the addresses that the node had when they were looked at'

export const nodePortBehaviours: readonly Behaviour[] = [
  behaviour('P1', 'they answer everyone on the addresses of the node that are asked for, and on no other', async (s) => {
    const { nodePort: port } = await web(s)
    const [own, gateway] = [s.at.places.node, s.family === 'ip' ? '10.244.1.1' : 'fd00:244:1::1']
    await s.expect({ from: everyone, to: own, port }, { answer: all })
    await s.expect({ from: 'pod', to: gateway, port }, 'untouched')
    await s.configure({ nodePortAddresses: [s.at.ranges.everyone] })
    await s.expect({ from: 'pod', to: [own, gateway], port }, { answer: all, source: 'hidden' })
    await s.configure({ nodePortAddresses: [s.at.ranges.nobody, s.at.ranges.localPods] })
    await s.expect({ from: 'pod', to: gateway, port }, { answer: all, source: 'hidden' })
    await s.expect({ from: ['outside', 'pod'], to: own, port }, 'untouched')
  }),
  behaviour('P1', 'addresses of others inside the ranges are not the node\'s', async (s) => {
    await s.configure({ nodePortAddresses: [s.at.ranges.everyone] })
    const { nodePort: port } = await web(s)
    await s.expect({ from: 'pod', to: s.at.remoteNode, port }, 'untouched')
  }),
  behaviour('P2', 'an address that the node gets later is one of them at once', async (s) => {
    await s.configure({ nodePortAddresses: [s.at.ranges.everyone] })
    const { nodePort: port } = await web(s)
    const late = s.at.vip()
    await s.expect({ from: 'outside', to: late, port }, 'untouched')
    await s.addHostAddress(late)
    await s.expect({ from: 'outside', to: late, port }, { answer: all, source: 'hidden' })
  }, { except: { ipvs: closed } }),
  behaviour('P3 P4', 'on loopback addresses they are closed ports', async (s) => {
    await s.configure({ nodePortAddresses: [s.at.ranges.everyone] })
    const { nodePort: port } = await web(s)
    await s.expect({ from: 'node', to: s.at.loopback, port }, 'untouched')
  }),
  behaviour('P3', 'on 127.0.0.1 they answer processes of the node where that is asked for, and nobody else', async (s) => {
    await s.configure({ nodePortAddresses: ['0.0.0.0/0'], localhostNodePorts: true })
    const { nodePort: port } = await web(s)
    await s.expect({ from: 'node', to: ['127.0.0.1', '127.0.0.9'], port }, { answer: all })
  }, { families: ['ip'], except: { ipvs: 'IPVS translates nothing that is addressed to loopback' } }),
  behaviour('P4', 'on ::1 they never do', async (s) => {
    await s.configure({ nodePortAddresses: ['::/0'], localhostNodePorts: true })
    const { nodePort: port } = await web(s)
    await s.expect({ from: 'node', to: '::1', port }, 'untouched')
  }, { families: ['ip6'] }),
  behaviour('P5', 'the policy Local is theirs, too', async (s) => {
    const { nodePort: port } = await web(s, all, { externalTrafficPolicy: 'Local' })
    const to = s.at.places.node
    await s.expect({ from: 'outside', to, port }, { answer: ['b1', 'b2'], source: 'kept' })
    await s.expect({ from: 'pod', to, port }, { answer: all, source: 'kept' })
    await s.expect({ from: 'node', to, port }, { answer: all })
    await s.configure({ nodePortAddresses: [s.at.ranges.nobody] })
    await s.expect({ from: 'outside', to, port }, 'untouched')
  }),
  behaviour('P6', 'a program of the host that listens on the number is hidden, and there again afterwards', async (s) => {
    const to = s.at.places.node
    await s.apply(service('web', s.at.vip(), { ports: [{ port: 80, nodePort: 9090 }], spec: { type: 'NodePort' } }), slice(s.at, 'web', ['b1', 'b3']))
    await s.expect({ from: 'outside', to, port: 9090 }, { answer: ['b1', 'b3'], port: 8080 })
    await s.remove(['Service web'])
    await s.expect({ from: 'outside', to, port: 9090 }, 'untouched')
  }),
  behaviour('P7', 'source ranges are not for them', async (s) => {
    const { nodePort: port } = await web(s, all, { loadBalancerSourceRanges: [s.at.ranges.nobody] })
    await s.expect({ from: everyone, to: s.at.places.node, port }, { answer: all })
  }),
  behaviour('N1 N3', 'without endpoints they refuse; with the policy Local and none here outsiders are dropped', async (s) => {
    const { nodePort: port } = await web(s, ['b3'], { externalTrafficPolicy: 'Local' })
    const to = s.at.places.node
    await s.expect({ from: 'outside', to, port }, 'dropped')
    await s.expect({ from: 'pod', to, port }, { answer: ['b3'], source: 'kept' })
    await s.apply(slice(s.at, 'web', []))
    await s.expect({ from: everyone, to, port }, 'refused')
  }),
]
