/** Namespaces (core/v1): a new one gets its `default` ServiceAccount; one that is being deleted is emptied, then let go. */
import type { KubeObject, Namespace } from '../../api/objects.ts'
import { resourceKinds, type Resource } from '../../api/resources.ts'
import { createController, type Controller, type ControllerDeps } from './controller.ts'

export function createNamespaceController(deps: ControllerDeps): Controller {
  const { store, registry } = deps
  const namespaced = resourceKinds.filter((k) => k.namespaced).map((k) => k.resource)
  /** With those that somebody defined meanwhile. */
  const all = (): readonly Resource[] => deps.kinds.stored().filter((k) => k.namespaced).map((k) => k.resource)

  /** @returns how many objects are still there */
  const empty = async (namespace: string): Promise<number> => {
    let left = 0
    for (const resource of all()) {
      for (const object of store.list(resource, namespace)) {
        if (!object.metadata.deletionTimestamp) await registry.remove({ resource, namespace, name: object.metadata.name })
      }
      left += store.list(resource, namespace).length
    }
    return left
  }

  return createController(deps, {
    name: 'namespaces',
    resources: ['namespaces', ...namespaced],
    custom: true,
    keys({ resource, object }) {
      if (resource === 'namespaces') return [object.metadata.name]
      const { namespace } = object.metadata
      if (namespace === undefined) return []
      const dying = store.get({ resource: 'namespaces', namespace: '', name: namespace })?.metadata.deletionTimestamp !== undefined
      return dying || resource === 'serviceaccounts' ? [namespace] : []
    },
    async reconcile(name) {
      const ref = { resource: 'namespaces', namespace: '', name } as const
      const namespace = store.get(ref) as Namespace | undefined
      if (!namespace) return undefined
      if (!namespace.metadata.deletionTimestamp) {
        const account = { resource: 'serviceaccounts', namespace: name, name: 'default' } as const
        if (!store.get(account)) await registry.create(account, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } })
        return undefined
      }
      if ((await empty(name)) > 0) return 1_000
      const finalize = (c: KubeObject) => ({
        ...c,
        spec: { ...(c.spec as object), finalizers: ((c as Namespace).spec?.finalizers ?? []).filter((f) => f !== 'kubernetes') },
      })
      await registry.update(ref, finalize, { subresource: 'finalize' })
      return undefined
    },
  })
}
