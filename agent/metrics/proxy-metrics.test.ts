import { describe, expect, test } from 'vitest'
import { createRegistry } from '../../api/prometheus.ts'
import { createProxyMetrics, type MetricsMode } from './proxy-metrics.ts'

/** The value of one sample line. */
function valueOf(text: string, sample: string): number | undefined {
  const line = text.split('\n').find((l) => l.startsWith(`${sample} `))
  return line === undefined ? undefined : Number(line.slice(sample.length + 1))
}

describe('the text', () => {
  test('of each kind', () => {
    const registry = createRegistry()
    const plain = registry.counter('a_total', 'Counts\nthings \\ here')
    const labelled = registry.counter('b_total', 'Labelled.', 'labelled')
    const gauge = registry.gauge('c', 'Now.')
    const histogram = registry.histogram('d_seconds', 'Times.', [0.1, 1])
    registry.measured('e', 'gauge', { help: 'Asked for.', value: () => 7 })
    registry.measured('f', 'gauge', { help: 'Unknown.', value: () => undefined })
    plain.add()
    plain.add(2)
    labelled.add(1, { code: '200', path: 'a"b\\c\nd' })
    labelled.add(1, { code: '200', path: 'a"b\\c\nd' })
    gauge.set(1.5)
    for (const value of [0.05, 0.1, 0.5, 3]) histogram.observe(value)
    expect(registry.text()).toBe(`# HELP a_total Counts\\nthings \\\\ here
# TYPE a_total counter
a_total 3
# HELP b_total Labelled.
# TYPE b_total counter
b_total{code="200",path="a\\"b\\\\c\\nd"} 2
# HELP c Now.
# TYPE c gauge
c 1.5
# HELP d_seconds Times.
# TYPE d_seconds histogram
d_seconds_bucket{le="0.1"} 2
d_seconds_bucket{le="1"} 3
d_seconds_bucket{le="+Inf"} 4
d_seconds_sum 3.65
d_seconds_count 4
# HELP e Asked for.
# TYPE e gauge
e 7
`)
  })

  test('has a plain counter from the start, a labelled one when it has labels', () => {
    const registry = createRegistry()
    registry.counter('a', 'A.')
    registry.counter('b', 'B.', 'labelled')
    expect(registry.text()).toBe('# HELP a A.\n# TYPE a counter\na 0\n')
  })
})

function measured(mode: MetricsMode = 'nftables', proc?: string) {
  const time = { now: 1_000_000 }
  const metrics = createProxyMetrics({ mode, version: '1.2.3', now: () => time.now, ...(proc !== undefined && { proc }) })
  return { time, metrics, value: (sample: string) => valueOf(metrics.text(), `kubeproxy_${sample}`) }
}

const names = (text: string): readonly string[] => [...text.matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1]!)

