/**
 * Whether the proxy keeps up, and whether this node should get traffic at all: what `/healthz` and `/livez` say. A cloud's
 * load balancer asks `/healthz` of every node for services with external traffic policy Cluster (KEP-3836).
 */
import type { Answer } from './listener.ts'

export type HealthFamily = 'ip' | 'ip6'

/** The Node object as far as it matters here. */
export interface NodeFate {
  readonly metadata: { readonly deletionTimestamp?: string }
  readonly spec?: { readonly taints?: readonly { readonly key: string }[] }
}

/** Set by the cluster autoscaler on a node that it is about to remove. */
const removalTaint = 'ToBeDeletedByClusterAutoscaler'

export interface ProxyHealth {
  /** There is a change that the kernel does not have yet. */
  queued(family: HealthFamily): void
  /** The kernel has everything that was queued. */
  updated(family: HealthFamily): void
  /** Undefined where the node is unknown, which counts for it. */
  node(node: NodeFate | undefined): void
  /** Whether no family has had a change waiting for too long. */
  isHealthy(): boolean
  /** Keeping up, and a node that stays: 200, else 503. */
  healthz(): Answer
  /** Keeping up: 200, else 503. */
  livez(): Answer
}

/** @param lateMs how long a change may wait: twice the sync period */
export function createProxyHealth({ now, lateMs }: { readonly now: () => number; readonly lateMs: number }): ProxyHealth {
  /** Since when the oldest change of a family waits. */
  const waiting = new Map<HealthFamily, number>()
  let lastUpdated = 0
  let eligible = true

  const isHealthy = (): boolean => [...waiting.values()].every((since) => now() - since < lateMs)
  const answer = (ok: boolean, rest: string): Answer => {
    const current = now()
    // A proxy that is up to date says so, however long ago the last change was.
    const updated = isHealthy() ? current : lastUpdated
    const body = `{"lastUpdated": ${JSON.stringify(goTime(updated))},"currentTime": ${JSON.stringify(goTime(current))}${rest}}`
    return { status: ok ? 200 : 503, headers: { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' }, body }
  }

  return {
    queued(family) {
      if (!waiting.has(family)) waiting.set(family, now())
    },
    updated(family) {
      waiting.delete(family)
      lastUpdated = now()
    },
    node(node) {
      eligible = !node || (node.metadata.deletionTimestamp === undefined && !node.spec?.taints?.some((t) => t.key === removalTaint))
    },
    isHealthy,
    healthz: () => answer(isHealthy() && eligible, `, "nodeEligible": ${eligible}`),
    livez: () => answer(isHealthy(), ''),
  }
}

/** As Go prints a time, which is what readers of these answers have seen so far. */
function goTime(ms: number): string {
  const [day, time] = new Date(ms).toISOString().replace('Z', '').split('T') as [string, string]
  return `${day} ${time.replace(/\.?0+$/, '')} +0000 UTC`
}
