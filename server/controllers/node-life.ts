/**
 * The life of Nodes (core/v1): a node whose Lease (coordination/v1) is not renewed in time is Unknown and tainted, and so
 * takes no new pods; its pods are deleted after what they tolerate. When it comes back, it is as before.
 *
 * Silence counts from when this hub began to listen: nodes could not be heard while no hub was there, and a hub that comes back after
 * a while must not call all of them lost, and take every endpoint away, before the first of them has said a word.
 */
import { rfc3339 } from '../../api/clock.ts'
import type { KubeObject, Lease, Node, NodeCondition } from '../../api/objects.ts'
import { createController, type Controller, type ControllerDeps } from './controller.ts'
import { recordEvent } from './event.ts'
import { createEviction } from './eviction.ts'

/** As kube-controller-manager's --node-monitor-grace-period. */
const graceMs = 40_000

const taintKeys = { NotReady: 'node.kubernetes.io/not-ready', Unknown: 'node.kubernetes.io/unreachable' } as const

export function createNodeLifeController(deps: ControllerDeps): Controller {
  const { store, registry, clock } = deps
  const listensSince = clock.now()

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

  const pods = createEviction(deps)

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
      const renewed = Date.parse(String(lease?.spec?.renewTime ?? node.metadata.creationTimestamp))
      const ready = node.status?.conditions?.find((c) => c.type === 'Ready')?.status
      // Who was lost before is lost until it is heard.
      const seen = ready === 'Unknown' ? renewed : Math.max(renewed, listensSince)
      const left = seen + graceMs - clock.now()
      if (left <= 0 && ready !== 'Unknown') await writeConditions(node)
      if (left <= 0) await pods.markNotReady(name)
      const state = left <= 0 ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady'
      await writeTaints(node, state)
      const tainted = store.get(nodeRef(name)) as Node | undefined
      const patienceLeft = tainted && state !== 'Ready' ? await pods.evict(tainted, taintKeys[state]) : undefined
      return left > 0 ? Math.min(left, patienceLeft ?? left) : patienceLeft
    },
  })
}

const nodeRef = (name: string) => ({ resource: 'nodes', namespace: '', name }) as const
