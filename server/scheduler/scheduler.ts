/** Binds pods that have no node: filters, scores by measured load, binds, and says why in an event. */
import { rfc3339 } from '../../api/clock.ts'
import type { NodeUsage } from '../../api/frames.ts'
import { keyOf, type KubeObject, type Node, type Pod } from '../../api/objects.ts'
import { controllerOf, createController, splitKey, type Controller, type ControllerDeps } from '../controllers/controller.ts'
import { recordEvent } from '../controllers/event.ts'
import { isFinished } from '../controllers/pod-state.ts'
import { writingAs } from '../registry/writing.ts'
import { explainRefusals, refusal } from './filter.ts'
import { capacityOf, nothing, plus, requestsOf, type Requests } from './requests.ts'
import { describe, score, type Score } from './score.ts'

const schedulerNames: readonly string[] = ['default-scheduler', 'wherry-scheduler']

/** Placements younger than this do not show in the measured figures yet. */
const freshMs = 15_000
/** What a pod that requests nothing is taken to use while it is that young. */
const unmeasured: Requests = { cpuMillis: 100, memoryBytes: 64 * 1024 * 1024, pods: 0 }
const againMs = 5_000

export interface SchedulerDeps extends ControllerDeps {
  readonly usage: (node: string) => NodeUsage | undefined
}

export function createScheduler(deps: SchedulerDeps): Controller {
  const { store, clock } = deps
  const registry = writingAs(deps.registry, 'wherry-scheduler')
  /** Pods bound lately: node, what they may use, when. */
  let placements: { readonly node: string; readonly requests: Requests; readonly at: number }[] = []

  const recentOn = (node: string): Requests =>
    placements.filter((p) => p.node === node).reduce((sum, p) => plus(sum, p.requests), nothing)

  const rank = (pod: Pod): { ranked: { node: Node; score: Score }[]; reasons: string[]; nodes: number } => {
    const nodes = store.list('nodes') as Node[]
    const on = new Map<string, Pod[]>(nodes.map((n) => [n.metadata.name, []]))
    for (const p of store.list('pods') as Pod[]) if (p.spec?.nodeName && !isFinished(p)) on.get(p.spec.nodeName)?.push(p)
    const owner = controllerOf(pod as KubeObject)?.uid
    const reasons: string[] = []
    const ranked = nodes.flatMap((node) => {
      const here = on.get(node.metadata.name)!
      const promised = here.map(requestsOf).reduce(plus, nothing)
      const why = refusal(pod, { node, promised })
      if (why) {
        reasons.push(why)
        return []
      }
      const siblings = owner ? here.filter((p) => controllerOf(p as KubeObject)?.uid === owner).length : 0
      const load = { usage: deps.usage(node.metadata.name), promised, capacity: capacityOf(node), recent: recentOn(node.metadata.name), siblings }
      return [{ node, score: score(load) }]
    })
    ranked.sort((a, b) => b.score.total - a.score.total || (a.node.metadata.name < b.node.metadata.name ? -1 : 1))
    return { ranked, reasons, nodes: nodes.length }
  }

  const refuse = async (pod: Pod, message: string): Promise<void> => {
    const before = pod.status?.conditions?.find((c) => c.type === 'PodScheduled')
    if (before?.status === 'False' && before.message === message) return
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime: rfc3339(clock.now()) }
    await registry.update(
      podRef(keyOf(pod)),
      (c) => {
        const status = (c as Pod).status ?? {}
        return { ...c, status: { ...status, conditions: [...(status.conditions ?? []).filter((k) => k.type !== 'PodScheduled'), condition] } }
      },
      { subresource: 'status' },
    )
    await recordEvent(deps, pod as KubeObject, { type: 'Warning', reason: 'FailedScheduling', message, source: 'wherry-scheduler' })
  }

  return createController(deps, {
    name: 'scheduler',
    resources: ['pods', 'nodes'],
    keys({ resource, object }) {
      if (resource === 'pods') return waits(object as Pod) ? [keyOf(object)] : []
      return (store.list('pods') as Pod[]).filter(waits).map(keyOf)
    },
    // One at a time: each placement counts for the next.
    width: 1,
    async reconcile(key) {
      const pod = store.get(podRef(key)) as Pod | undefined
      if (!pod || !waits(pod)) return undefined
      placements = placements.filter((p) => clock.now() - p.at < freshMs)
      const unsupported = unsupportedField(pod)
      if (unsupported) {
        await refuse(pod, `${unsupported} is not supported by this scheduler; remove the field, or use nodeSelector or nodeAffinity`)
        return undefined
      }
      const { ranked, reasons, nodes } = rank(pod)
      const best = ranked[0]
      if (!best) {
        await refuse(pod, explainRefusals(nodes, reasons))
        return againMs
      }
      const node = best.node.metadata.name
      await registry.bind(podRef(key), node)
      const wanted = requestsOf(pod)
      placements.push({
        node,
        requests: { cpuMillis: wanted.cpuMillis || unmeasured.cpuMillis, memoryBytes: wanted.memoryBytes || unmeasured.memoryBytes, pods: 0 },
        at: clock.now(),
      })
      const others = ranked.slice(1, 4).map((r) => `${r.node.metadata.name} (${describe(r.score)})`)
      const message = `Successfully assigned ${key} to ${node} (${describe(best.score)})${others.length > 0 ? `, before ${others.join(', ')}` : ''}`
      await recordEvent(deps, pod as KubeObject, { type: 'Normal', reason: 'Scheduled', message, source: 'wherry-scheduler' })
      return undefined
    },
  })
}

const podRef = (key: string) => ({ resource: 'pods', ...splitKey(key) }) as const

function waits(pod: Pod): boolean {
  return (
    !pod.spec?.nodeName &&
    !pod.metadata.deletionTimestamp &&
    !isFinished(pod) &&
    schedulerNames.includes(pod.spec?.schedulerName ?? 'default-scheduler')
  )
}

/** What would be ignored silently is refused by name. */
function unsupportedField(pod: Pod): string | undefined {
  const { affinity, topologySpreadConstraints } = pod.spec ?? {}
  if (affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.length) return 'spec.affinity.podAffinity'
  if (affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.length) return 'spec.affinity.podAntiAffinity'
  if (topologySpreadConstraints?.some((c) => c.whenUnsatisfiable === 'DoNotSchedule')) return 'spec.topologySpreadConstraints'
  return undefined
}
