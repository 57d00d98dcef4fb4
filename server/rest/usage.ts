/** metrics.k8s.io/v1beta1, which `kubectl top` reads: what agents last measured. Nothing of it is stored. */
import { rfc3339 } from '../../api/clock.ts'
import type { PodUsage } from '../../api/frames.ts'
import type { KubeObject, Pod } from '../../api/objects.ts'
import { apiVersionOf, kindOf } from '../../api/resources.ts'
import { StatusError } from '../../api/status.ts'
import { negotiate } from './accept.ts'
import type { Call } from './call.ts'
import { usageGroup } from './discovery.ts'
import { filterOf } from './filter.ts'
import { sendValue } from './reply.ts'
import type { ResourceTarget, UsageTarget } from './target.ts'

type Metrics = Readonly<Record<string, unknown>>

/** Nodes are measured over this time. */
const nodeWindow = '3s'

/** @throws StatusError NotFound for an object of which nothing was measured in the last half minute */
export async function usage(call: Call, target: UsageTarget): Promise<void> {
  const { media } = negotiate(call.req.headers.accept)
  const { of, namespace, name } = target
  const { store } = call.deps
  const stored: ResourceTarget = { kind: 'resource', of: kindOf(of), namespace, name }
  const { matches } = filterOf(call.query, stored)
  await store.fresh(call.signal)
  const objects = store.list(of, namespace || undefined).filter(matches)
  const items = of === 'nodes' ? objects.flatMap((node) => nodeMetrics(call, node)) : podMetrics(call, objects as readonly Pod[])
  const { kind } = usageGroup.kinds.find((k) => k.plural === of)!
  const apiVersion = apiVersionOf(usageGroup)
  if (name === '') return sendValue(call, { kind: `${kind}List`, apiVersion, metadata: {}, items }, { media })
  if (!items[0]) throw nothingMeasured(of, name)
  sendValue(call, { kind, apiVersion, ...items[0] }, { media })
}

function nothingMeasured(of: string, name: string): StatusError {
  const { group } = usageGroup
  return new StatusError('NotFound', `${of}.${group} "${name}" not found: nothing was measured of it lately`, { name, group, kind: of })
}

function nodeMetrics({ deps }: Call, node: KubeObject): readonly Metrics[] {
  const used = deps.sessions.usage(node.metadata.name)
  if (!used) return []
  return [{ metadata: metadataOf(node), timestamp: rfc3339(deps.clock.now()), window: nodeWindow, usage: amounts(used) }]
}

function podMetrics({ deps }: Call, pods: readonly Pod[]): readonly Metrics[] {
  const byNode = Map.groupBy(pods, (pod) => pod.spec?.nodeName ?? '')
  return [...byNode].flatMap(([node, placed]) => {
    const load = node === '' ? undefined : deps.sessions.podLoad(node)
    if (!load) return []
    const measured = new Map(load.pods.map((pod) => [pod.key, pod]))
    const when = { timestamp: rfc3339(load.at), window: `${Math.max(1, Math.round(load.windowMs / 1000))}s` }
    return placed.flatMap((pod) => {
      const used = measured.get(`${pod.metadata.namespace}/${pod.metadata.name}`)
      return used ? [{ metadata: metadataOf(pod), ...when, containers: containersOf(used) }] : []
    })
  })
}

const containersOf = ({ containers }: PodUsage): readonly Metrics[] => containers.map((c) => ({ name: c.name, usage: amounts(c) }))

const metadataOf = ({ metadata: { name, namespace, labels, creationTimestamp } }: KubeObject): Metrics => ({
  name,
  ...(namespace && { namespace }),
  creationTimestamp,
  ...(labels && { labels }),
})

/** As Quantities: billionths of a core, and Ki. */
function amounts({ cpuMillis, memoryBytes }: { readonly cpuMillis: number; readonly memoryBytes: number }): Metrics {
  return { cpu: `${Math.round(cpuMillis * 1e6)}n`, memory: `${Math.round(memoryBytes / 1024)}Ki` }
}
