/** Deployment (apps/v1): one ReplicaSet for each template, and the walk from the old one to the new one. */
import { keyOf, type Deployment, type ReplicaSet } from '../../api/objects.ts'
import { controllerOf, createController, splitKey, type Controller, type ControllerDeps } from './controller.ts'
import { createReplicaSets } from './deployment-replicasets.ts'
import { nextScale, type Scale } from './rollout.ts'

export function createDeploymentController(deps: ControllerDeps): Controller {
  const { store } = deps
  const sets = createReplicaSets(deps)

  return createController(deps, {
    name: 'deployment',
    resources: ['deployments.apps', 'replicasets.apps'],
    keys({ resource, object }) {
      if (resource === 'deployments.apps') return [keyOf(object)]
      const owner = controllerOf(object)
      return owner?.kind === 'Deployment' ? [`${object.metadata.namespace}/${owner.name}`] : []
    },
    async reconcile(key) {
      const ref = { resource: 'deployments.apps', ...splitKey(key) } as const
      const d = store.get(ref) as Deployment | undefined
      if (!d || d.metadata.deletionTimestamp) return undefined
      const fresh = await sets.current(d, sets.replicaSetsOf(d))
      const all = sets.replicaSetsOf(d)
      const old = all.filter((rs) => rs.metadata.uid !== fresh?.metadata.uid)
      for (const step of nextScale(d, fresh && scaleOf(fresh), old.map(scaleOf))) {
        await sets.scale(d, all.find((rs) => rs.metadata.uid === step.uid)!, step.replicas)
      }
      if (!d.spec!.paused) await sets.dropHistory(d, old)
      const now = sets.replicaSetsOf(d)
      const moved = store.get(ref) as Deployment | undefined
      if (moved?.metadata.uid !== d.metadata.uid) return undefined
      return sets.writeStatus(moved, now.find((rs) => rs.metadata.uid === fresh?.metadata.uid), now)
    },
  })
}

function scaleOf(rs: ReplicaSet): Scale {
  return {
    uid: rs.metadata.uid,
    replicas: rs.spec?.replicas ?? 0,
    running: rs.status?.replicas ?? 0,
    available: rs.status?.availableReplicas ?? 0,
    created: rs.metadata.creationTimestamp,
  }
}
