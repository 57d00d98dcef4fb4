/** The proxy between an API server on loopback and a kernel that the test plays. */
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { startKubeServer, type KubeServer } from '../../test/kit/kube-server.ts'
import { createHealthServers } from '../health/service-health.ts'
import { createProxyHealth } from '../health/proxy-health.ts'
import type { Work } from '../memory.ts'
import { createProxyMetrics } from '../metrics/proxy-metrics.ts'
import type { Batch } from '../state/tables.ts'
import type { ProxyEvent } from './events.ts'
import { createApiClient } from './kube/client.ts'
import type { ServiceTold } from './mode.ts'
import { createOwnNode, type NodeFacts } from './own-node.ts'
import { createProxy } from './proxy.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

const node = (address = '127.0.0.1', more: object = {}, podCIDR = '10.244.1.0/24') => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node1', ...more },
  spec: { podCIDRs: [podCIDR] },
  status: { addresses: [{ type: 'InternalIP', address }] },
})
const service = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }], ...spec },
})
const slice = (name: string, more: object = {}) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' }, ...more },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.244.1.2'], nodeName: 'node1' }],
  ports: [{ port: 8080 }],
})

async function stage(prepare: (server: KubeServer) => void, detectLocal: 'cluster-cidr' | 'node-cidr' = 'cluster-cidr') {
  let fault: Error | undefined
  const server = await startKubeServer()
  prepare(server)
  const batches: Batch[] = []
  const lookers = new Set<() => void>()
  const checks: unknown[] = []
  const metrics = createProxyMetrics({ mode: 'nftables', version: '0.1.0', now: () => Date.now() })
  const time = { late: false, later: false }
  const health = createProxyHealth({ now: () => (time.late ? 60_000 : 0) + (time.later ? 60_000 : 0), lateMs: 60_000 })
  const healthServers = createHealthServers({ addresses: () => [], isHealthy: () => true, onFailure: () => {}, clock: systemClock, log: silentLog })
  const events: ProxyEvent[] = []
  const configured: unknown[] = []
  const served: number[] = []
  const worked: Work[] = []
  let known: NodeFacts | undefined
  let told: ServiceTold | undefined
  const access = { server: new URL(server.url), insecure: false, bearer: { kind: 'none' } } as const
  const client = createApiClient({ access, credentials: { proof: async () => ({ ca: server.ca }), refused() {} }, clock: systemClock, onAnswer: () => {} })
  const proxy = createProxy({
    node: 'node1',
    client,
    mode: {
      families: ['ip'],
      serve(parts, facts) {
        told = parts
        known = facts
        return {
          take(batch) {
            if (fault) throw fault
            batches.push(batch)
            parts.onQueued!(batch)
            for (const look of lookers) look()
          },
          configure(family, config) {
            configured.push({ family, config })
            for (const look of lookers) look()
          },
          run: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
        }
      },
    },
    configOf: (facts) => facts as never,
    events: { tell: (event) => void events.push(event) },
    onServed: () => void served.push(batches.length),
    tidying: { worked: (work) => void worked.push(work) },
    ownNode: createOwnNode({ name: 'node1', detectLocal, clock: systemClock, log: silentLog }),
    health,
    healthServers: { ...healthServers, take: (wanted) => void checks.push(wanted) },
    metrics,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
  })
  const stop = new AbortController()
  const running = proxy.run(stop.signal)
  running.catch(() => {})
  stops.push(async () => {
    stop.abort()
    await running.catch(() => {})
    client.close()
    await server.close()
  })
  return {
    server,
    batches,
    checks,
    time,
    events,
    configured,
    served,
    worked,
    health,
    running,
    stop,
    metric: (name: string) => Number(metrics.text().split('\n').find((l) => l.startsWith(`kubeproxy_${name} `))?.split(' ')[1]),
    facts: () => known,
    /** From now on what comes meets a fault of ours. */
    breaks: (error: Error) => void (fault = error),
    told: () => told!,
    /** A pass that the kernel took, up to this revision. */
    pass(revision: number, changed: 'all' | ReadonlySet<string> = new Set(), triggers: readonly number[] = []): void {
      told!.onPass!({ revision, changed, ms: 3, plan: { services: 1, elements: { added: revision, deleted: 0 } } } as never, triggers)
      told!.onAck({ kind: 'ack', received: revision, applied: revision })
    },
    until: (what: () => boolean): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!what()) return
          lookers.delete(look)
          resolve()
        }
        lookers.add(look)
        look()
      }),
  }
}

