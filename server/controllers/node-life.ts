/**
 * The life of Nodes (core/v1): a node whose Lease (coordination/v1) is not renewed in time is Unknown and tainted, and so
 * takes no new pods; its pods are deleted after what they tolerate. When it comes back, it is as before.
 */
import { rfc3339 } from '../../api/clock.ts'
import type { KubeObject, Lease, Node, NodeCondition, Pod } from '../../api/objects.ts'
import { createController, type Controller, type ControllerDeps } from './controller.ts'
import { recordEvent } from './event.ts'
import { isFinished } from './pod-state.ts'

/** As kube-controller-manager's --node-monitor-grace-period. */
const graceMs = 40_000
/** How long a pod stays on a lost node if it does not say otherwise (tolerationSeconds of the default tolerations). */
const defaultTolerationMs = 300_000

const taintKeys = { NotReady: 'node.kubernetes.io/not-ready', Unknown: 'node.kubernetes.io/unreachable' } as const

export function createNodeLifeController(deps: ControllerDeps): Controller {
  const { store, registry, clock } = deps

  const writeConditions = async (node: Node): Promise<void> => {
    const now = rfc3339(clock.now())
    const lost = (c: NodeCondition): NodeCondition =>
      c.status === 'Unknown'
        ? c
        : { ...c, status: 'Unknown', reason: 'NodeStatusUnknown', message: 'The agent stopped posting node status.', lastTransitionTime: now }
    await registry.update(
      nodeRef(node.metadata.name),
      (c) => {
        const status = (c as Node).status ?? {}
        const conditions = status.conditions?.length ? status.conditions : [{ type: 'Ready', status: 'True' }]
        return { ...c, status: { ...status, conditions: conditions.map(lost) } }
      },
      { subresource: 'status' },
    )
    await recordEvent(deps, node as KubeObject, {
      type: 'Warning',
      reason: 'NodeNotReady',
      message: `Node ${node.metadata.name} stopped reporting`,
      source: 'node-controller',
    })
  }

  const writeTaints = async (node: Node, state: keyof typeof taintKeys | 'Ready'): Promise<void> => {
    const ours = new Set<string>(Object.values(taintKeys))
    const present = node.spec?.taints ?? []
    const others = present.filter((t) => !ours.has(t.key))
    const key = state === 'Ready' ? undefined : taintKeys[state]
    const kept = present.filter((t) => t.key === key)
    const added = key
      ? (['NoSchedule', 'NoExecute'] as const).map((effect) => kept.find((t) => t.effect === effect) ?? { key, effect, timeAdded: rfc3339(clock.now()) })
      : []
    const taints = [...others, ...added]
    if (JSON.stringify(taints) === JSON.stringify(present)) return
    await registry.update(nodeRef(node.metadata.name), (c) => ({ ...c, spec: { ...(c.spec as object), taints } }))
  }

  /** @returns ms until the next pod's patience ends */
  const evict = async (node: Node, key: string): Promise<number | undefined> => {
    const since = node.spec?.taints?.find((t) => t.key === key && t.effect === 'NoExecute')?.timeAdded
    if (!since) return undefined
    let next: number | undefined
    for (const pod of podsOn(node.metadata.name)) {
      const left = Date.parse(since) + patience(pod, key) - clock.now()
      if (left > 0) {
        if (Number.isFinite(left)) next = Math.min(next ?? left, left)
        continue
      }
      await registry.remove({ resource: 'pods', namespace: pod.metadata.namespace!, name: pod.metadata.name }, { preconditions: { uid: pod.metadata.uid } })
      await recordEvent(deps, pod as KubeObject, { type: 'Normal', reason: 'TaintManagerEviction', message: `Deleted since node ${node.metadata.name} is lost`, source: 'node-controller' })
    }
    return next
  }

  const podsOn = (name: string): Pod[] =>
    (store.list('pods') as Pod[]).filter((p) => p.spec?.nodeName === name && !p.metadata.deletionTimestamp && !isFinished(p))

  /** Pods that a lost node can no longer report as gone must not hold up their services: they are not ready. */
  const markPodsNotReady = async (name: string): Promise<void> => {
    for (const pod of podsOn(name)) {
      if (!pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')) continue
      const now = rfc3339(clock.now())
      await registry.update(
        { resource: 'pods', namespace: pod.metadata.namespace!, name: pod.metadata.name },
        (c) => {
          const status = (c as Pod).status ?? {}
          const conditions = status.conditions?.map((k) => (k.type === 'Ready' ? { ...k, status: 'False', reason: 'NodeNotReady', lastTransitionTime: now } : k))
          return { ...c, status: { ...status, conditions } }
        },
        { subresource: 'status' },
      )
    }
  }

  return createController(deps, {
    name: 'node-life',
    resources: ['nodes', 'leases.coordination.k8s.io'],
    keys({ resource, object }) {
      if (resource === 'nodes') return [object.metadata.name]
      return object.metadata.namespace === 'kube-node-lease' ? [object.metadata.name] : []
    },
    async reconcile(name) {
      const node = store.get(nodeRef(name)) as Node | undefined
      if (!node) return undefined
      const lease = store.get({ resource: 'leases.coordination.k8s.io', namespace: 'kube-node-lease', name }) as Lease | undefined
      const seen = Date.parse(String(lease?.spec?.renewTime ?? node.metadata.creationTimestamp))
      const left = seen + graceMs - clock.now()
      const ready = node.status?.conditions?.find((c) => c.type === 'Ready')?.status
      if (left <= 0 && ready !== 'Unknown') await writeConditions(node)
      if (left <= 0) await markPodsNotReady(name)
      const state = left <= 0 ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady'
      await writeTaints(node, state)
      const tainted = store.get(nodeRef(name)) as Node | undefined
      const patienceLeft = tainted && state !== 'Ready' ? await evict(tainted, taintKeys[state]) : undefined
      return left > 0 ? Math.min(left, patienceLeft ?? left) : patienceLeft
    },
  })
}

const nodeRef = (name: string) => ({ resource: 'nodes', namespace: '', name }) as const

/** How long a pod tolerates a NoExecute taint: what it says itself, for ever if it tolerates it without a limit. Milliseconds. */
export function patience(pod: Pod, key: string): number {
  const matching = (pod.spec?.tolerations ?? []).filter(
    (t) => (t.effect ?? 'NoExecute') === 'NoExecute' && (t.key === key || (!t.key && t.operator === 'Exists')),
  )
  if (matching.length === 0) return defaultTolerationMs
  return Math.min(...matching.map((t) => (t.tolerationSeconds === undefined ? Infinity : Math.max(0, t.tolerationSeconds) * 1000)))
}
