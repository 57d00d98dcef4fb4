/** The pods of a node that is lost: not ready at once, deleted when their patience with the node's taint ends (core/v1 Toleration). */
import { rfc3339 } from '../../api/clock.ts'
import type { KubeObject, Node, Pod } from '../../api/objects.ts'
import type { ControllerDeps } from './controller.ts'
import { recordEvent } from './event.ts'
import { isFinished } from './pod-state.ts'

/** How long a pod stays on a lost node if it does not say otherwise (tolerationSeconds of the default tolerations). */
const defaultTolerationMs = 300_000

export interface Eviction {
  /** Deletes the pods whose patience with a taint has ended. @returns ms until the next pod's patience ends */
  readonly evict: (node: Node, taint: string) => Promise<number | undefined>
  readonly markNotReady: (node: string) => Promise<void>
}

export function createEviction(deps: ControllerDeps): Eviction {
  const { store, registry, clock } = deps

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
  const markNotReady = async (name: string): Promise<void> => {
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

  return { evict, markNotReady }
}

/** How long a pod tolerates a NoExecute taint: what it says itself, for ever if it tolerates it without a limit. Milliseconds. */
export function patience(pod: Pod, key: string): number {
  const matching = (pod.spec?.tolerations ?? []).filter(
    (t) => (t.effect ?? 'NoExecute') === 'NoExecute' && (t.key === key || (!t.key && t.operator === 'Exists')),
  )
  if (matching.length === 0) return defaultTolerationMs
  return Math.min(...matching.map((t) => (t.tolerationSeconds === undefined ? Infinity : Math.max(0, t.tolerationSeconds) * 1000)))
}
