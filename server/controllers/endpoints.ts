/**
 * EndpointSlices (discovery/v1) and Endpoints (core/v1) of services that have a selector, from the pods it matches. What
 * others made is left alone: ours carry the label `endpointslice.kubernetes.io/managed-by`.
 */
import { isDeepStrictEqual } from 'node:util'
import { keyOf, type EndpointSlice, type KubeObject, type Node, type Pod, type Service } from '../../api/objects.ts'
import type { Registry } from '../registry/registry.ts'
import type { Change, Store } from '../store/store.ts'
import { controllerOf, createController, splitKey, type Controller, type ControllerDeps } from './controller.ts'
import { endpointsIn, familiesOf, type PortGroup, type Surroundings } from './endpoint-groups.ts'
import { nodePlace, wantsShares, zoneLabel, zoneShares } from './endpoint-hints.ts'
import { managedBy, planSlices, serviceNameLabel, triggerAnnotation, type SlicePlan } from './endpoint-slices.ts'
import { capacityAnnotation, endpointsObject } from './endpoints-object.ts'

export function createEndpointsController(deps: ControllerDeps): Controller {
  const { store, registry } = deps
  const books = { store, registry }
  const slices = createSliceIndex()
  const around: Surroundings = {
    zoneOf: (name) => store.get({ resource: 'nodes', namespace: '', name })?.metadata.labels?.[zoneLabel],
    shares: () => zoneShares(store.list('nodes') as Node[]),
  }
  return createController(deps, {
    name: 'endpoints',
    resources: ['services', 'pods', 'endpointslices.discovery.k8s.io', 'nodes'],
    keys(change) {
      if (change.resource === 'services') return [keyOf(change.object)]
      if (change.resource === 'endpointslices.discovery.k8s.io') return slices.note(change, exists(store, change))
      return change.resource === 'nodes' ? aroundNode(store, change) : ofPod(store, change)
    },
    async reconcile(key) {
      const ref = { resource: 'services', ...splitKey(key) } as const
      const service = store.get(ref) as Service | undefined
      // The objects of a deleted service go with their owner.
      if (!service || service.metadata.deletionTimestamp) return undefined
      const present = slices.of(key).flatMap((name) => (store.get({ resource: 'endpointslices.discovery.k8s.io', namespace: ref.namespace, name }) as EndpointSlice | undefined) ?? [])
      if (service.spec?.type === 'ExternalName') {
        await writeSlices(books, ref.namespace, planSlices(service, [], present))
        await removeEndpoints(books, service)
      }
      if (!hasSelector(service)) return undefined
      const pods = (store.list('pods', ref.namespace) as Pod[]).filter((p) => selects(service, p))
      const wanted = familiesOf(service).map((family) => endpointsIn(family, service, pods, around))
      await writeSlices(books, ref.namespace, planSlices(service, wanted, present))
      await writeEndpoints(books, service, wanted[0]!.groups)
      return undefined
    },
  })
}

type Books = { readonly store: Store; readonly registry: Registry }
type Seen = Pick<Change, 'resource' | 'object' | 'previous'>

function exists(store: Store, { resource, object: { metadata } }: Seen): boolean {
  return store.get({ resource, namespace: metadata.namespace ?? '', name: metadata.name })?.metadata.uid === metadata.uid
}

/** Names of the slices that were made for each service. */
function createSliceIndex() {
  const names = new Map<string, Set<string>>()
  const serviceOf = ({ metadata: { namespace, labels } }: KubeObject): string | undefined =>
    labels?.[managedBy.label] === managedBy.us && labels[serviceNameLabel] ? `${namespace}/${labels[serviceNameLabel]}` : undefined
  return {
    /** @returns the services that the change concerns */
    note({ object, previous }: Seen, isThere: boolean): readonly string[] {
      const { name } = object.metadata
      const [before, now] = [previous && serviceOf(previous), serviceOf(object)]
      for (const service of [before, now]) {
        const known = service === undefined ? undefined : names.get(service)
        if (known?.delete(name) && known.size === 0) names.delete(service!)
      }
      if (now !== undefined && isThere) names.set(now, (names.get(now) ?? new Set()).add(name))
      return [...new Set([before, now])].filter((s) => s !== undefined)
    },
    of: (service: string): readonly string[] => [...(names.get(service) ?? [])].toSorted(),
  }
}

