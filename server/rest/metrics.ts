/** /metrics: what the hub measures, as Prometheus text, requests by the names that dashboards for kube-apiserver read. */
import { createRegistry } from '../../api/prometheus.ts'
import type { Labels } from '../../api/prometheus.ts'
import type { Wish } from '../auth/auth.ts'
import type { Call, RestDeps } from './call.ts'
import { isStream } from './inflight.ts'
import { sendText } from './reply.ts'
import type { Target } from './target.ts'

export interface RequestMetrics {
  /** A request is under way. @returns to be called when it was answered */
  begun(call: Call, target: Target, wish: Wish): () => void
  text(): string
}

/** Seconds. */
const durations = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const
export function createRequestMetrics({ clock, metrics: registry = createRegistry() }: RestDeps): RequestMetrics {
  const total = registry.counter('apiserver_request_total', 'Requests answered, by what they asked and the code of the answer.', 'labelled')
  const seconds = registry.histogram('apiserver_request_duration_seconds', 'Time to the end of the answer; of those that do not last.', durations, 'labelled')
  const inflight = registry.gauge('apiserver_current_inflight_requests', 'Requests under way; without those that last.', 'labelled')
  const longrunning = registry.gauge('apiserver_longrunning_requests', 'Watches, logs that are followed, and other requests that last.', 'labelled')
  const current = new Map<string, number>()

  /** Counts up, and back when the returned function is called. */
  const during = (gauge: typeof inflight, labels: Labels): (() => void) => {
    const key = JSON.stringify(labels)
    const add = (by: number): void => {
      const next = (current.get(key) ?? 0) + by
      current.set(key, next)
      gauge.set(next, labels)
    }
    add(1)
    return () => add(-1)
  }

  return {
    begun(call, target, wish) {
      const began = clock.now()
      const labels = labelsOf(target, wish)
      const lasts = isStream(call, wish)
      const kind = { request_kind: ['GET', 'WATCH', 'LIST'].includes(labels['verb']!) ? 'readOnly' : 'mutating' }
      const end = lasts ? during(longrunning, labels) : during(inflight, kind)
      return () => {
        end()
        total.add(1, { ...labels, code: String(call.res.statusCode) })
        if (!lasts) seconds.observe((clock.now() - began) / 1000, labels)
      }
    },
    text: () => registry.text(),
  }
}

const knownVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'])

/** Only words of ours, so that no client makes up label values. */
function labelsOf(target: Target, { verb, subresource = '' }: Wish): Labels {
  const word = { verb: knownVerbs.has(verb) ? verb.toUpperCase() : 'OTHER' }
  if (target.kind === 'resource') {
    const { group, version, plural } = target.of
    return { ...word, group, version, resource: plural, subresource, scope: scopeOf(target.namespace, target.name) }
  }
  if (target.kind === 'usage') {
    const { of, namespace, name } = target
    return { ...word, group: 'metrics.k8s.io', version: 'v1beta1', resource: of, subresource, scope: scopeOf(namespace, name) }
  }
  if (target.kind === 'proxy') return { ...word, group: '', version: 'v1', resource: target.of, subresource, scope: 'resource' }
  return { ...word, group: '', version: '', resource: '', subresource: target.kind, scope: '' }
}

const scopeOf = (namespace: string, name: string): string => (name !== '' ? 'resource' : namespace === '' ? 'cluster' : 'namespace')

export function metrics(call: Call, requests: RequestMetrics): void {
  sendText(call, requests.text(), { code: 200, type: 'text/plain; version=0.0.4; charset=utf-8' })
}
