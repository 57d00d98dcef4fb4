import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EndpointSlice, Service } from '../api/objects.ts'
import { openInside, type Inside } from '../test/kit/registry.ts'
import { bootstrap, hubAddress, leadTo, type HubAddress } from './bootstrap.ts'

let inside: Inside
beforeEach(async () => {
  inside = await openInside({ serviceCIDR: '10.96.0.0/16,fd00:10:96::/112' })
})
afterEach(() => inside.close())

const start = async (address: string, port = 6443) => {
  await bootstrap(inside.registry, { port, clusterIP: inside.allocators.firstIP })
  await leadTo(inside.store, inside.registry, [{ address, port }])
}
const slice = () => inside.get('endpointslices.discovery.k8s.io', 'kubernetes', 'default') as EndpointSlice | undefined

describe('the service of the hub', () => {
  test('has the first address of the range, and leads to where the hub listens', async () => {
    await start('198.18.0.10')
    expect((inside.get('services', 'kubernetes', 'default') as Service).spec!.clusterIPs).toEqual(['10.96.0.1'])
    expect([slice()!.addressType, slice()!.endpoints![0]!.addresses, slice()!.ports![0]!.port]).toEqual(['IPv4', ['198.18.0.10'], 6443])
    await start('198.18.0.10', 7443)
    expect(slice()!.ports![0]!.port, 'after a move').toBe(7443)
  })
  test('may be reached by IPv6, also after a move', async () => {
    await start('198.18.0.10')
    await start('2001:db8::10')
    expect([slice()!.addressType, slice()!.endpoints![0]!.addresses]).toEqual(['IPv6', ['2001:db8::10']])
  })
  test.each(['127.0.0.1', '::1', '0.0.0.0', '::', 'hub.example'])('leads nowhere where the hub listens on %s', async (address) => {
    await start(address)
    expect([slice(), inside.get('endpoints', 'kubernetes', 'default')]).toEqual([undefined, undefined])
  })
  test.each([
    ['198.18.0.10', 'https://192.0.2.1:7443', '198.18.0.10 6443'],
    ['0.0.0.0', 'https://192.0.2.1:7443', '192.0.2.1 7443'],
    ['::', 'https://[2001:db8::1]', '2001:db8::1 443'],
    ['127.0.0.1', 'https://127.0.0.1:6443', '127.0.0.1 6443'],
    ['0.0.0.0', 'https://hub.example:6443', '0.0.0.0 6443'],
  ])('a hub that listens on %s and shows %s is reached at %s', (host, url, reached) => {
    const { address, port } = hubAddress({ host, port: 6443 }, url)
    expect(`${address} ${port}`).toBe(reached)
  })
  test('leads to all hubs, in a slice for each family and port, and to no more than there are', async () => {
    const slices = () =>
      (inside.store.list('endpointslices.discovery.k8s.io', 'default') as EndpointSlice[]).map(
        (s) => `${s.metadata!.name} ${s.addressType} ${s.ports![0]!.port}: ${s.endpoints!.map((e) => e.addresses[0]).join(' ')}`,
      )
    const hubs: HubAddress[] = ['198.18.0.11', '198.18.0.10', '127.0.0.1', '2001:db8::1'].map((address) => ({ address, port: 6443 }))
    await start('198.18.0.10')
    await leadTo(inside.store, inside.registry, hubs)
    expect(slices()).toEqual(['kubernetes IPv4 6443: 198.18.0.10 198.18.0.11', 'kubernetes-1 IPv6 6443: 2001:db8::1'])
    const { revision } = inside.store
    await leadTo(inside.store, inside.registry, hubs.toReversed())
    expect(inside.store.revision, 'the same again').toBe(revision)
    await leadTo(inside.store, inside.registry, hubs.slice(0, 1))
    expect(slices()).toEqual(['kubernetes IPv4 6443: 198.18.0.11'])
    await leadTo(inside.store, inside.registry, [])
    expect(slices()).toHaveLength(1)
  })
})
