import { afterEach, describe, expect, test } from 'vitest'
import { silentLog } from '../api/log.ts'
import type { AckFrame, StreamFrame } from '../api/frames.ts'
import type { KubeObject } from '../api/objects.ts'
import type { Problem } from '../rules/model.ts'
import { nftMode, outcomes } from '../rules/nft/index.ts'
import { createFakeClock, settled } from '../test/kit/clock.ts'
import { nodeConfig, nodeConfigOf } from '../test/kit/views.ts'
import { createFakeKernel } from './kernel/fake/nft.ts'
import { createServices, type ServicesDeps } from './services.ts'
import { createTables } from './state/tables.ts'
import { createDataplane } from './sync/dataplane.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

function agent({ lanes = [], ...also }: Partial<ServicesDeps> = {}) {
  const tables = createTables()
  const kernel = createFakeKernel({ family: 'ip' })
  const acks: AckFrame[] = []
  const looks: string[] = []
  const clock = createFakeClock()
  const services = createServices({
    node: 'node1',
    tables,
    lanes: [
      ...lanes,
      {
        dataplane: createDataplane('ip', nftMode, kernel),
        config: nodeConfig,
        conntrack: {
          async reconcile(expected) {
            looks.push(`${expected.isVirtual('10.96.0.10', 53)} ${expected.isLive({ address: '10.96.0.10', port: 53 }, { address: '10.244.1.2', port: 5353 })}`)
            return 0
          },
        },
      },
    ],
    onAck: (ack) => acks.push(ack),
    ...also,
    clock,
    random: () => 0.5,
    log: silentLog,
  })
  const stop = new AbortController()
  const running = services.run(stop.signal)
  stops.push(async () => {
    stop.abort()
    await running
  })
  const send = async (...frames: StreamFrame[]): Promise<void> => {
    for (const frame of frames) {
      const batch = tables.take(frame)
      if (batch) services.take(batch)
    }
    await settled()
  }
  return { kernel, acks, looks, send, services, clock }
}

const meta = (name: string, revision: number, labels?: Record<string, string>) => ({
  name,
  namespace: 'default',
  uid: name,
  resourceVersion: String(revision),
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels,
})
const set = (resource: 'services' | 'endpointslices.discovery.k8s.io', revision: number, object: object): StreamFrame => ({ kind: 'set', resource, revision, object: object as KubeObject })
const dns = (revision: number, protocol = 'UDP'): StreamFrame =>
  set('services', revision, { apiVersion: 'v1', kind: 'Service', metadata: meta('dns', revision), spec: { clusterIP: '10.96.0.10', ports: [{ port: 53, protocol }] } })
const slice = (revision: number, address: string, protocol = 'UDP'): StreamFrame =>
  set('endpointslices.discovery.k8s.io', revision, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: meta('dns-1', revision, { 'kubernetes.io/service-name': 'dns' }),
    addressType: 'IPv4',
    endpoints: [{ addresses: [address] }],
    ports: [{ port: 5353, protocol }],
  })
const sync = (revision: number): StreamFrame => ({ kind: 'sync', revision })