describe('the proxy', () => {
  test('begins when everything was listed and the node is known, with all of it in one batch', async () => {
    const s = await stage((server) => {
      server.put('services', service('web'))
      server.put('endpointslices.discovery.k8s.io', slice('web-1'))
    })
    await Promise.all([s.server.watched('services'), s.server.watched('endpointslices.discovery.k8s.io'), s.server.watched('nodes')])
    s.server.put('services', service('early'))
    expect(s.batches, 'the node has no address yet').toEqual([])
    s.server.put('nodes', node())
    await s.until(() => s.batches.length > 0)
    expect(s.batches[0]).toMatchObject({ first: true, revision: s.server.revision() })
    expect(s.facts()).toEqual({ podCIDRs: ['10.244.1.0/24'], addresses: ['127.0.0.1'] })
    await s.until(() => s.batches.flatMap((b) => b.changes).length >= 4)
    expect([...s.told().tables.all('services').keys()].toSorted()).toEqual(['default/early', 'default/web'])
  })

  test('keeps the figures of what comes and what the kernel has', async () => {
    const s = await stage((server) => {
      server.put('nodes', node())
      server.put('services', service('web'))
      server.put('endpointslices.discovery.k8s.io', slice('web-1'))
    })
    await s.until(() => s.batches.length === 1)
    expect([s.metric('sync_proxy_rules_service_changes_pending'), s.metric('sync_proxy_rules_endpoint_changes_pending')]).toEqual([1, 1])
    s.told().onFailure!('full')
    s.told().onAck({ kind: 'ack', received: 5, applied: 0, failed: { code: 'KERNEL_REFUSED', message: 'no' } })
    expect(s.metric('sync_proxy_rules_nftables_sync_failures_total')).toBe(1)
    expect(s.served).toEqual([])
    s.pass(s.batches[0]!.revision, 'all')
    expect(s.served).toEqual([1])
    expect(s.worked).toEqual([{ services: 1, elements: { added: s.batches[0]!.revision, deleted: 0 } }])
    expect(s.metric('sync_proxy_rules_service_changes_pending')).toBe(0)
    expect([s.metric('sync_full_proxy_rules_duration_seconds_count'), s.metric('sync_partial_proxy_rules_duration_seconds_count')]).toEqual([1, 0])
    s.pass(s.batches[0]!.revision + 1, new Set(['default/web']), [Date.now() + 1_000, Date.now() - 3_600_000])
    expect(s.metric('sync_partial_proxy_rules_duration_seconds_count')).toBe(1)
    expect(s.metric('network_programming_duration_seconds_count'), 'not of what was before our start').toBe(1)
    expect(s.served).toEqual([1])
    s.told().onUnserved!({ internal: 2, external: 1 })
    expect(s.metric('sync_proxy_rules_no_local_endpoints_total{traffic_policy="internal"}')).toBe(2)
  })

  test('tells load balancers of this node when the rules are there', async () => {
    const s = await stage((server) => void server.put('nodes', node()))
    await s.until(() => s.batches.length === 1)
    const wanted = [{ service: { namespace: 'default', name: 'web' }, port: 31000, localEndpoints: 1 }]
    s.told().onHealthChecks!(wanted)
    expect(s.checks).toEqual([])
    s.pass(s.batches[0]!.revision)
    s.pass(s.batches[0]!.revision + 1)
    expect(s.checks).toEqual([wanted])
  })

  test('is late when the kernel has nothing of what came, not while it keeps up', async () => {
    const s = await stage((server) => void server.put('nodes', node()))
    await s.until(() => s.batches.length === 1)
    const first = s.batches[0]!.revision
    expect(s.health.isHealthy()).toBe(true)
    s.time.late = true
    expect(s.health.isHealthy(), 'the first sync waits').toBe(false)
    s.pass(first)
    expect(s.health.isHealthy()).toBe(true)
    s.time.late = false
    for (const revision of [first + 1, first + 2]) s.told().onQueued!({ revision, first: false, changes: [] })
    s.time.late = true
    s.told().onAck({ kind: 'ack', received: first + 2, applied: first + 1 })
    expect(s.health.isHealthy(), 'one of two is there').toBe(true)
    s.time.later = true
    s.told().onAck({ kind: 'ack', received: first + 2, applied: first + 1 })
    expect(s.health.isHealthy(), 'the other one is not').toBe(false)
  })

  test('tells of what cannot be served, at the service or at the node', async () => {
    const s = await stage((server) => void server.put('nodes', node()))
    await s.until(() => s.batches.length === 1)
    s.told().onProblem!({ service: 'default/web', what: 'port is taken', value: '30080' })
    s.told().onProblem!({ what: 'range is none', value: 'x' })
    expect(s.events).toMatchObject([
      { reason: 'NotServed', note: 'port is taken: 30080', about: { kind: 'Service', namespace: 'default', name: 'web' } },
      { about: { kind: 'Node', name: 'node1' } },
    ])
  })

  test('hears of a node that is to go', async () => {
    const s = await stage((server) => void server.put('nodes', node()))
    await s.until(() => s.batches.length === 1)
    s.server.put('nodes', node('127.0.0.1', { deletionTimestamp: '2026-01-01T00:00:00Z' }))
    await s.until(() => s.batches.length === 2)
    expect([s.health.healthz().status, s.health.livez().status]).toEqual([503, 200])
  })

  test('follows the address of the node', async () => {
    const s = await stage((server) => void server.put('nodes', node()))
    await s.until(() => s.batches.length === 1)
    s.server.put('nodes', node('127.0.0.2'))
    await s.until(() => s.configured.length > 0)
    expect(s.configured).toEqual([{ family: 'ip', config: { podCIDRs: ['10.244.1.0/24'], addresses: ['127.0.0.2'] } }])
  })

  test('ends when the node gets another pod range, and goes by it', async () => {
    const s = await stage((server) => void server.put('nodes', node()), 'node-cidr')
    await s.until(() => s.batches.length === 1)
    s.server.put('nodes', node('127.0.0.1', {}, '10.244.9.0/24'))
    await expect(s.running).rejects.toMatchObject({ code: 'RESTART_NEEDED', message: expect.stringContaining('10.244.1.0/24 to 10.244.9.0/24') })
  })

  test('ends with a fault of its own instead of blaming the API server, and is begun anew by its supervisor', async () => {
    const s = await stage((server) => server.put('nodes', node()))
    await s.until(() => s.batches.length > 0)
    s.breaks(new TypeError('ours'))
    s.server.put('services', service('web'))
    await expect(s.running).rejects.toThrow('ours')
  })

  test('ends in order when it is told to, also before anything came', async () => {
    const s = await stage((server) => server.answerNext((q) => q.path === '/api/v1/services', () => {}))
    await s.server.asked((q) => q.path === '/api/v1/services')
    s.stop.abort()
    await expect(s.running).resolves.toBeUndefined()
  })
})