describe('the proxy’s metrics', () => {
  const everywhere = [
    'kubeproxy_sync_proxy_rules_duration_seconds',
    'kubeproxy_sync_full_proxy_rules_duration_seconds',
    'kubeproxy_sync_partial_proxy_rules_duration_seconds',
    'kubeproxy_network_programming_duration_seconds',
    'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
    'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds',
    'kubeproxy_sync_proxy_rules_endpoint_changes_pending',
    'kubeproxy_sync_proxy_rules_endpoint_changes_total',
    'kubeproxy_sync_proxy_rules_service_changes_pending',
    'kubeproxy_sync_proxy_rules_service_changes_total',
    'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
    'kubeproxy_proxy_healthz_total',
    'kubeproxy_proxy_livez_total',
    'wherry_conntrack_deleted_total',
    'kubernetes_build_info',
  ]
  test.each<[MetricsMode, readonly string[]]>([
    ['nftables', ['kubeproxy_sync_proxy_rules_nftables_sync_failures_total']],
    [
      'iptables',
      [
        'kubeproxy_sync_proxy_rules_iptables_restore_failures_total',
        'kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total',
      ],
    ],
    ['ipvs', ['kubeproxy_sync_proxy_rules_iptables_restore_failures_total']],
  ])('have the names that dashboards know, in %s mode', (mode, own) => {
    expect(names(measured(mode).metrics.text()).toSorted()).toEqual([...everywhere, ...own].toSorted())
  })

  test('have kube-proxy’s buckets', () => {
    const bounds = (name: string): readonly string[] => [...measured().metrics.text().matchAll(new RegExp(`^kubeproxy_${name}_bucket\\{le="([^"]+)"`, 'gm'))].map((m) => m[1]!)
    expect(bounds('sync_proxy_rules_duration_seconds')).toEqual(['0.001', '0.002', '0.004', '0.008', '0.016', '0.032', '0.064', '0.128', '0.256', '0.512', '1.024', '2.048', '4.096', '8.192', '16.384', '+Inf'])
    const programming = bounds('network_programming_duration_seconds').map(Number)
    expect(programming.slice(0, 5)).toEqual([0.25, 0.5, 1, 2, 3])
    expect(programming.slice(59)).toEqual([58, 59, 60, 65, 70, 75, 80, 85, 90, 95, 100, 105, 110, 115, 120, 150, 180, 210, 240, 270, 300, Number.NaN])
  })

  test('tell what waits, and since when it does not', () => {
    const { metrics, time, value } = measured()
    metrics.onQueued({ services: 2, endpoints: 3 })
    time.now += 500
    metrics.onQueued({ services: 0, endpoints: 1 })
    expect([value('sync_proxy_rules_endpoint_changes_pending'), value('sync_proxy_rules_service_changes_pending'), value('sync_proxy_rules_last_queued_timestamp_seconds')]).toEqual([4, 2, 1000.5])
    expect(value('sync_proxy_rules_last_timestamp_seconds')).toBe(0)
    time.now += 1_000
    metrics.onPass({ ms: 3, full: false, triggers: [time.now - 700, time.now - 61_000] })
    expect([value('sync_proxy_rules_endpoint_changes_pending'), value('sync_proxy_rules_endpoint_changes_total'), value('sync_proxy_rules_last_timestamp_seconds')]).toEqual([0, 4, 1001.5])
    expect([value('sync_proxy_rules_duration_seconds_bucket{le="0.002"}'), value('sync_proxy_rules_duration_seconds_bucket{le="0.004"}')]).toEqual([0, 1])
    expect([value('sync_full_proxy_rules_duration_seconds_count'), value('sync_partial_proxy_rules_duration_seconds_count')]).toEqual([0, 1])
    expect(['0.5', '1', '60', '65'].map((le) => value(`network_programming_duration_seconds_bucket{le="${le}"}`))).toEqual([0, 1, 1, 2])
  })

  test('count failures, answers, and entries that were deleted', () => {
    const { metrics, value } = measured()
    metrics.onFailure('full')
    metrics.onFailure('partial')
    expect(value('sync_proxy_rules_nftables_sync_failures_total')).toBe(2)
    metrics.onHealth('healthz', 503)
    expect([value('proxy_healthz_total{code="503"}'), value('proxy_healthz_total{code="200"}'), value('proxy_livez_total{code="503"}')]).toEqual([1, 0, 0])
    metrics.setNoLocalEndpoints({ internal: 1, external: 2 })
    expect([value('sync_proxy_rules_no_local_endpoints_total{traffic_policy="internal"}'), value('sync_proxy_rules_no_local_endpoints_total{traffic_policy="external"}')]).toEqual([1, 2])
    metrics.onConntrackDeleted(5)
    metrics.onApiAnswer({ code: '200', method: 'GET', host: 'h:1' })
    expect(valueOf(metrics.text(), 'wherry_conntrack_deleted_total')).toBe(5)
    expect(valueOf(metrics.text(), 'rest_client_requests_total{code="200",method="GET",host="h:1"}')).toBe(1)
  })

  test('count the failures of iptables', () => {
    const { metrics, value } = measured('iptables')
    metrics.onFailure('full')
    metrics.onFailure('partial')
    expect([value('sync_proxy_rules_iptables_restore_failures_total'), value('sync_proxy_rules_iptables_partial_restore_failures_total')]).toEqual([2, 1])
  })

  test('say what runs', () => {
    expect(measured().metrics.text()).toMatch(/^kubernetes_build_info\{.*major="1",minor="2",git_version="wherry-v1\.2\.3".*\} 1$/m)
  })

  test('have the process itself, as the kernel knows it', () => {
    const { metrics } = measured('nftables', '/proc')
    const of = (name: string): number => valueOf(metrics.text(), name)!
    expect(Math.abs(of('process_resident_memory_bytes') - process.memoryUsage.rss()) / process.memoryUsage.rss()).toBeLessThan(0.5)
    expect(Math.abs(of('process_start_time_seconds') - (Date.now() / 1000 - process.uptime()))).toBeLessThan(5)
    const { user, system } = process.cpuUsage()
    expect(Math.abs(of('process_cpu_seconds_total') - (user + system) / 1e6)).toBeLessThan(1)
    expect(of('process_open_fds')).toBeGreaterThan(3)
    expect(of('process_max_fds')).toBeGreaterThanOrEqual(of('process_open_fds'))
    expect(of('process_virtual_memory_bytes')).toBeGreaterThan(of('process_resident_memory_bytes'))
  })

  test('leave out what the kernel does not tell', () => {
    expect(measured('nftables', '/nowhere').metrics.text()).not.toContain('process_')
  })
})
