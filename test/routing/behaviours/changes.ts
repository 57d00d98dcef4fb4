/** What comes, changes and goes: section 12 of the catalogue. */
import { service, slice } from '../objects.ts'
import { behaviour, onKernel, type Behaviour } from '../stage.ts'
import { everyone, externals, setEndpoints, web, webService } from './fronts.ts'

export const changeBehaviours: readonly Behaviour[] = [
  behaviour('U1', 'endpoints come, go and change their state', async (s) => {
    const { vip } = await web(s, ['b1'])
    const steps = [['b1', 'b3'], ['b2', 'b3'], ['b2 unready', 'b3'], ['b2', 'b3 terminating'], ['b4'], []] as const
    const served = [['b1', 'b3'], ['b2', 'b3'], ['b3'], ['b2'], ['b4'], undefined] as const
    for (const [n, endpoints] of steps.entries()) {
      await setEndpoints(s, ...endpoints)
      await s.expect({ from: 'pod', to: vip, port: 80 }, served[n] ? { answer: served[n] } : 'refused')
    }
  }),
  behaviour('U1', 'and others do not notice', async (s) => {
    const other = s.at.vip()
    await s.apply(service('other', other), slice(s.at, 'other', ['b4']))
    const { vip } = await web(s, ['b1'])
    await setEndpoints(s)
    await s.expect({ from: 'pod', to: other, port: 80 }, { answer: ['b4'] })
    await s.remove(['Service web'])
    await s.expect({ from: 'pod', to: other, port: 80 }, { answer: ['b4'] })
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'untouched')
  }),
  behaviour('U2', 'slices are a union: an endpoint may move between them, or be in both', async (s) => {
    const { vip } = await web(s, ['b1'])
    await s.apply(slice(s.at, 'web', ['b1', 'b3'], { name: 'web-2' }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1', 'b3'] })
    await s.remove(['EndpointSlice web-1'])
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1', 'b3'] })
    await s.apply(slice(s.at, 'web', ['b1'], { name: 'web-2' }), slice(s.at, 'web', ['b3'], { name: 'web-3' }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1', 'b3'] })
    await s.apply(slice(s.at, 'other', ['b1'], { name: 'web-2' }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b3'] })
  }),
  behaviour('U3', 'another port, another target: the old number is refused', async (s) => {
    const { vip } = await web(s, ['b1'])
    await s.apply(service('web', vip, { ports: [{ port: 90 }] }))
    await s.expect({ from: 'pod', to: vip, port: 90 }, { answer: ['b1'], port: 8080 })
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'refused')
    await s.apply(slice(s.at, 'web', ['b1'], { ports: [{ port: 9090, protocol: 'TCP' }] }))
    await s.expect({ from: 'pod', to: vip, port: 90 }, { answer: ['b1'], port: 9090 })
  }),
  behaviour('U3', 'another protocol: the old one is refused', async (s) => {
    const { vip } = await web(s, ['b1'])
    await s.apply(service('web', vip, { ports: [{ port: 80, protocol: 'UDP' }] }), slice(s.at, 'web', ['b1'], { ports: [{ port: 8080, protocol: 'UDP' }] }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'refused')
    await s.expect({ from: 'pod', protocol: 'udp', to: vip, port: 80 }, { answer: ['b1'] })
  }),
  behaviour('U3', 'a port that is renamed has no endpoints until its slice follows', async (s) => {
    const { vip } = await web(s, ['b1'])
    await s.apply(service('web', vip, { ports: [{ name: 'new', port: 80 }] }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'refused')
    await s.apply(slice(s.at, 'web', ['b1'], { ports: [{ name: 'new', port: 8080, protocol: 'TCP' }] }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1'] })
  }),
  behaviour('U4', 'a deleted service is quiet on all addresses, and they serve another one at once', async (s) => {
    const fronts = await web(s, ['b1'])
    await s.remove(['Service web'])
    await s.expect({ from: 'outside', to: [fronts.vip, ...externals(fronts)], port: 80 }, 'untouched')
    await s.expect({ from: 'outside', to: s.at.places.node, port: fronts.nodePort }, 'untouched')
    await s.apply(webService(fronts))
    await s.expect({ from: 'outside', to: [fronts.vip, ...externals(fronts)], port: 80 }, { answer: ['b1'] })
    const { metadata, ...rest } = webService(fronts) as { metadata: object }
    await s.remove(['Service web'], { ...rest, metadata: { ...metadata, name: 'api', uid: 'uid-api' } }, slice(s.at, 'api', ['b3']))
    await s.expect({ from: 'outside', to: [fronts.vip, ...externals(fronts)], port: 80 }, { answer: ['b3'] })
    await s.expect({ from: 'outside', to: s.at.places.node, port: fronts.nodePort }, { answer: ['b3'] })
  }),
  behaviour('U4', 'one that gets another cluster IP leaves the old one', async (s) => {
    const { vip } = await web(s, ['b1'])
    const next = s.at.vip()
    await s.remove(['Service web'], service('web', next))
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'untouched')
    await s.expect({ from: 'pod', to: next, port: 80 }, { answer: ['b1'] })
  }),
  behaviour('U5', 'types change in any order', async (s) => {
    const fronts = await web(s, ['b1'])
    const { vip, nodePort } = fronts
    const own = s.at.places.node
    const nodePorts = { ports: [{ port: 80, nodePort }], spec: { type: 'NodePort' } }
    for (const order of [['cluster', 'node', 'balancer'], ['external-name', 'balancer', 'cluster', 'node']]) {
      for (const type of order) {
        if (type === 'cluster') await s.apply(service('web', vip))
        else if (type === 'node') await s.apply(service('web', vip, nodePorts))
        else if (type === 'balancer') await s.apply(webService(fronts))
        else await s.apply(service('web', vip, { spec: { type: 'ExternalName', externalName: 'example.com' } }))
        await s.expect({ from: 'pod', to: vip, port: 80 }, type === 'external-name' ? 'untouched' : { answer: ['b1'] })
        await s.expect({ from: 'outside', to: own, port: nodePort }, type === 'node' || type === 'balancer' ? { answer: ['b1'] } : 'untouched')
        await s.expect({ from: 'outside', to: fronts.balancer, port: 80 }, type === 'balancer' ? { answer: ['b1'] } : 'untouched')
      }
    }
  }),
  behaviour('U5', 'policies change live', async (s) => {
    const fronts = await web(s, ['b1', 'b3'])
    const local = { externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' }
    for (const [spec, answer] of [[local, ['b1']], [{}, ['b1', 'b3']], [local, ['b1']]] as const) {
      await s.apply(webService(fronts, spec))
      await s.expect({ from: 'outside', to: [fronts.vip, ...externals(fronts)], port: 80 }, { answer })
    }
  }),
  behaviour('U6', 'what is changed and changed back in one breath is not changed; the last word counts', async (s) => {
    const fronts = await web(s, ['b1'])
    await s.apply(service('web', s.at.vip()), slice(s.at, 'web', []), webService(fronts), slice(s.at, 'web', ['b1']))
    await s.expect({ from: everyone, to: [fronts.vip, ...externals(fronts)], port: 80 }, { answer: ['b1'] })
    await s.remove(['EndpointSlice web-1'], slice(s.at, 'web', ['b2']), slice(s.at, 'web', ['b3']))
    await s.expect({ from: 'pod', to: fronts.vip, port: 80 }, { answer: ['b3'] })
  }),
  onKernel('U12', 'what another hand takes away comes back, and its own rules stay', async (s) => {
    const tool = s.family === 'ip' ? 'iptables' : 'ip6tables'
    const chain = ['-t', 'mangle', 'FORWARD', '-m', 'comment', '--comment', 'of another hand']
    const rule = (verb: string): readonly string[] => [tool, '-t', 'mangle', verb, ...chain.slice(2)]
    await s.host(rule('-A'), rule('-D'))
    const { vip } = await web(s, ['b1', 'b3'])
    await s.disturb()
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1', 'b3'] })
    await s.host(rule('-C'))
  }),
]
