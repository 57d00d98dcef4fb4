/**
 * EndpointSlices (discovery/v1) and Endpoints (core/v1) of services that have a selector, from the pods it matches.
 * Endpoint addresses stay in the slice they are in, so that one pod that comes or goes changes one slice.
 */
import { keyOf, type EndpointSlice, type KubeObject, type Pod, type Service } from '../../api/objects.ts'
import type { Draft, Registry } from '../registry/registry.ts'
import type { Ref, Store } from '../store/store.ts'
import { createController, ownedBy, splitKey, type Controller, type ControllerDeps } from './controller.ts'
import { endpointsObject, groupByPorts, type PortGroup } from './endpoint-groups.ts'

const managedBy = { label: 'endpointslice.kubernetes.io/managed-by', us: 'endpointslice-controller.k8s.io' } as const
const serviceNameLabel = 'kubernetes.io/service-name'
/** Endpoints in one slice; more make further slices. */
const sliceSize = 100

export function createEndpointsController(deps: ControllerDeps): Controller {
  const { store, registry } = deps
  return createController(deps, {
    name: 'endpoints',
    resources: ['services', 'pods', 'endpointslices.discovery.k8s.io'],
    keys({ resource, object, previous }) {
      if (resource === 'services') return [keyOf(object)]
      if (resource === 'endpointslices.discovery.k8s.io') {
        const labels = object.metadata.labels ?? {}
        return labels[managedBy.label] === managedBy.us && labels[serviceNameLabel] ? [`${object.metadata.namespace}/${labels[serviceNameLabel]}`] : []
      }
      const keys = new Set<string>()
      for (const service of store.list('services', object.metadata.namespace) as Service[]) {
        if ([object, previous].some((pod) => pod && selects(service, pod))) keys.add(keyOf(service))
      }
      return keys
    },
    async reconcile(key) {
      const ref = { resource: 'services', ...splitKey(key) } as const
      const service = store.get(ref) as Service | undefined
      // The objects of a deleted service go with their owner.
      if (!service || service.metadata.deletionTimestamp || !hasSelector(service)) return undefined
      const pods = (store.list('pods', ref.namespace) as Pod[]).filter((p) => selects(service, p))
      const groups = groupByPorts(service, pods)
      await writeSlices({ store, registry }, service, groups)
      await writeEndpoints({ store, registry }, service, groups)
      return undefined
    },
  })
}

type Books = { readonly store: Store; readonly registry: Registry }

function hasSelector(service: Service): boolean {
  return service.spec?.type !== 'ExternalName' && Object.keys(service.spec?.selector ?? {}).length > 0
}

function selects(service: Service, pod: { metadata: { labels?: Record<string, string> } }): boolean {
  if (!hasSelector(service)) return false
  const labels = pod.metadata.labels ?? {}
  return Object.entries(service.spec!.selector!).every(([k, v]) => labels[k] === v)
}

async function writeSlices({ store, registry }: Books, service: Service, groups: readonly PortGroup[]): Promise<void> {
  const { namespace, name } = service.metadata
  const present = (store.list('endpointslices.discovery.k8s.io', namespace) as EndpointSlice[]).filter(
    (s) => s.metadata.labels?.[serviceNameLabel] === name && s.metadata.labels[managedBy.label] === managedBy.us,
  )
  const unused = new Set(present)
  for (const group of groups) {
    const mine = present.filter((s) => samePorts(s, group))
    for (const s of mine) unused.delete(s)
    const { kept, extra } = distribute(mine, group)
    for (const [slice, endpoints] of kept) {
      const ref: Ref = { resource: 'endpointslices.discovery.k8s.io', namespace: namespace!, name: slice.metadata.name }
      if (endpoints.length === 0 && kept.size + extra.length > 1) await registry.remove(ref)
      else if (JSON.stringify(endpoints) !== JSON.stringify(slice.endpoints)) await registry.update(ref, (c) => ({ ...c, endpoints }))
    }
    for (const endpoints of extra) {
      await registry.create({ resource: 'endpointslices.discovery.k8s.io', namespace: namespace!, name: '' }, {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          generateName: `${name}-`,
          namespace,
          labels: { ...service.metadata.labels, [serviceNameLabel]: name, [managedBy.label]: managedBy.us },
          ownerReferences: [ownedBy(service as KubeObject)],
        },
        addressType: 'IPv4',
        endpoints,
        ports: group.ports,
      } satisfies Draft)
    }
  }
  for (const slice of unused) {
    await registry.remove({ resource: 'endpointslices.discovery.k8s.io', namespace: namespace!, name: slice.metadata.name })
  }
}

function samePorts(slice: EndpointSlice, group: PortGroup): boolean {
  const text = (ports: readonly { name?: string; protocol?: string; port?: number }[]): string =>
    ports.map((p) => `${p.name ?? ''} ${p.protocol} ${p.port}`).toSorted().join()
  return text(slice.ports ?? []) === text(group.ports)
}

/** Every endpoint stays in the slice that has its address; new ones fill the slices up, what is left makes new slices. */
function distribute(slices: readonly EndpointSlice[], group: PortGroup) {
  const wanted = new Map(group.endpoints.map((e) => [e.addresses[0]!, e]))
  const kept = new Map<EndpointSlice, PortGroup['endpoints'][number][]>()
  for (const slice of slices) {
    const stay: PortGroup['endpoints'][number][] = []
    for (const { addresses } of slice.endpoints ?? []) {
      const endpoint = wanted.get(addresses[0]!)
      if (!endpoint) continue
      stay.push(endpoint)
      wanted.delete(addresses[0]!)
    }
    kept.set(slice, stay)
  }
  const homeless = [...wanted.values()]
  for (const endpoints of kept.values()) endpoints.push(...homeless.splice(0, Math.max(0, sliceSize - endpoints.length)))
  const extra: (typeof homeless)[] = []
  // A service without endpoints has one empty slice, so that it can be told from one that nobody looked at yet.
  if (slices.length === 0 || homeless.length > 0) do extra.push(homeless.splice(0, sliceSize))
  while (homeless.length > 0)
  return { kept, extra }
}

async function writeEndpoints({ store, registry }: Books, service: Service, groups: readonly PortGroup[]): Promise<void> {
  const { namespace, name } = service.metadata
  const ref = { resource: 'endpoints', namespace: namespace!, name } as const
  const draft = endpointsObject(service, groups, ownedBy(service as KubeObject))
  const present = store.get(ref)
  if (!present) await registry.create(ref, draft)
  else if (JSON.stringify((present as { subsets?: unknown }).subsets) !== JSON.stringify(draft['subsets'])) {
    await registry.update(ref, (c) => ({ ...c, subsets: draft['subsets'] }))
  }
}
