import { describe, expect, test } from 'vitest'
import { endpointView, portView, serviceView } from '../test/kit/views.ts'
import { fragmentOf } from './fragment.ts'
import type { ServiceView } from './model.ts'

const a = endpointView('10.244.0.1', { local: true })
const b = endpointView('10.244.1.1', { port: 9090 })

/** Claims as `claim: set key comment : value, …` lines. */
function written(service: ServiceView): readonly string[] {
  return [...fragmentOf(service).claims].map(
    ([claim, placed]) =>
      `${claim}: ${placed.map(({ set, element: e }) => `${set} ${e.key}${e.comment ? ` "${e.comment}"` : ''}${e.value ? ` : ${e.value}` : ''}`).join(', ')}`,
  )
}

test('a cluster IP with two endpoints, one of them here', () => {
  expect(written(serviceView({ ports: [portView({ endpoints: [b, a] })] }))).toEqual([
    'cluster-ips 10.96.0.1: cluster-ips 10.96.0.1 "default/web"',
    'services 10.96.0.1 . tcp . 80: services 10.96.0.1 . tcp . 80 "default/web:http" : goto endpoints-2, ' +
      'endpoints-2 10.96.0.1 . tcp . 80 . 0 : 10.244.0.1 . 8080, endpoints-2 10.96.0.1 . tcp . 80 . 1 : 10.244.1.1 . 9090',
    'hairpin 10.244.0.1 . 10.244.0.1: hairpin 10.244.0.1 . 10.244.0.1',
  ])
})

test('without endpoints the address is ours, and so is the port, but nothing leads on', () => {
  expect(written(serviceView())).toEqual(['cluster-ips 10.96.0.1: cluster-ips 10.96.0.1 "default/web"', 'services 10.96.0.1 . tcp . 80: '])
})

test('a node port', () => {
  const lines = written(serviceView({ clusterIPs: [], ports: [portView({ nodePort: 30_080, endpoints: [b] })] }))
  expect(lines).toEqual([
    'node-ports tcp . 30080: node-ports tcp . 30080 "default/web:http" : goto node-port-endpoints-1, ' +
      'node-port-endpoints-1 tcp . 30080 . 0 : 10.244.1.1 . 9090',
  ])
})

test('a node port without endpoints is refused', () => {
  expect(written(serviceView({ clusterIPs: [], ports: [portView({ nodePort: 30_080 })] }))).toEqual([
    'node-ports tcp . 30080: refused-node-ports tcp . 30080 "default/web:http"',
  ])
})

test('every cluster IP and every port stands for itself', () => {
  const ports = [portView({ name: 'dns', protocol: 'udp', port: 53, endpoints: [b] }), portView({ name: 'dns-tcp', port: 53 })]
  const claims = [...fragmentOf(serviceView({ clusterIPs: ['10.96.0.1', '10.96.0.2'], ports })).claims.keys()]
  expect(claims.toSorted()).toEqual([
    'cluster-ips 10.96.0.1', 'cluster-ips 10.96.0.2',
    'services 10.96.0.1 . tcp . 53', 'services 10.96.0.1 . udp . 53',
    'services 10.96.0.2 . tcp . 53', 'services 10.96.0.2 . udp . 53',
  ])
})

describe('bad input is left out and named', () => {
  const sound = written(serviceView({ ports: [portView({ endpoints: [a, b] })] }))
  const bad = (what: string, value: string) => [{ service: 'default/web', what, value }]

  test.each([
    ['127.0.0.1', 'endpoint address is a loopback address'],
    ['169.254.169.254', 'endpoint address is a link-local address'],
    ['0.0.0.0', 'endpoint address is an unspecified address'],
    ['224.0.0.9', 'endpoint address is a multicast address'],
    ['fd00::1', 'endpoint address is not an IPv4 address'],
    ['1.2.3.4 }; flush ruleset', 'endpoint address is not an IPv4 address'],
  ])('endpoint %s', (address, what) => {
    const service = serviceView({ ports: [portView({ endpoints: [endpointView(address), a, b] })] })
    expect(written(service)).toEqual(sound)
    expect(fragmentOf(service).problems).toEqual(bad(what, address))
  })

  test('endpoint port', () => {
    const service = serviceView({ ports: [portView({ endpoints: [a, b, endpointView('10.244.9.9', { port: 65_536 })] })] })
    expect(written(service)).toEqual(sound)
    expect(fragmentOf(service).problems).toEqual(bad('endpoint port is out of range', '10.244.9.9:65536'))
  })

  test('cluster IP', () => {
    const service = serviceView({ clusterIPs: ['10.96.0.1', '10.96.0'], ports: [portView({ endpoints: [a, b] })] })
    expect(written(service)).toEqual(sound)
    expect(fragmentOf(service).problems).toEqual(bad('cluster IP is not an IPv4 address', '10.96.0'))
  })

  test('port, node port, protocol, and a port that is listed twice', () => {
    const ports = [
      portView({ endpoints: [a, b] }),
      portView({ port: 0 }),
      portView({ port: 81, nodePort: 70_000 }),
      portView({ name: 'twin' }),
      { ...portView(), protocol: 'icmp' as 'tcp' },
    ]
    const service = serviceView({ ports })
    expect(written(service)).toEqual([...sound, 'services 10.96.0.1 . tcp . 81: '])
    expect(fragmentOf(service).problems.map(({ what, value }) => `${what}: ${value}`)).toEqual([
      'port is out of range: 0',
      'node port is out of range: 70000',
      'the service lists a port twice: services 10.96.0.1 . tcp . 80',
      'protocol is none of tcp, udp, sctp: icmp',
    ])
  })
})
