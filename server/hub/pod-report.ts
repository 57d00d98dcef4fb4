/** A node's word about its pods (core/v1 Pod). A node speaks for the pods that are bound to it, and for no others. */
import type { NodeReport } from '../../api/frames.ts'
import type { KubeObject, Pod } from '../../api/objects.ts'
import { kindOf } from '../../api/resources.ts'
import { badRequest, conflict, StatusError } from '../../api/status.ts'
import type { Registry } from '../registry/registry.ts'
import type { Ref, Store } from '../store/store.ts'
import { withConditions } from './conditions.ts'

export interface PodKeeperDeps {
  readonly store: Store
  readonly registry: Registry
}

type PodReport = Extract<NodeReport, { kind: 'pod' | 'podGone' }>

/**
 * Writes the status, or removes the pod whose containers have all ended.
 * @throws StatusError NotFound or Conflict where the pod is another one by now, Forbidden where it is another node's
 */
export async function keepPod(deps: PodKeeperDeps, node: string, report: PodReport): Promise<void> {
  const ref = refOf(report.key)
  switch (report.kind) {
    case 'pod':
      await deps.registry.update(
        ref,
        (current) => {
          checkOwn(current, node, report.uid)
          return { ...current, status: withConditions(report.status, (current as Pod).status) }
        },
        { subresource: 'status' },
      )
      return
    case 'podGone': {
      const current = deps.store.get(ref)
      if (current) checkOwn(current, node, report.uid)
      // The node of a pod never changes while its uid stays.
      await deps.registry.remove(ref, { gracePeriodSeconds: 0, preconditions: { uid: report.uid } })
      return
    }
  }
}

function refOf(key: string): Ref {
  const [namespace, name, ...more] = key.split('/')
  if (!namespace || !name || more.length > 0) throw badRequest(`key of a pod must be NAMESPACE/NAME, not ${JSON.stringify(key)}`)
  return { resource: 'pods', namespace, name }
}

function checkOwn(pod: KubeObject, node: string, uid: string): void {
  const { name, namespace } = pod.metadata
  if (pod.metadata.uid !== uid) throw conflict(kindOf('pods'), name, `the report is about the pod with uid ${uid}, which is gone`)
  if ((pod as Pod).spec?.nodeName !== node) throw new StatusError('Forbidden', `pod ${namespace}/${name} is not on node ${node}`)
}
