import { afterEach, describe, expect, test } from 'vitest'
import { silentLog } from '../api/log.ts'
import type { AckFrame, HubFrame } from '../api/frames.ts'
import type { KubeObject } from '../api/objects.ts'
import { outcomes } from '../rules/index.ts'
import { createFakeClock, settled } from '../test/kit/clock.ts'
import { createFakeKernel } from './kernel/fake/nft.ts'
import { createServices } from './services.ts'
import { createTables } from './state/tables.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

function agent() {
  const tables = createTables()
  const kernel = createFakeKernel({ family: 'ip' })
  const acks: AckFrame[] = []
  const looks: string[] = []
  const services = createServices({
    node: 'node1',
    family: 'ip',
    tables,
    kernel,
    conntrack: {
      async reconcile(expected) {
        looks.push(`${expected.isVirtual('10.96.0.10', 53)} ${expected.isLive({ address: '10.96.0.10', port: 53 }, { address: '10.244.1.2', port: 5353 })}`)
        return 0
      },
    },
    serviceCIDR: '10.96.0.0/12',
    config: { clusterCIDRs: ['10.244.0.0/16'], nodePortAddresses: ['198.18.0.11'] },
    onAck: (ack) => acks.push(ack),
    clock: createFakeClock(),
    random: () => 0.5,
    log: silentLog,
  })
  const stop = new AbortController()
  const running = services.run(stop.signal)
  stops.push(async () => {
    stop.abort()
    await running
  })
  const send = async (...frames: HubFrame[]): Promise<void> => {
    for (const frame of frames) {
      const batch = tables.take(frame)
      if (batch) services.take(batch)
    }
    await settled()
  }
  return { kernel, acks, looks, send }
}

const meta = (name: string, revision: number, labels?: Record<string, string>) => ({
  name,
  namespace: 'default',
  uid: name,
  resourceVersion: String(revision),
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels,
})
const set = (resource: 'services' | 'endpointslices.discovery.k8s.io', revision: number, object: object): HubFrame => ({ kind: 'set', resource, revision, object: object as KubeObject })
const dns = (revision: number, protocol = 'UDP'): HubFrame =>
  set('services', revision, { apiVersion: 'v1', kind: 'Service', metadata: meta('dns', revision), spec: { clusterIP: '10.96.0.10', ports: [{ port: 53, protocol }] } })
const slice = (revision: number, address: string, protocol = 'UDP'): HubFrame =>
  set('endpointslices.discovery.k8s.io', revision, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: meta('dns-1', revision, { 'kubernetes.io/service-name': 'dns' }),
    addressType: 'IPv4',
    endpoints: [{ addresses: [address] }],
    ports: [{ port: 5353, protocol }],
  })
const sync = (revision: number): HubFrame => ({ kind: 'sync', revision })

describe('the service half of an agent', () => {
  test('writes nothing before the first sync, then everything, and acknowledges the revision', async () => {
    const { kernel, acks, send } = agent()
    await send({ kind: 'reset' }, dns(2), slice(3, '10.244.1.2'))
    expect([kernel.accepted.length, acks]).toEqual([0, []])
    await send(sync(5))
    expect(kernel.accepted).toHaveLength(1)
    expect(acks).toEqual([{ kind: 'ack', received: 5, applied: 5 }])
    const packet = { hook: 'prerouting', protocol: 'udp', source: '10.244.9.9', sourcePort: 4000, destination: '10.96.0.10', destinationPort: 53 } as const
    const [journey] = outcomes((await kernel.read(AbortSignal.timeout(1000)))!, packet)
    expect(journey!.fate).toEqual({ kind: 'translated', address: '10.244.1.2', port: 5353 })
  })

  test('makes its table also where there is no service at all', async () => {
    const { kernel, send } = agent()
    await send({ kind: 'reset' }, sync(1))
    expect(kernel.accepted).toHaveLength(1)
  })

  test('acknowledges what does not concern the kernel without a write', async () => {
    const { kernel, acks, send } = agent()
    await send({ kind: 'reset' }, sync(1), sync(7))
    expect(kernel.accepted).toHaveLength(1)
    expect(acks.at(-1)).toEqual({ kind: 'ack', received: 7, applied: 7 })
  })

  test('looks at connection tracking after a UDP service changed, not for TCP', async () => {
    const { looks, send } = agent()
    await send({ kind: 'reset' }, dns(2), slice(3, '10.244.1.2'), sync(3))
    expect(looks).toEqual(['true true'])
    await send(slice(4, '10.244.1.3'), sync(4))
    expect(looks, 'the endpoint is gone').toEqual(['true true', 'true false'])
    const tcp = agent()
    await tcp.send({ kind: 'reset' }, dns(2, 'TCP'), slice(3, '10.244.1.2', 'TCP'), sync(3))
    expect(tcp.looks).toEqual([])
  })
})
