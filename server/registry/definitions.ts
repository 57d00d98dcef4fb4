/** CustomResourceDefinitions as they are written: their names and conditions follow at once, and objects come only while they are open. */
import { rfc3339 } from '../../api/clock.ts'
import type { CustomResourceDefinition, KubeObject } from '../../api/objects.ts'
import type { ResourceKind } from '../../api/resources.ts'
import { StatusError } from '../../api/status.ts'
import { definitions } from '../custom/kinds.ts'
import { namedStatus } from '../custom/names.ts'
import type { Ref, Store } from '../store/store.ts'
import type { RegistryDeps } from './deps.ts'

/** A definition with the status that follows from its spec and from the others; objects of other kinds as they are. */
export function withStatus({ store, clock }: Pick<RegistryDeps, 'store' | 'clock'>, { resource }: Ref, object: KubeObject): KubeObject {
  if (resource !== definitions) return object
  const crd = object as unknown as CustomResourceDefinition
  const all = store.list(definitions) as readonly object[] as readonly CustomResourceDefinition[]
  return { ...object, status: namedStatus(crd, all, rfc3339(clock.now())) }
}

/**
 * Whether new objects of a kind may come.
 * @throws StatusError NotFound (nobody defines it any more), MethodNotAllowed (its definition is being deleted)
 */
export function definitionOpen(store: Pick<Store, 'get'>, { resource }: ResourceKind): void {
  const crd = store.get({ resource: definitions, namespace: '', name: resource })
  if (!crd) throw new StatusError('NotFound', 'the server could not find the requested resource', {})
  if (crd.metadata.deletionTimestamp) throw new StatusError('MethodNotAllowed', 'create not allowed while custom resource definition is terminating')
}
