/** Which endpoints count: sections 2 and 9 of the catalogue. */
import { node, slice } from '../objects.ts'
import { behaviour, type Behaviour } from '../stage.ts'
import { all, externals, setEndpoints, web, webService } from './fronts.ts'

const inZones = ['b1 zone=east', 'b2 zone=west', 'b3 zone=east', 'b4 zone=west'] as const

export const endpointBehaviours: readonly Behaviour[] = [
  behaviour('E1', 'without a ready endpoint those that end but serve are used, on any node', async (s) => {
    const fronts = await web(s, ['b1 terminating', 'b3 terminating', 'b2 deaf', 'b4 unready'])
    await s.expect({ from: 'pod', to: [fronts.vip, ...externals(fronts)], port: 80 }, { answer: ['b1', 'b3'] })
    await setEndpoints(s, 'b1 terminating', 'b3 terminating', 'b4')
    await s.expect({ from: 'pod', to: [fronts.vip, ...externals(fronts)], port: 80 }, { answer: ['b4'] })
  }),
  behaviour('E2 E5', 'with the policy Local an ending one here goes before ready ones elsewhere', async (s) => {
    const fronts = await web(s, ['b1 terminating', 'b2 deaf', 'b3'], { externalTrafficPolicy: 'Local' })
    await s.expect({ from: 'outside', to: externals(fronts), port: 80 }, { answer: ['b1'], source: 'kept' })
    await s.expect({ from: 'outside', to: fronts.vip, port: 80 }, { answer: ['b3'] })
    await setEndpoints(s, 'b1 terminating', 'b2', 'b3')
    await s.expect({ from: 'outside', to: externals(fronts), port: 80 }, { answer: ['b2'] })
  }),
  behaviour('E2', 'so for the cluster IP, with its policy', async (s) => {
    const { vip } = await web(s, ['b1 terminating', 'b3'], { internalTrafficPolicy: 'Local' })
    await s.expect({ from: ['pod', 'outside'], to: vip, port: 80 }, { answer: ['b1'] })
  }),
  behaviour('E3', 'an endpoint that is neither ready nor ending is no way out, although it serves', async (s) => {
    const { vip } = await web(s, ['b1 unready-serving', 'b3 unready'])
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'refused')
  }),
  behaviour('E4', 'who is somewhere is not nowhere: dropped for the policy, refused for want of endpoints', async (s) => {
    const { vip } = await web(s, ['b3 terminating'], { internalTrafficPolicy: 'Local' })
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'dropped')
    await setEndpoints(s, 'b3 deaf')
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'refused')
  }),
  behaviour('E6', 'an endpoint without a node name is remote, whatever its address', async (s) => {
    const { vip } = await web(s, ['b1 nowhere', 'b2'], { internalTrafficPolicy: 'Local' })
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b2'] })
    await setEndpoints(s, 'b1 nowhere')
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'dropped')
  }),
  behaviour('E7', 'the external policy of a service that nobody reaches from outside means nothing', async (s) => {
    const fronts = await web(s, ['b3'])
    await s.apply(webService(fronts, { type: 'ClusterIP', externalIPs: [], externalTrafficPolicy: 'Local' }))
    await s.expect({ from: ['pod', 'outside', 'node'], to: fronts.vip, port: 80 }, { answer: ['b3'] })
  }),
  behaviour('E7', 'that of a service with external IPs means them', async (s) => {
    const fronts = await web(s, ['b1', 'b3'])
    await s.apply(webService(fronts, { type: 'ClusterIP', externalTrafficPolicy: 'Local' }))
    await s.expect({ from: 'outside', to: fronts.external, port: 80 }, { answer: ['b1'], source: 'kept' })
  }),
  behaviour('E8', 'each connection chooses among all, each alike', async (s) => {
    const { vip } = await web(s)
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: all, evenly: true })
    await setEndpoints(s, 'b1', 'b2', 'b3')
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1', 'b2', 'b3'], evenly: true })
  }),
  behaviour('E9', 'an endpoint may be a program of this node, a host out of the cluster, and of several services', async (s) => {
    const { vip, external } = await web(s, ['b3', 'host'])
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b3', 'host'] })
    await s.apply(slice(s.at, 'web', ['stranger nowhere']))
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['stranger'] })
    await s.expect({ from: 'pod', to: external, port: 80 }, { answer: ['stranger'], source: 'hidden' })
  }),
  behaviour('T1 T5 T6', 'hints keep traffic in the zone, from everywhere and at every front; another zone, another choice', async (s) => {
    await s.apply(node('east'))
    const fronts = await web(s, inZones)
    const to = [fronts.vip, ...externals(fronts)]
    await s.expect({ from: ['pod', 'outside', 'node'], to, port: 80 }, { answer: ['b1', 'b3'] })
    await s.apply(node('west'))
    await s.expect({ from: 'pod', to, port: 80 }, { answer: ['b2', 'b4'] })
  }),
  behaviour('T2', 'one ready endpoint without a hint, and all count', async (s) => {
    await s.apply(node('east'))
    const { vip } = await web(s, ['b1 zone=east', 'b2', 'b3 zone=west'])
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1', 'b2', 'b3'] })
  }),
  behaviour('T2', 'all count where no hint is for the zone, and where the node has none or an empty one', async (s) => {
    await s.apply(node('north'))
    const { vip } = await web(s, inZones)
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: all })
    for (const zone of [undefined, '']) {
      await s.apply(node('east'))
      await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1', 'b3'] })
      await s.apply(node(zone))
      await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: all })
    }
  }),
  behaviour('T3', 'an endpoint that is not ready does not ask for a hint, nor is its hint one', async (s) => {
    await s.apply(node('east'))
    const { vip } = await web(s, ['b1 zone=east', 'b2 unready', 'b3 zone=west', 'b4 terminating'])
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1'] })
    await setEndpoints(s, 'b1 unready zone=east', 'b2 zone=west', 'b3 zone=west')
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b2', 'b3'] })
  }),
  behaviour('T4', 'hints need nobody\'s consent: neither an annotation nor trafficDistribution is read', async (s) => {
    await s.apply(node('east'))
    const fronts = await web(s, inZones, { trafficDistribution: 'PreferSameNode' })
    await s.expect({ from: 'pod', to: fronts.vip, port: 80 }, { answer: ['b1', 'b3'] })
    const { metadata, ...rest } = webService(fronts) as { metadata: object }
    await s.apply({ ...rest, metadata: { ...metadata, annotations: { 'service.kubernetes.io/topology-mode': 'disabled' } } })
    await s.expect({ from: 'pod', to: fronts.vip, port: 80 }, { answer: ['b1', 'b3'] })
  }),
  behaviour('T5', 'the policy Local knows no hints; the ways around it do', async (s) => {
    await s.apply(node('east'))
    const fronts = await web(s, ['b1 zone=west', 'b3 zone=east'], { externalTrafficPolicy: 'Local' })
    const to = externals(fronts)
    await s.expect({ from: 'outside', to, port: 80 }, { answer: ['b1'], source: 'kept' })
    await s.expect({ from: ['pod', 'node'], to, port: 80 }, { answer: ['b3'] })
  }),
  behaviour('T5', 'endpoints that end are used wherever they are', async (s) => {
    await s.apply(node('east'))
    const { vip } = await web(s, ['b1 terminating zone=east', 'b3 terminating zone=west'])
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1', 'b3'] })
  }),
  behaviour('T1', 'hints for this node go before those for its zone', async (s) => {
    await s.apply(node('east'))
    const { vip } = await web(s, ['b1 zone=east for=node1', 'b3 zone=east for=node2'])
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1'] })
  }),
]
