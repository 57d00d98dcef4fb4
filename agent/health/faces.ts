/** The two servers that every proxy has: for probes, and for those who look after it. */
import type { Answer, Handler } from './listener.ts'
import type { ProxyHealth } from './proxy-health.ts'

const plain = (status: number, body: string): Answer => ({
  status,
  headers: { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' },
  body,
})
const nothing = plain(404, '404 page not found\n')

export type HealthPath = 'healthz' | 'livez'

/** `/healthz` and `/livez`, on healthzBindAddress. @param onAnswer told the status code of each */
export function healthFace(health: ProxyHealth, onAnswer: (path: HealthPath, code: number) => void): Handler {
  const counted = (path: HealthPath, answer: Answer): Answer => {
    onAnswer(path, answer.status)
    return answer
  }
  return (path) => {
    if (path === '/healthz') return counted('healthz', health.healthz())
    if (path === '/livez') return counted('livez', health.livez())
    return nothing
  }
}

export interface MetricsFaceDeps {
  /** Prometheus text, version 0.0.4. */
  readonly metrics: () => string
  readonly mode: string
  /** KubeProxyConfiguration. */
  readonly config: unknown
}

/** `/metrics`, `/healthz`, `/proxyMode` and `/configz`, on metricsBindAddress. */
export function metricsFace({ metrics, mode, config }: MetricsFaceDeps): Handler {
  return (path) => {
    switch (path) {
      case '/metrics':
        return { status: 200, headers: { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }, body: metrics() }
      case '/healthz':
        return plain(200, 'ok')
      case '/proxyMode':
        return plain(200, mode)
      case '/configz':
        return {
          status: 200,
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ 'kubeproxy.config.k8s.io': config }),
        }
      default:
        return nothing
    }
  }
}
