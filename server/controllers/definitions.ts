/**
 * CustomResourceDefinition (apiextensions.k8s.io/v1): its names are judged again when others give names back, and when it is deleted,
 * its objects go first.
 */
import { isDeepStrictEqual } from 'node:util'
import { rfc3339 } from '../../api/clock.ts'
import type { CustomResourceDefinition, KubeObject } from '../../api/objects.ts'
import { cleanup, terminating } from '../custom/end.ts'
import { definitions } from '../custom/kinds.ts'
import { namedStatus, withConditions } from '../custom/names.ts'
import type { Ref } from '../store/store.ts'
import { createController, type Controller, type ControllerDeps } from './controller.ts'

/** Objects with finalizers of their own are waited for. */
const againMs = 1_000

export function createDefinitionController(deps: ControllerDeps): Controller {
  const { store, registry, clock, kinds } = deps
  const all = (): readonly CustomResourceDefinition[] => store.list(definitions) as readonly object[] as readonly CustomResourceDefinition[]
  const setStatus = async (ref: Ref, next: (crd: CustomResourceDefinition, now: string) => CustomResourceDefinition['status']): Promise<void> => {
    await registry.update(
      ref,
      (current) => {
        const status = next(current as unknown as CustomResourceDefinition, rfc3339(clock.now()))
        return isDeepStrictEqual(status, current.status) ? current as object as Readonly<Record<string, unknown>> : { ...current, status }
      },
      { subresource: 'status' },
    )
  }
  const tell = (ref: Ref, reason: Parameters<typeof terminating>[0]): Promise<void> =>
    setStatus(ref, ({ status }, now) => ({ ...status, conditions: withConditions(status?.conditions ?? [], [terminating(reason)], now) }))

  /** @returns how many objects are still there */
  const empty = async (crd: CustomResourceDefinition): Promise<number> => {
    const of = kinds.stored().find((k) => k.resource === crd.metadata.name)
    if (!of) return 0
    for (const { metadata } of store.list(of.resource)) {
      if (!metadata.deletionTimestamp) await registry.remove({ resource: of.resource, namespace: metadata.namespace ?? '', name: metadata.name })
    }
    return store.list(of.resource).length
  }

  return createController(deps, {
    name: 'definitions',
    resources: [definitions],
    custom: true,
    *keys({ resource, object, previous }) {
      if (resource !== definitions) {
        const crd = store.get({ resource: definitions, namespace: '', name: resource })
        if (crd?.metadata.deletionTimestamp) yield resource
        return
      }
      yield object.metadata.name
      // Names that one has no more, another of the group may have waited for.
      const { group } = (object as unknown as CustomResourceDefinition).spec
      if (previous) for (const crd of all()) if (crd.spec.group === group && crd.metadata.name !== object.metadata.name) yield crd.metadata.name
    },
    async reconcile(name) {
      const ref = { resource: definitions, namespace: '', name } as const
      const crd = store.get(ref) as unknown as CustomResourceDefinition | undefined
      if (!crd) return undefined
      if (!crd.metadata.deletionTimestamp) {
        const wished = namedStatus(crd, all(), rfc3339(clock.now()))
        if (!isDeepStrictEqual(wished, crd.status)) await setStatus(ref, (current, now) => namedStatus(current, all(), now))
        return undefined
      }
      if (!crd.metadata.finalizers?.includes(cleanup)) return undefined
      if ((await empty(crd)) > 0) {
        await tell(ref, 'InstanceDeletionInProgress')
        return againMs
      }
      await tell(ref, 'InstanceDeletionCompleted')
      await registry.update(ref, (c: KubeObject) => ({ ...c, metadata: { ...c.metadata, finalizers: c.metadata.finalizers?.filter((f) => f !== cleanup) } }))
      return undefined
    },
  })
}
