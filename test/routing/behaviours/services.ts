/** Which objects count, and what of them: section 1 of the catalogue. */
import { service, slice } from '../objects.ts'
import { behaviour, type Behaviour } from '../stage.ts'
import { setEndpoints, web, webService } from './fronts.ts'

const otherProxy = 'service.kubernetes.io/service-proxy-name'
const headless = 'service.kubernetes.io/headless'

export const serviceBehaviours: readonly Behaviour[] = [
  behaviour('I1', 'headless services and ExternalName have no address to be served', async (s) => {
    const { vip, ...rest } = await web(s, ['b1'])
    await s.apply(service('web', vip, { spec: { type: 'ExternalName', externalName: 'example.com' } }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'untouched')
    await s.apply(webService({ vip, ...rest }))
    for (const none of ['None', '']) {
      await s.apply(service('web', none, { spec: { clusterIPs: none ? [none] : [] } }))
      await s.expect({ from: 'pod', to: vip, port: 80 }, 'untouched')
    }
  }),
  behaviour('I1 I2', 'a label that names another proxy takes a service away, and gives it back when it goes', async (s) => {
    const fronts = await web(s, ['b1'])
    for (const label of [otherProxy, headless]) {
      await s.apply(service('web', fronts.vip, { labels: { [label]: '' } }))
      await s.expect({ from: 'pod', to: fronts.vip, port: 80 }, 'untouched')
      await s.apply(webService(fronts))
      await s.expect({ from: 'pod', to: fronts.vip, port: 80 }, { answer: ['b1'] })
    }
  }),
  behaviour('I1 I2', 'the same labels do so for slices', async (s) => {
    const { vip } = await web(s, ['b1'])
    for (const label of [otherProxy, headless]) {
      await s.apply(slice(s.at, 'web', ['b3'], { name: 'web-2', labels: { 'kubernetes.io/service-name': 'web', [label]: 'x' } }))
      await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1'] })
      await s.apply(slice(s.at, 'web', ['b3'], { name: 'web-2' }))
      await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1', 'b3'] })
    }
  }),
  behaviour('I3', 'slices belong to a service by label and namespace; two of one name in two namespaces are two', async (s) => {
    const [here, there] = [s.at.vip(), s.at.vip()]
    await s.apply(
      service('web', here), slice(s.at, 'web', ['b1']), slice(s.at, 'web', ['b2'], { name: 'web-2' }),
      service('web', there, { namespace: 'other' }), slice(s.at, 'web', ['b3'], { namespace: 'other' }),
      slice(s.at, 'web', ['b4'], { name: 'web-nobodys', labels: {} }),
    )
    await s.expect({ from: 'pod', to: here, port: 80 }, { answer: ['b1', 'b2'] })
    await s.expect({ from: 'pod', to: there, port: 80 }, { answer: ['b3'] })
  }),
  behaviour('I4', 'the number of a port comes from the slice, by name and protocol', async (s) => {
    const to = s.at.vip()
    const ports = [{ name: 'a', port: 1000 }, { name: 'b', port: 1001, targetPort: 7 }]
    await s.apply(service('web', to, { ports }), slice(s.at, 'web', ['b1'], { ports: [{ name: 'b', port: 9090, protocol: 'TCP' }, { name: 'a', port: 8080, protocol: 'UDP' }] }))
    await s.expect({ from: 'pod', to, port: 1001 }, { answer: ['b1'], port: 9090 })
    await s.expect({ from: 'pod', to, port: 1000 }, 'refused')
  }),
  behaviour('I4', 'a slice port without a number is none', async (s) => {
    const { vip } = await web(s, ['b1'])
    await s.apply(
      slice(s.at, 'web', ['b3'], { name: 'web-2', ports: [{ port: null, protocol: 'TCP' }] }),
      slice(s.at, 'web', ['b4'], { name: 'web-3', ports: [{ port: 0, protocol: 'TCP' }] }),
    )
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1'] })
  }),
  behaviour('I5', 'of an endpoint the first address counts; none is none, and one of another kind is skipped', async (s) => {
    const { backends } = s.at
    const { vip } = await web(s, [])
    const raw = [{ addresses: [backends.b1, backends.b3] }, { addresses: [] }, { addresses: [s.otherAt.backends.b4] }]
    await s.apply(slice(s.at, 'web', [], { raw }), slice(s.at, 'web', ['b4'], { name: 'web-2', addressType: 'FQDN' }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1'] })
  }),
  behaviour('I6', 'an endpoint that is listed twice is one; if the copies differ, the local one is right', async (s) => {
    const fronts = await web(s, ['b1 nowhere', 'b3'], { internalTrafficPolicy: 'Local' })
    await s.expect({ from: 'pod', to: fronts.vip, port: 80 }, 'dropped')
    await s.apply(slice(s.at, 'web', ['b1'], { name: 'web-2' }))
    await s.expect({ from: 'pod', to: fronts.vip, port: 80 }, { answer: ['b1'] })
    await s.apply(webService(fronts))
    await s.expect({ from: 'pod', to: fronts.vip, port: 80 }, { answer: ['b1', 'b3'], evenly: true })
  }),
  behaviour('I7', 'absent conditions mean ready; publishNotReadyAddresses is the slice writer\'s business', async (s) => {
    const { vip } = await web(s, [], { publishNotReadyAddresses: true })
    await s.apply(slice(s.at, 'web', ['b1 unready'], { raw: [{ addresses: [s.at.backends.b3] }, { addresses: [s.at.backends.b4], conditions: {} }] }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b3', 'b4'] })
    await s.apply(slice(s.at, 'web', ['b1 unready']))
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'refused')
  }),
  behaviour('I8', 'zeros in front of a number do not make it octal', async (s) => {
    const { vip } = await web(s, [])
    const raw = [{ addresses: ['10.244.001.011'] }]
    await s.apply(slice(s.at, 'web', [], { raw }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1'] })
  }, { families: ['ip'] }),
  behaviour('I8', 'blank and malformed external IPs and ranges are skipped; blanks around a range do no harm', async (s) => {
    const balancer = s.at.loadBalancerIP()
    const external = s.at.externalIP()
    const spec = { type: 'LoadBalancer', externalIPs: ['', 'nonsense', `${external}.9`, external], loadBalancerSourceRanges: ['', 'nonsense', ` ${s.at.ranges.clients} `] }
    await s.apply(service('web', s.at.vip(), { ingress: [{ ip: balancer }], spec }), slice(s.at, 'web', ['b1']))
    await s.expect({ from: 'pod', to: external, port: 80 }, { answer: ['b1'] })
    await s.expect({ from: 'outside', client: 1, to: balancer, port: 80 }, { answer: ['b1'] })
    await s.expect({ from: 'outside', to: balancer, port: 80 }, 'dropped')
  }),
  behaviour('I9', 'addresses that no endpoint can have are left out, and harm no other', async (s) => {
    const linkLocal = s.family === 'ip' ? '169.254.169.254' : 'fe80::1'
    const multicast = s.family === 'ip' ? '224.0.0.1' : 'ff02::1'
    const unspecified = s.family === 'ip' ? '0.0.0.0' : '::'
    const raw = [s.at.loopback, linkLocal, multicast, unspecified, 'nonsense', ''].map((address) => ({ addresses: [address] }))
    const { vip, ...rest } = await web(s, [])
    await s.apply(slice(s.at, 'web', ['b1'], { raw }), service('odd', 'nonsense'), service('loop', s.at.loopback))
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1'] })
    await s.apply(webService({ vip, ...rest }, { externalIPs: [s.at.loopback, linkLocal] }))
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b1'] })
  }),
  behaviour('I10', 'slices may come before their service', async (s) => {
    const to = s.at.vip()
    await s.apply(slice(s.at, 'web', ['b1']))
    await s.expect({ from: 'pod', to, port: 80 }, 'untouched')
    await s.apply(service('web', to))
    await s.expect({ from: 'pod', to, port: 80 }, { answer: ['b1'] })
  }),
  behaviour('I11', 'ports are independent, of one number in two protocols, too', async (s) => {
    const to = s.at.vip()
    const ports = [{ name: 'web', port: 80 }, { name: 'again', port: 82 }, { name: 'dns', port: 80, protocol: 'UDP' as const }, { name: 'idle', port: 81 }]
    const targets = [{ name: 'web', port: 8080, protocol: 'TCP' }, { name: 'again', port: 8080, protocol: 'TCP' }, { name: 'dns', port: 9090, protocol: 'UDP' }]
    await s.apply(service('web', to, { ports }), slice(s.at, 'web', ['b1', 'b3'], { ports: targets }))
    for (const port of [80, 82]) await s.expect({ from: 'pod', to, port }, { answer: ['b1', 'b3'], source: 'kept', port: 8080 })
    await s.expect({ from: 'pod', protocol: 'udp', to, port: 80 }, { answer: ['b1', 'b3'], source: 'kept', port: 9090 })
    await s.expect({ from: 'pod', to, port: 81 }, 'refused')
  }),
  behaviour('I11', 'SCTP is served beside TCP of the same number', async (s) => {
    const to = s.at.vip()
    const nodePort = s.at.nodePort()
    const ports = [{ name: 'tcp', port: 80 }, { name: 'sctp', port: 80, protocol: 'SCTP' as const, nodePort }]
    const targets = [{ name: 'tcp', port: 8080, protocol: 'TCP' }, { name: 'sctp', port: 9090, protocol: 'SCTP' }]
    await s.apply(service('web', to, { ports, spec: { type: 'NodePort' } }), slice(s.at, 'web', ['b1', 'b3'], { ports: targets }))
    await s.expect({ from: 'pod', protocol: 'sctp', to, port: 80 }, { answer: ['b1', 'b3'], source: 'kept', port: 9090 })
    await s.expect({ from: 'outside', protocol: 'sctp', to: s.at.places.node, port: nodePort }, { answer: ['b1', 'b3'], source: 'hidden', port: 9090 })
    await s.expect({ from: 'pod', to, port: 80 }, { answer: ['b1', 'b3'], port: 8080 })
    await s.expect({ from: 'pod', protocol: 'sctp', to, port: 81 }, 'refused')
    await setEndpoints(s)
    await s.expect({ from: ['pod', 'node'], protocol: 'sctp', to, port: 80 }, 'refused')
  }),
  behaviour('I12', 'the longest names do not clash', async (s) => {
    const [one, two] = ['a', 'b'].map((last) => `${'x'.repeat(62)}${last}`) as [string, string]
    const long = (last: string): string => `${'y'.repeat(252)}${last}`
    const [first, second] = [s.at.vip(), s.at.vip()]
    await s.apply(
      service(one, first), slice(s.at, one, ['b1'], { name: long('1') }), slice(s.at, one, ['b2'], { name: long('2') }),
      service(two, second), slice(s.at, two, ['b3'], { name: long('3') }),
    )
    await s.expect({ from: 'pod', to: first, port: 80 }, { answer: ['b1', 'b2'] })
    await s.expect({ from: 'pod', to: second, port: 80 }, { answer: ['b3'] })
  }),
  behaviour('I10', 'endpoints may go before their service does', async (s) => {
    const { vip } = await web(s, ['b1'])
    await s.remove(['EndpointSlice web-1'])
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'refused')
    await setEndpoints(s, 'b3')
    await s.expect({ from: 'pod', to: vip, port: 80 }, { answer: ['b3'] })
    await s.remove(['Service web'])
    await s.expect({ from: 'pod', to: vip, port: 80 }, 'untouched')
  }),
]
