/**
 * Garbage collection by owner (meta/v1 OwnerReference): what has owners, all of which are gone, goes too. `foregroundDeletion`
 * waits for the dependents that block, `orphan` lets them go free. Pods of nodes that are gone, and events after their
 * hour, are garbage as well.
 */
import { keyOf, type Event, type KubeObject, type Pod } from '../../api/objects.ts'
import { resourceKinds, type Resource } from '../../api/resources.ts'
import type { Ref } from '../store/store.ts'
import { createController, type Controller, type ControllerDeps } from './controller.ts'

const eventLifeMs = 3_600_000

export function createGarbageController(deps: ControllerDeps): Controller {
  const { store, registry } = deps
  const dependents = createDependents()

  const dropFinalizer = (ref: Ref, finalizer: string): Promise<KubeObject> =>
    registry.update(ref, (c) => ({ ...c, metadata: { ...c.metadata, finalizers: c.metadata.finalizers?.filter((f) => f !== finalizer) } }))

  const children = (owner: KubeObject): [Ref, KubeObject][] =>
    [...dependents.of(owner.metadata.uid)].flatMap((id) => {
      const ref = refOf(id)
      const object = store.get(ref)
      return object?.metadata.ownerReferences?.some((o) => o.uid === owner.metadata.uid) ? [[ref, object]] : []
    })

  const release = async (owner: KubeObject, ref: Ref): Promise<void> => {
    for (const [child] of children(owner)) {
      await registry.update(child, (c) => ({
        ...c,
        metadata: { ...c.metadata, ownerReferences: c.metadata.ownerReferences?.filter((o) => o.uid !== owner.metadata.uid) },
      }))
    }
    await dropFinalizer(ref, 'orphan')
  }

  const foreground = async (owner: KubeObject, ref: Ref): Promise<void> => {
    const blocking = children(owner).filter(([, c]) => c.metadata.ownerReferences!.some((o) => o.uid === owner.metadata.uid && o.blockOwnerDeletion))
    for (const [child, object] of children(owner)) {
      if (!object.metadata.deletionTimestamp) await registry.remove(child, { propagationPolicy: 'Foreground' })
    }
    if (blocking.length === 0) await dropFinalizer(ref, 'foregroundDeletion')
  }

  const reconcile = async (id: string): Promise<number | undefined> => {
    const ref = refOf(id)
    const object = store.get(ref)
    if (!object) return undefined
    const { metadata } = object
    if (metadata.deletionTimestamp) {
      if (metadata.finalizers?.includes('orphan')) await release(object, ref)
      else if (metadata.finalizers?.includes('foregroundDeletion')) await foreground(object, ref)
      if (ref.resource !== 'pods') return undefined
    } else if (metadata.ownerReferences?.length && !ownerAlive(deps, object)) {
      await registry.remove(ref, { preconditions: { uid: metadata.uid }, propagationPolicy: 'Background' })
      return undefined
    }
    if (ref.resource === 'events') return expire(deps, object as Event, ref)
    if (ref.resource === 'pods') await removeIfNodeGone(deps, object as Pod, ref)
    return undefined
  }

  return createController(deps, {
    name: 'garbage',
    // Leases change all the time and have no dependents.
    resources: resourceKinds.map((k) => k.resource).filter((r) => r !== 'leases.coordination.k8s.io'),
    custom: true,
    *keys({ resource, object, previous }) {
      const exists = store.get({ resource, namespace: object.metadata.namespace ?? '', name: object.metadata.name })?.metadata.uid === object.metadata.uid
      if (previous) dependents.delete(resource, previous)
      if (exists) dependents.add(resource, object)
      else {
        dependents.delete(resource, object)
        yield* dependents.of(object.metadata.uid)
        if (resource === 'nodes') for (const pod of store.list('pods')) if ((pod as Pod).spec?.nodeName === object.metadata.name) yield idOf('pods', pod)
      }
      // An owner in foreground deletion waits for its dependents.
      for (const owner of object.metadata.ownerReferences ?? []) {
        const kind = deps.kinds.byType(owner.apiVersion, owner.kind)
        if (kind) yield idOf(kind.resource, { metadata: { name: owner.name, namespace: kind.namespaced ? object.metadata.namespace : undefined } })
      }
      yield idOf(resource, object)
    },
    reconcile,
  })
}

/** Which objects carry which owner: `resource namespace/name` by the owner's uid. */
function createDependents() {
  const byOwner = new Map<string, Set<string>>()
  const change = (resource: Resource, object: KubeObject, verb: 'add' | 'delete'): void => {
    for (const owner of object.metadata.ownerReferences ?? []) {
      const set = byOwner.get(owner.uid) ?? new Set()
      set[verb](idOf(resource, object))
      if (set.size > 0) byOwner.set(owner.uid, set)
      else byOwner.delete(owner.uid)
    }
  }
  return {
    of: (uid: string): ReadonlySet<string> => byOwner.get(uid) ?? new Set(),
    add: (resource: Resource, object: KubeObject): void => change(resource, object, 'add'),
    delete: (resource: Resource, object: KubeObject): void => change(resource, object, 'delete'),
  }
}

function ownerAlive({ store, kinds }: ControllerDeps, object: KubeObject): boolean {
  return object.metadata.ownerReferences!.some((owner) => {
    const kind = kinds.byType(owner.apiVersion, owner.kind)
    // An owner of a kind that is not served here cannot be looked up; nothing is deleted on a guess.
    if (!kind) return true
    const namespace = kind.namespaced ? (object.metadata.namespace ?? '') : ''
    return store.get({ resource: kind.resource, namespace, name: owner.name })?.metadata.uid === owner.uid
  })
}

async function expire({ registry, clock }: ControllerDeps, event: Event, ref: Ref): Promise<number | undefined> {
  const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.metadata.creationTimestamp
  const left = Date.parse(String(last)) + eventLifeMs - clock.now()
  if (left > 0) return left
  await registry.remove(ref, { preconditions: { uid: event.metadata.uid } })
  return undefined
}

async function removeIfNodeGone({ store, registry }: ControllerDeps, pod: Pod, ref: Ref): Promise<void> {
  const node = pod.spec?.nodeName
  if (!node || store.get({ resource: 'nodes', namespace: '', name: node })) return
  await registry.remove(ref, { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } })
}

const idOf = (resource: Resource, object: { metadata: { name: string; namespace?: string } }): string => `${resource} ${keyOf(object)}`

function refOf(id: string): Ref {
  const space = id.indexOf(' ')
  const resource = id.slice(0, space) as Resource
  const key = id.slice(space + 1)
  const slash = key.indexOf('/')
  return slash < 0 ? { resource, namespace: '', name: key } : { resource, namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
