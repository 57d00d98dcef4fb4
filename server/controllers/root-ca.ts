/** In each namespace a ConfigMap with the CA of the hub's certificates, by which programs in pods know the hub. */
import type { ConfigMap } from '../../api/objects.ts'
import { rootCa } from '../registry/accounts.ts'
import { writingAs } from '../registry/writing.ts'
import { createController, type Controller, type ControllerDeps } from './controller.ts'

/** @param ca PEM */
export function createRootCaController(given: ControllerDeps, ca: string): Controller {
  const deps = { ...given, registry: writingAs(given.registry, 'wherry-controllers') }
  const { store, registry } = deps
  const data = { [rootCa.key]: ca }
  return createController(deps, {
    name: 'root-ca',
    resources: ['namespaces', 'configmaps'],
    keys({ resource, object: { metadata } }) {
      if (resource === 'namespaces') return [metadata.name]
      return metadata.name === rootCa.name ? [metadata.namespace ?? ''] : []
    },
    async reconcile(namespace) {
      const home = store.get({ resource: 'namespaces', namespace: '', name: namespace })
      if (!home || home.metadata.deletionTimestamp) return undefined
      const ref = { resource: 'configmaps', namespace, name: rootCa.name } as const
      const held = store.get(ref) as ConfigMap | undefined
      if (!held) await registry.create(ref, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: rootCa.name, namespace }, data })
      else if (isRight(held, ca)) return undefined
      // One that may not be changed is made anew, when its end is told.
      else if (held.immutable) await registry.remove(ref)
      else await registry.update(ref, ({ apiVersion, kind, metadata }) => ({ apiVersion, kind, metadata, data }))
      return undefined
    },
  })
}

function isRight({ data = {}, binaryData = {} }: ConfigMap, ca: string): boolean {
  return data[rootCa.key] === ca && Object.keys(data).length === 1 && Object.keys(binaryData).length === 0
}
