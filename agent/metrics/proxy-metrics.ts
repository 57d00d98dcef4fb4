/**
 * What dashboards for kube-proxy read, by the same names where the meaning is the same (k8s.io/kubernetes/pkg/proxy/metrics).
 * Families that belong to one mode alone are there in that mode alone. Those of which nothing here has the meaning are absent:
 * `…_nftables_cleanup_failures_total` (what goes is part of the transaction that brings the rest), and
 * `…_iptables_total` and `…_iptables_last` (rules are not kept, and only those that change are written).
 */
import { arch } from 'node:os'
import { goArchitecture } from './node-facts.ts'
import { addProcessMeasures } from '../../api/process-measures.ts'
import { createRegistry, type Counter, type Gauge, type Shape } from '../../api/prometheus.ts'

export type MetricsMode = 'nftables' | 'iptables' | 'ipvs'

/** A pass of the sync loop that the kernel accepted. */
export interface MeasuredPass {
  readonly ms: number
  /** Whether everything was looked at, or only what changed. */
  readonly full: boolean
  /** When what is in the kernel now was set off, each in ms since 1970: the last-change-trigger-time of slices. */
  readonly triggers: readonly number[]
}

export interface ProxyMetrics {
  /** Changes came that the kernel does not have yet. */
  onQueued(changes: { readonly services: number; readonly endpoints: number }): void
  onPass(pass: MeasuredPass): void
  /** The kernel refused a pass over everything, or over what changed. */
  onFailure(pass: 'full' | 'partial'): void
  /** Service ports without an endpoint here although the policy wants one (Local). */
  setNoLocalEndpoints(counts: { readonly internal: number; readonly external: number }): void
  onConntrackDeleted(entries: number): void
  onHealth(path: 'healthz' | 'livez', code: number): void
  onApiAnswer(answer: { readonly code: string; readonly method: string; readonly host: string }): void
  /** Prometheus text. */
  text(): string
}

export interface ProxyMetricsDeps {
  readonly mode: MetricsMode
  /** Wherry's own. */
  readonly version: string
  readonly now: () => number
  /** Adds `process_…`; absent in tests. */
  readonly proc?: string
}

const prefix = 'kubeproxy_'
const syncBuckets = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i)
const steps = (first: number, step: number, count: number): readonly number[] => Array.from({ length: count }, (_, i) => first + step * i)
const programmingBuckets = [...steps(0.25, 0.25, 2), ...steps(1, 1, 59), ...steps(60, 5, 12), ...steps(120, 30, 7)]

export function createProxyMetrics({ mode, version, now, proc }: ProxyMetricsDeps): ProxyMetrics {
  const registry = createRegistry()
  const counter: MakeCounter = (name, help, shape) => registry.counter(prefix + name, help, shape)
  const gauge: MakeGauge = (name, help, shape) => registry.gauge(prefix + name, help, shape)
  const histogram = (name: string, help: string, buckets: readonly number[]) => registry.histogram(prefix + name, help, buckets)

  const sync = histogram('sync_proxy_rules_duration_seconds', 'How long one pass took.', syncBuckets)
  const full = histogram('sync_full_proxy_rules_duration_seconds', 'How long a pass over everything took.', syncBuckets)
  const partial = histogram('sync_partial_proxy_rules_duration_seconds', 'How long a pass over what changed took.', syncBuckets)
  const programming = histogram(
    'network_programming_duration_seconds',
    'From the change of a pod or service to rules in the kernel, by the annotation last-change-trigger-time of slices.',
    programmingBuckets,
  )
  const lastDone = gauge('sync_proxy_rules_last_timestamp_seconds', 'When the rules were last brought up to date.')
  const lastQueued = gauge('sync_proxy_rules_last_queued_timestamp_seconds', 'When a change last came.')
  const endpoints = createPending('endpoint', gauge, counter)
  const services = createPending('service', gauge, counter)
  const noLocal = gauge('sync_proxy_rules_no_local_endpoints_total', 'Service ports with the policy Local that have no endpoint here.', 'labelled')
  noLocal.set(0, { traffic_policy: 'internal' })
  noLocal.set(0, { traffic_policy: 'external' })
  const failures = createFailures(mode, counter)
  const health = { healthz: counter('proxy_healthz_total', 'Answers of /healthz.', 'labelled'), livez: counter('proxy_livez_total', 'Answers of /livez.', 'labelled') }
  for (const one of Object.values(health)) for (const code of ['200', '503']) one.add(0, { code })
  const conntrack = registry.counter('wherry_conntrack_deleted_total', 'Connection tracking entries that contradicted the rules and were deleted.')
  const requests = registry.counter('rest_client_requests_total', 'Answers of the Kubernetes API, by status code, method and host.', 'labelled')
  addBuildInfo(registry.gauge('kubernetes_build_info', 'What is running, always 1.', 'labelled'), version)
  if (proc !== undefined) addProcessMeasures(registry, proc)

  return {
    onQueued(changes) {
      lastQueued.set(now() / 1_000)
      endpoints.queued(changes.endpoints)
      services.queued(changes.services)
    },
    onPass({ ms, full: whole, triggers }) {
      sync.observe(ms / 1_000)
      ;(whole ? full : partial).observe(ms / 1_000)
      for (const at of triggers) programming.observe(Math.max(0, now() - at) / 1_000)
      lastDone.set(now() / 1_000)
      endpoints.done()
      services.done()
    },
    onFailure: failures,
    setNoLocalEndpoints({ internal, external }) {
      noLocal.set(internal, { traffic_policy: 'internal' })
      noLocal.set(external, { traffic_policy: 'external' })
    },
    onConntrackDeleted: (entries) => conntrack.add(entries),
    onHealth: (path, code) => health[path].add(1, { code: String(code) }),
    onApiAnswer: (answer) => requests.add(1, answer),
    text: () => registry.text(),
  }
}

type MakeGauge = (name: string, help: string, shape?: Shape) => Gauge
type MakeCounter = (name: string, help: string, shape?: Shape) => Counter

function createPending(what: 'endpoint' | 'service', gauge: MakeGauge, counter: MakeCounter) {
  const pending = gauge(`sync_proxy_rules_${what}_changes_pending`, `Changes of ${what}s that the kernel does not have yet.`)
  const total = counter(`sync_proxy_rules_${what}_changes_total`, `Changes of ${what}s so far.`)
  let waiting = 0
  return {
    queued(count: number): void {
      waiting += count
      pending.set(waiting)
      total.add(count)
    },
    done(): void {
      waiting = 0
      pending.set(0)
    },
  }
}

function createFailures(mode: MetricsMode, counter: MakeCounter): ProxyMetrics['onFailure'] {
  if (mode === 'nftables') {
    const sync = counter('sync_proxy_rules_nftables_sync_failures_total', 'Transactions that the kernel refused.')
    return () => sync.add()
  }
  const restore = counter('sync_proxy_rules_iptables_restore_failures_total', 'Restores that iptables refused.')
  const partial = mode === 'iptables' ? counter('sync_proxy_rules_iptables_partial_restore_failures_total', 'Partial restores that iptables refused.') : undefined
  return (pass) => {
    restore.add()
    if (pass === 'partial') partial?.add()
  }
}

function addBuildInfo(gauge: Gauge, version: string): void {
  const [major = '', minor = ''] = version.split('.')
  const none = { build_date: '', git_commit: '', git_tree_state: '' }
  gauge.set(1, { ...none, major, minor, git_version: `wherry-v${version}`, go_version: '', compiler: '', platform: `linux/${goArchitecture(arch())}` })
}
