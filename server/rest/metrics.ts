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
  const levels = { readOnly: levelOf(inflight.of({ request_kind: 'readOnly' })), mutating: levelOf(inflight.of({ request_kind: 'mutating' })) }
  const sorts = new Map<string, Sort>()

  /** The labels of a sort are always the same, and are written down once. */
  const sortOf = (labels: Labels, lasts: boolean): Sort => {
    const key = `${lasts ? 'lasting ' : ''}${Object.values(labels).join(' ')}`
    let sort = sorts.get(key)
    if (sort) return sort
    const level = lasts ? levelOf(longrunning.of(labels)) : levels[readOnly.has(labels['verb']!) ? 'readOnly' : 'mutating']
    const codes = new Map<number, { add(): void }>()
    const answered = (code: number): void => {
      let counter = codes.get(code)
      if (!counter) codes.set(code, (counter = total.of({ ...labels, code: String(code) })))
      counter.add()
    }
    sorts.set(key, (sort = { level, answered, ...(!lasts && { took: durationsOf(seconds.of(labels)) }) }))
    return sort
  }

  return {
    begun(call, target, wish) {
      const began = clock.now()
      const { level, answered, took } = sortOf(labelsOf(target, wish), isStream(call, wish))
      level.add(1)
      return () => {
        level.add(-1)
        answered(call.res.statusCode)
        took?.(clock.now() - began)
      }
    },
    text: () => registry.text(),
  }
}

/** Requests of one sort: verb, kind, and where. */
interface Sort {
  readonly level: { add(by: number): void }
  readonly answered: (code: number) => void
  /** Absent for those that last. */
  readonly took?: (ms: number) => void
}

const readOnly: ReadonlySet<string> = new Set(['GET', 'WATCH', 'LIST'])

const durationsOf =
  (seconds: { observe(value: number): void }) =>
  (ms: number): void =>
    seconds.observe(ms / 1000)

/** How many are under way, in a gauge. */
function levelOf(gauge: { set(value: number): void }): Sort['level'] {
  let value = 0
  return {
    add(by) {
      value += by
      gauge.set(value)
    },
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
