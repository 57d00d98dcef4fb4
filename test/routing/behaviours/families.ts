/** Two families at once: section 14 of the catalogue. Everything else is run in each of them (F4). */
import { service, slice } from '../objects.ts'
import { behaviour, type Behaviour } from '../stage.ts'

export const familyBehaviours: readonly Behaviour[] = [
  behaviour('F1', 'of a service of both families each has its own address and its own endpoints', async (s) => {
    const [mine, other] = [s.at.vip(), s.otherAt.vip()]
    const type = s.family === 'ip' ? 'IPv6' : 'IPv4'
    const both = (first: string, second: string) => service('web', first, { spec: { clusterIPs: [first, second], ipFamilies: undefined } })
    await s.apply(both(mine, other), slice(s.at, 'web', ['b1', 'b3']), slice(s.otherAt, 'web', ['b2'], { name: 'web-other', addressType: type }))
    await s.expect({ from: ['pod', 'outside'], to: mine, port: 80 }, { answer: ['b1', 'b3'] })
    await s.apply(both(other, mine), slice(s.otherAt, 'web', [], { name: 'web-other', addressType: type }))
    await s.expect({ from: ['pod', 'outside'], to: mine, port: 80 }, { answer: ['b1', 'b3'] })
    await s.apply(slice(s.at, 'web', []))
    await s.expect({ from: ['pod', 'outside'], to: mine, port: 80 }, 'refused')
  }),
  behaviour('F1', 'clusterIP alone goes by its look', async (s) => {
    const mine = s.at.vip()
    await s.apply(service('web', mine, { spec: { clusterIPs: undefined } }), slice(s.at, 'web', ['b1']))
    await s.apply(service('other', s.otherAt.vip(), { spec: { clusterIPs: undefined } }))
    await s.expect({ from: 'pod', to: mine, port: 80 }, { answer: ['b1'] })
  }),
  behaviour('F2', 'mixed lists of addresses and ranges are split', async (s) => {
    const [external, balancer] = [s.at.externalIP(), s.at.loadBalancerIP()]
    const spec = {
      type: 'LoadBalancer',
      externalIPs: [s.otherAt.externalIP(), external],
      loadBalancerSourceRanges: [s.otherAt.ranges.everyone, s.at.ranges.clients],
    }
    const ingress = [{ ip: s.otherAt.loadBalancerIP() }, { ip: balancer }]
    await s.apply(service('web', s.at.vip(), { ingress, spec }), slice(s.at, 'web', ['b1', 'b3']))
    await s.expect({ from: 'outside', to: external, port: 80 }, { answer: ['b1', 'b3'] })
    await s.expect({ from: 'outside', client: 1, to: balancer, port: 80 }, { answer: ['b1', 'b3'] })
    await s.expect({ from: 'outside', to: balancer, port: 80 }, 'dropped')
  }),
]
