/** ReplicaSet (apps/v1): as many pods as `spec.replicas` says, owned and matching its selector. */
import { keyOf, type KubeObject, type Pod, type ReplicaSet } from '../../api/objects.ts'
import { matchesSelector } from '../../api/selectors.ts'
import type { Draft } from '../registry/registry.ts'
import { controllerOf, createController, ownedBy, splitKey, type Controller, type ControllerDeps } from './controller.ts'
import { isAvailable, isFinished, isReady } from './pod-state.ts'
import { recordEvent } from './event.ts'

/** More would make one bad ReplicaSet hold up everything else. */
const burst = 100

export function createReplicaSetController(deps: ControllerDeps): Controller {
  const { store, registry, clock } = deps

  const podsOf = (rs: ReplicaSet): Pod[] =>
    (store.list('pods', rs.metadata.namespace) as Pod[]).filter((p) => controllerOf(p as KubeObject)?.uid === rs.metadata.uid)

  const adopt = async (rs: ReplicaSet): Promise<void> => {
    for (const pod of store.list('pods', rs.metadata.namespace)) {
      if (controllerOf(pod) || pod.metadata.deletionTimestamp || !matchesSelector(rs.spec!.selector, pod.metadata.labels)) continue
      await registry.update({ resource: 'pods', namespace: rs.metadata.namespace!, name: pod.metadata.name }, (current) => ({
        ...current,
        metadata: { ...current.metadata, ownerReferences: [...(current.metadata.ownerReferences ?? []), ownedBy(rs as KubeObject)] },
      }))
    }
  }

  const grow = async (rs: ReplicaSet, count: number): Promise<void> => {
    const { namespace, name } = rs.metadata
    const template = rs.spec!.template!
    for (let i = 0; i < Math.min(count, burst); i++) {
      try {
        const pod = await registry.create({ resource: 'pods', namespace: namespace!, name: '' }, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { ...template.metadata, generateName: `${name}-`, namespace, ownerReferences: [ownedBy(rs as KubeObject)] },
          spec: template.spec,
        } as Draft)
        await recordEvent(deps, rs as KubeObject, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}`, source: 'replicaset-controller' })
      } catch (e) {
        await recordEvent(deps, rs as KubeObject, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${(e as Error).message}`, source: 'replicaset-controller' })
        throw e
      }
    }
  }

  const shrink = async (rs: ReplicaSet, pods: readonly Pod[], count: number): Promise<void> => {
    for (const pod of pods.toSorted(worstFirst).slice(0, count)) {
      await registry.remove({ resource: 'pods', namespace: pod.metadata.namespace!, name: pod.metadata.name }, { preconditions: { uid: pod.metadata.uid } })
      await recordEvent(deps, rs as KubeObject, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}`, source: 'replicaset-controller' })
    }
  }

  return createController(deps, {
    name: 'replicaset',
    resources: ['replicasets.apps', 'pods'],
    keys({ resource, object, previous }) {
      if (resource === 'replicasets.apps') return [keyOf(object)]
      const keys = new Set<string>()
      for (const state of [object, previous]) {
        if (!state) continue
        const owner = controllerOf(state)
        if (owner?.kind === 'ReplicaSet') keys.add(`${state.metadata.namespace}/${owner.name}`)
        // A pod without a controller may be one to adopt.
        else if (!owner) for (const rs of store.list('replicasets.apps', state.metadata.namespace)) keys.add(keyOf(rs))
      }
      return keys
    },
    async reconcile(key) {
      const ref = { resource: 'replicasets.apps', ...splitKey(key) } as const
      const rs = store.get(ref) as ReplicaSet | undefined
      if (!rs) return undefined
      if (!rs.metadata.deletionTimestamp) {
        await adopt(rs)
        const alive = podsOf(rs).filter((p) => !p.metadata.deletionTimestamp && !isFinished(p))
        const missing = (rs.spec!.replicas ?? 1) - alive.length
        if (missing > 0) await grow(rs, missing)
        else if (missing < 0) await shrink(rs, alive, -missing)
      }
      const pods = podsOf(rs).filter((p) => !isFinished(p) && !p.metadata.deletionTimestamp)
      const minReadyMs = (rs.spec!.minReadySeconds ?? 0) * 1000
      const labels = Object.entries(rs.spec!.template?.metadata?.labels ?? {})
      const ready = pods.filter(isReady)
      const status = {
        replicas: pods.length,
        fullyLabeledReplicas: pods.filter((p) => labels.every(([k, v]) => p.metadata.labels?.[k] === v)).length,
        readyReplicas: ready.length,
        availableReplicas: pods.filter((p) => isAvailable(p, minReadyMs, clock.now())).length,
        observedGeneration: rs.metadata.generation,
      }
      const gone = store.get(ref)?.metadata.uid !== rs.metadata.uid
      if (!gone) await registry.update(ref, (current) => ({ ...current, status: { ...(current.status as object), ...status } }), { subresource: 'status' })
      return status.availableReplicas < ready.length ? minReadyMs : undefined
    },
  })
}

/** Which pod to give up first: not bound, not running, not ready, restarted more, younger. */
function worstFirst(a: Pod, b: Pod): number {
  const rank = (p: Pod): readonly number[] => [
    p.spec?.nodeName ? 1 : 0,
    p.status?.phase === 'Running' ? 1 : 0,
    isReady(p) ? 1 : 0,
    -Math.max(0, ...(p.status?.containerStatuses ?? []).map((c) => c.restartCount)),
    -Date.parse(p.metadata.creationTimestamp),
  ]
  const ra = rank(a)
  const rb = rank(b)
  for (let i = 0; i < ra.length; i++) if (ra[i] !== rb[i]) return ra[i]! - rb[i]!
  return a.metadata.name < b.metadata.name ? -1 : 1
}
