/** The objects of a kind as they were at an earlier revision: the newest state with the changes since then undone. */
import { keyOf } from '../../api/objects.ts'
import type { KubeObject } from '../../api/objects.ts'
import type { Resource } from '../../api/resources.ts'
import { isWherryError } from '../../api/errors.ts'
import type { Change, Store } from '../store/store.ts'

/** Further back than so many changes nobody is taken: what comes of it would hold up everybody else. */
export const maxUndone = 20_000

export interface Moment {
  readonly resource: Resource
  readonly namespace: string | undefined
  /** Not newer than the store's. */
  readonly revision: number
}

/**
 * In the store's order, by namespace and name. The history that the store keeps is replayed before `watch` returns.
 * @returns undefined where the history no longer reaches back so far
 */
export function listAt(store: Store, { resource, namespace, revision }: Moment): readonly KubeObject[] | undefined {
  const newest = store.list(resource, namespace)
  if (revision === store.revision) return newest
  if (store.revision - revision > maxUndone) return undefined
  const since: Change[] = []
  try {
    store.watch(revision, (change) => {
      const concerned = change.resource === resource && (namespace === undefined || change.object.metadata.namespace === namespace)
      if (concerned) since.push(change)
    })()
  } catch (e) {
    if (isWherryError(e, 'STORE_COMPACTED')) return undefined
    throw e
  }
  if (since.length === 0) return newest
  const objects = new Map(newest.map((object) => [keyOf(object), object]))
  for (const { object, previous } of since.toReversed()) {
    if (previous) objects.set(keyOf(object), previous)
    else objects.delete(keyOf(object))
  }
  return [...objects.values()].toSorted(byName)
}

function byName(a: KubeObject, b: KubeObject): number {
  const [left, right] = [a.metadata.namespace ?? '', b.metadata.namespace ?? '']
  if (left !== right) return left < right ? -1 : 1
  return a.metadata.name < b.metadata.name ? -1 : 1
}
