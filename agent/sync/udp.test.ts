import { describe, expect, test } from 'vitest'
import type { NodeView, ServiceView } from '../../rules/model.ts'
import { createUdpServices } from './udp.ts'

const service = (protocol: 'tcp' | 'udp', ...addresses: string[]): ServiceView => ({
  key: 'default/dns',
  created: '2026-01-01T00:00:00Z',
  clusterIPs: ['10.96.0.10'],
  ports: [{ name: '', protocol, port: 53, nodePort: 30053, endpoints: addresses.map((address) => ({ address, port: 5353, local: false, ready: true, serving: true, terminating: false })) }],
})
const view = (...services: ServiceView[]): NodeView => ({
  config: { clusterCIDRs: [], nodePortAddresses: ['198.18.0.11'] },
  services: new Map(services.map((s) => [s.key, s])),
})
const changed = new Set(['default/dns'])
const vip = { address: '10.96.0.10', port: 53 }
const nodePort = { address: '198.18.0.11', port: 30053 }
const pod = (address: string) => ({ address, port: 5353 })

describe('UDP services', () => {
  test('are live where an endpoint serves them, on all their addresses', () => {
    const udp = createUdpServices('10.96.0.0/12')
    expect(udp.take(view(service('udp', '10.244.1.2')), 'all')).toBe(true)
    for (const place of [vip, nodePort]) {
      expect(udp.expected.isVirtual(place.address, place.port)).toBe(true)
      expect(udp.expected.isLive(place, pod('10.244.1.2'))).toBe(true)
      expect(udp.expected.isLive(place, pod('10.244.1.3'))).toBe(false)
      expect(udp.expected.isLive(place, place), 'untranslated').toBe(false)
    }
  })
  test('stay virtual when they are gone, and nobody answers for them', () => {
    const udp = createUdpServices('10.96.0.0/12')
    udp.take(view(service('udp', '10.244.1.2')), 'all')
    expect(udp.take(view(), changed)).toBe(true)
    expect(udp.expected.isVirtual(nodePort.address, nodePort.port)).toBe(true)
    expect(udp.expected.isLive(nodePort, pod('10.244.1.2'))).toBe(false)
  })
  test('do not concern themselves with TCP, or with other addresses', () => {
    const udp = createUdpServices('10.96.0.0/12')
    expect(udp.take(view(service('tcp', '10.244.1.2')), 'all')).toBe(false)
    expect(udp.expected.isVirtual('198.18.0.11', 30053)).toBe(false)
    expect(udp.expected.isVirtual('10.111.255.254', 9), 'an address of the service range').toBe(true)
    expect(udp.expected.isVirtual('10.112.0.1', 9)).toBe(false)
    expect(udp.expected.isVirtual('fd00::1', 9)).toBe(false)
  })
})
