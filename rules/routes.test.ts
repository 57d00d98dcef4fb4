import { describe, expect, test } from 'vitest'
import { endpointView, nodeConfigOf, portView, serviceView } from '../test/kit/views.ts'
import type { ServiceView } from './model.ts'
import { frontKey, routesOf, type Route } from './routes.ts'

const here = endpointView('10.244.0.2', { node: 'here' })
const there = endpointView('10.244.1.2')
const config = nodeConfigOf()

const everyFront: Partial<ServiceView> = { externalIPs: ['198.18.0.1'], loadBalancerIPs: ['203.0.113.1'], ports: [portView({ nodePort: 30_080, endpoints: [here, there] })] }
const routes = (part: Partial<ServiceView>, node = config) => routesOf('ip', serviceView(part), node).routes
const told = (route: Route) => ({
  front: frontKey(route.front), to: route.endpoints.map(({ address }) => address), outsiders: route.outsiders?.map(({ address }) => address), otherwise: route.otherwise, masquerade: route.masquerade,
})

test('with the policy Cluster all fronts lead to all endpoints; who comes from outside is hidden', () => {
  const all = { to: ['10.244.0.2', '10.244.1.2'], outsiders: undefined, otherwise: 'drop' }
  expect(routes(everyFront).map(told)).toEqual([
    { front: '10.96.0.1 tcp 80', ...all, masquerade: 'strangers' },
    { front: '203.0.113.1 tcp 80', ...all, masquerade: 'all' },
    { front: '198.18.0.1 tcp 80', ...all, masquerade: 'all' },
    { front: '* tcp 30080', ...all, masquerade: 'all' },
  ])
})

test('the external policy Local keeps outsiders on this node and their addresses as they are; cluster IPs do not care', () => {
  const [clusterIP, ...external] = routes({ ...everyFront, externalPolicy: 'Local' }).map(told)
  expect(clusterIP).toMatchObject({ to: ['10.244.0.2', '10.244.1.2'], outsiders: undefined, masquerade: 'strangers' })
  expect(external).toHaveLength(3)
  for (const route of external) expect(route).toMatchObject({ to: ['10.244.0.2', '10.244.1.2'], outsiders: ['10.244.0.2'], masquerade: 'node' })
})

test('the internal policy Local is about cluster IPs alone', () => {
  const [clusterIP, loadBalancer] = routes({ ...everyFront, internalPolicy: 'Local' }).map(told)
  expect(clusterIP).toMatchObject({ to: ['10.244.0.2'] })
  expect(loadBalancer).toMatchObject({ to: ['10.244.0.2', '10.244.1.2'], outsiders: undefined })
})

test.each([
  { name: 'no endpoints anywhere: reject, whatever the policy', endpoints: [], internalPolicy: 'Local', otherwise: 'reject' },
  { name: 'none here, some elsewhere, policy Local: drop', endpoints: [there], internalPolicy: 'Local', otherwise: 'drop' },
  { name: 'unready ones are none', endpoints: [endpointView('10.244.1.2', { ready: false })], internalPolicy: 'Local', otherwise: 'reject' },
] as const)('$name', ({ endpoints, internalPolicy, otherwise }) => {
  expect(routes({ internalPolicy, ports: [portView({ endpoints })] })[0]).toMatchObject({ endpoints: [], otherwise })
})

describe('source ranges', () => {
  const sources = (sourceRanges: readonly string[], node = config) =>
    routesOf('ip', serviceView({ ...everyFront, sourceRanges }), node).routes.map(({ front, sources: found }) => [front.kind, found])

  test('are for load balancer IPs alone', () => {
    expect(sources([' 198.51.100.7/24', '198.51.100.128/25'])).toEqual([
      ['cluster-ip', undefined], ['load-balancer-ip', ['198.51.100.0/24']], ['external-ip', undefined], ['node-port', undefined],
    ])
  })

  test('let in the load balancer address itself where they let in the node', () => {
    expect(sources(['192.0.2.0/24'])[1]![1]).toEqual(['192.0.2.0/24', '203.0.113.1'])
    expect(sources(['192.0.2.0/24'], nodeConfigOf({ nodeAddresses: [] }))[1]![1]).toEqual(['192.0.2.0/24'])
  })

  test('of the other family alone let everyone in, and that is said', () => {
    const { routes: found, problems } = routesOf('ip', serviceView({ ...everyFront, sourceRanges: ['2001:db8::/32'] }), config)
    expect(found[1]!.sources).toBeUndefined()
    expect(problems).toEqual([{ service: 'default/web', what: 'no load balancer source range is of this IP family, so everyone may enter', value: '2001:db8::/32' }])
  })
})

test('what is wrong is left out and named, and the rest is served', () => {
  const { routes: found, clusterIPs, problems } = routesOf('ip', serviceView({
    clusterIPs: ['10.96.0.1', 'None', '127.0.0.5'],
    externalIPs: ['169.254.169.254'],
    sourceRanges: ['nonsense', ''],
    ports: [
      portView({ nodePort: 70_000, endpoints: [here, endpointView('127.0.0.1'), endpointView('169.254.1.1'), endpointView('10.244.0.3', { port: 0 })] }),
      portView({ name: 'odd', port: 0 }),
      portView({ name: 'again' }),
      portView({ name: 'none', protocol: 'icmp' as never }),
    ],
  }), config)
  expect(clusterIPs).toEqual(['10.96.0.1'])
  expect(found.map(told).map(({ front, to }) => [front, to])).toEqual([['10.96.0.1 tcp 80', ['10.244.0.2']]])
  expect(problems.map(({ what, value }) => `${what}: ${value}`)).toEqual([
    'cluster IP is not an IPv4 address: None',
    'cluster IP is a loopback address: 127.0.0.5',
    'external IP is a link-local address: 169.254.169.254',
    'load balancer source range is no CIDR: nonsense',
    'node port is out of range: 70000',
    'endpoint address is a loopback address: 127.0.0.1',
    'endpoint address is a link-local address: 169.254.1.1',
    'endpoint port is out of range: 10.244.0.3:0',
    'port is out of range: 0',
    'the service lists a port twice: 10.96.0.1 tcp 80',
    'protocol is none of TCP, UDP, SCTP: icmp',
  ])
})

test('a load balancer IP that is an external IP, too, is one front', () => {
  const { routes: found, problems } = routesOf('ip', serviceView({ ...everyFront, externalIPs: ['203.0.113.1'] }), config)
  expect(found.map(({ front }) => front.kind)).toEqual(['cluster-ip', 'load-balancer-ip', 'node-port'])
  expect(problems).toEqual([])
})