describe('the service half of an agent', () => {
  test('writes nothing before the first sync, then everything, and acknowledges the revision', async () => {
    const { kernel, acks, send } = agent()
    await send({ kind: 'reset' }, dns(2), slice(3, '10.244.1.2'))
    expect([kernel.accepted.length, acks]).toEqual([0, []])
    await send(sync(5))
    expect(kernel.accepted).toHaveLength(1)
    expect(acks).toEqual([{ kind: 'ack', received: 5, applied: 5 }])
    const packet = { hook: 'prerouting', protocol: 'udp', source: '10.244.9.9', sourcePort: 4000, destination: '10.96.0.10', destinationPort: 53 } as const
    const [journey] = outcomes((await kernel.read(AbortSignal.timeout(1000)))!, { addresses: [] }, packet)
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

  test('looks at connection tracking again after a look failed, ever more slowly, until one went well', async () => {
    let [looks, failing] = [0, 2]
    const reconcile = (): Promise<number> => (looks++, failing-- > 0 ? Promise.reject(new Error('no')) : Promise.resolve(0))
    const { send, clock } = agent({ lanes: [{ dataplane: createDataplane('ip6', nftMode, createFakeKernel({ family: 'ip6' })), config: nodeConfig, conntrack: { reconcile } }] })
    const dns6 = set('services', 2, { apiVersion: 'v1', kind: 'Service', metadata: meta('dns', 2), spec: { clusterIP: 'fd00:96::a', ports: [{ port: 53, protocol: 'UDP' }] } })
    await send({ kind: 'reset' }, dns6, sync(2))
    expect(looks).toBe(1)
    for (const [ms, soFar] of [[499, 1], [1, 2], [999, 2], [1, 3], [60_000, 3]] as const) {
      await clock.advance(ms)
      expect(looks, `after ${ms} ms more`).toBe(soFar)
    }
  })
})

describe('two families', () => {
  const dual = (revision: number): StreamFrame =>
    set('services', revision, { apiVersion: 'v1', kind: 'Service', metadata: meta('dns', revision), spec: { clusterIPs: ['10.96.0.10', 'fd00:96::a'], ports: [{ port: 53 }] } })
  const second = () => {
    const kernel = createFakeKernel({ family: 'ip6' })
    return { kernel, lane: { dataplane: createDataplane('ip6', nftMode, kernel), config: nodeConfig, conntrack: { reconcile: () => Promise.resolve(0) } } }
  }

  test('have a table each, and a revision counts once both have it', async () => {
    const other = second()
    const { kernel, acks, send } = agent({ lanes: [other.lane] })
    await send({ kind: 'reset' }, dual(2), sync(3))
    const held = async (k: typeof kernel) => [...(await k.read(AbortSignal.timeout(1000)))!.elements.get('cluster-ips')!.keys()]
    expect([await held(kernel), await held(other.kernel)]).toEqual([['10.96.0.10'], ['fd00:96::a']])
    expect(acks.map(({ applied }) => applied)).toEqual([0, 3])
  })

  test('do not wait for each other: what one kernel refuses, the other takes', async () => {
    const other = second()
    const broken = { ...other.lane, dataplane: { ...other.lane.dataplane, bring: () => Promise.reject(new Error('no room')) } }
    const { kernel, acks, send } = agent({ lanes: [broken] })
    await send({ kind: 'reset' }, dual(2), sync(3))
    expect(kernel.accepted).toHaveLength(1)
    expect(acks.map(({ applied }) => applied)).toEqual([0, 0])
    expect(acks.some(({ failed }) => failed?.message === 'no room')).toBe(true)
  })
})

describe('what cannot be served', () => {
  const harmful = (revision: number): StreamFrame => slice(revision, '127.0.0.1')

  test('is told once, again only after it was in order, and harms nothing else', async () => {
    const told: Problem[] = []
    const { kernel, send } = agent({ onProblem: (problem) => told.push(problem) })
    await send({ kind: 'reset' }, dns(2), harmful(3), sync(3))
    const problem = { service: 'default/dns', what: 'endpoint address is a loopback address', value: '127.0.0.1' }
    expect(told).toEqual([problem])
    await send(dns(4), sync(4))
    expect(told).toHaveLength(1)
    await send(slice(5, '10.244.1.2'), sync(5))
    await send(harmful(6), sync(6))
    expect(told).toEqual([problem, problem])
    expect(JSON.stringify(kernel.accepted)).not.toContain('127.0.0.1')
  })

  test('a slice of no service is told by its name', async () => {
    const told: Problem[] = []
    const { send } = agent({ onProblem: (problem) => told.push(problem) })
    const lost = set('endpointslices.discovery.k8s.io', 2, { kind: 'EndpointSlice', metadata: meta('lost', 2), addressType: 'IPv4', endpoints: [], ports: [] })
    await send({ kind: 'reset' }, lost, sync(2))
    expect(told).toEqual([{ what: 'endpoint slice has no label kubernetes.io/service-name and so belongs to no service', value: 'default/lost' }])
  })
})

test('what another hand did is put back at once', async () => {
  const { kernel, send } = agent()
  await send({ kind: 'reset' }, dns(2), slice(3, '10.244.1.2'), sync(3))
  kernel.meddle([{ kind: 'delete-table' }], { what: 'delete table ip wherry', by: { pid: 4711, name: 'nft' } })
  expect(await kernel.read(AbortSignal.timeout(1000))).toBeUndefined()
  await settled()
  expect((await kernel.read(AbortSignal.timeout(1000)))!.elements.get('cluster-ips')!.has('10.96.0.10')).toBe(true)
})

test('another configuration of the node goes to the kernel, but not before the first sync', async () => {
  const { kernel, send, services } = agent()
  services.configure('ip', nodeConfigOf({ nodePortAddresses: ['198.51.100.7'] }))
  await settled()
  expect(kernel.accepted).toEqual([])
  await send({ kind: 'reset' }, dns(2), sync(2))
  services.configure('ip6', nodeConfig)
  services.configure('ip', nodeConfigOf({ nodePortAddresses: ['198.51.100.8'] }))
  await settled()
  const addresses = async () => [...(await kernel.read(AbortSignal.timeout(1000)))!.elements.get('node-port-addresses')!.keys()]
  expect(await addresses()).toEqual(['198.51.100.8'])
})

test('load balancers and dashboards are told what this node has', async () => {
  const told: unknown[] = []
  const { send } = agent({ onHealthChecks: (checks) => told.push(checks), onUnserved: (unserved) => told.push(unserved) })
  const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000, clusterIP: '10.96.0.10', ports: [{ port: 53, protocol: 'UDP', nodePort: 30_053 }] }
  await send({ kind: 'reset' }, set('services', 2, { kind: 'Service', metadata: meta('dns', 2), spec }), slice(3, '10.244.1.2'), sync(3))
  expect(told).toEqual([[{ service: { namespace: 'default', name: 'dns' }, port: 32_000, localEndpoints: 0 }], { internal: 0, external: 1 }])
})