/** Services of the pods on a node that has another zone now; and all those for which the size of the zones matters. */
function* aroundNode(store: Store, { object, previous }: Seen): Iterable<string> {
  const place = (node: KubeObject | undefined) => (node ? nodePlace(node as Node) : { zone: undefined, cpuMillis: 0 })
  const isThere = exists(store, { resource: 'nodes', object })
  const [before, now] = [place(isThere ? previous : object), place(isThere ? object : undefined)]
  if (isDeepStrictEqual(before, now)) return
  for (const service of store.list('services') as Service[]) if (wantsShares(service)) yield keyOf(service)
  if (before.zone === now.zone) return
  for (const pod of store.list('pods') as Pod[])
    if (pod.spec?.nodeName === object.metadata.name) yield* ofPod(store, { resource: 'pods', object: pod as KubeObject })
}

function ofPod(store: Store, { object, previous }: Seen): Iterable<string> {
  const keys = new Set<string>()
  for (const service of store.list('services', object.metadata.namespace) as Service[])
    if ([object, previous].some((pod) => pod && selects(service, pod))) keys.add(keyOf(service))
  return keys
}

function hasSelector(service: Service): boolean {
  return service.spec?.type !== 'ExternalName' && Object.keys(service.spec?.selector ?? {}).length > 0
}

function selects(service: Service, pod: { metadata: { labels?: Record<string, string> } }): boolean {
  if (!hasSelector(service)) return false
  const labels = pod.metadata.labels ?? {}
  return Object.entries(service.spec!.selector!).every(([k, v]) => labels[k] === v)
}

async function writeSlices({ registry }: Books, namespace: string, { create, update, remove }: SlicePlan): Promise<void> {
  const resource = 'endpointslices.discovery.k8s.io'
  for (const { name, labels, endpoints, trigger } of update) {
    await registry.update({ resource, namespace, name }, (c) => {
      const { [triggerAnnotation]: _last, ...annotations } = c.metadata.annotations ?? {}
      const told = { ...annotations, ...(trigger && { [triggerAnnotation]: trigger }) }
      return { ...c, metadata: { ...c.metadata, labels, annotations: told }, endpoints }
    })
  }
  for (const draft of create) await registry.create({ resource, namespace, name: '' }, draft)
  for (const name of remove) await registry.remove({ resource, namespace, name })
}

async function writeEndpoints({ store, registry }: Books, service: Service, groups: readonly PortGroup[]): Promise<void> {
  const { namespace, name } = service.metadata
  const ref = { resource: 'endpoints', namespace: namespace!, name } as const
  const draft = endpointsObject(service, groups)
  const present = store.get(ref)
  if (!present) return void (await registry.create(ref, draft))
  const { labels, annotations } = draft['metadata'] as Partial<KubeObject['metadata']>
  const same =
    isDeepStrictEqual((present as { subsets?: unknown }).subsets, draft['subsets']) && isDeepStrictEqual(present.metadata.labels, labels)
  if (same) return
  await registry.update(ref, (c) => {
    const { [capacityAnnotation]: _was, ...others } = c.metadata.annotations ?? {}
    return { ...c, metadata: { ...c.metadata, labels, annotations: { ...others, ...annotations } }, subsets: draft['subsets'] }
  })
}

/** Those that were made for the service, not those that somebody wrote by hand. */
async function removeEndpoints({ store, registry }: Books, { metadata }: Service): Promise<void> {
  const ref = { resource: 'endpoints', namespace: metadata.namespace!, name: metadata.name } as const
  const present = store.get(ref)
  if (present && controllerOf(present)?.uid === metadata.uid) await registry.remove(ref)
}
