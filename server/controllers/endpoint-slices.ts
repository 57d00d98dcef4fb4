/**
 * What has to be done to the EndpointSlices (discovery/v1) of a service so that they hold its endpoints. Every endpoint stays
 * in the slice that has it, new ones fill the slices up, so that one pod that comes or goes changes one slice. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import { rfc3339 } from '../../api/clock.ts'
import type { EndpointSlice, KubeObject, Service } from '../../api/objects.ts'
import type { Draft } from '../registry/registry.ts'
import { isHeadless } from '../admit/validate/service.ts'
import { ownedBy } from './controller.ts'
import { endpointKey, type Endpoint, type FamilyEndpoints, type PortGroup, type SlicePort } from './endpoint-groups.ts'

export const managedBy = { label: 'endpointslice.kubernetes.io/managed-by', us: 'endpointslice-controller.k8s.io' } as const
export const serviceNameLabel = 'kubernetes.io/service-name'
export const headlessLabel = 'service.kubernetes.io/headless'
/** When what a slice tells of happened: proxies measure from it how long they took to program it. */
export const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

/** Endpoints in one slice; more make further slices. */
const sliceSize = 100

export interface SliceChange {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly endpoints: readonly Endpoint[]
  /** RFC 3339; undefined where the time is not known. */
  readonly trigger: string | undefined
}

export interface SlicePlan {
  readonly create: readonly Draft[]
  readonly update: readonly SliceChange[]
  /** Names. */
  readonly remove: readonly string[]
}

/** The labels of what is made for a service: its own, without those that mean something of another object. */
export function labelsFor(service: Service, own: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { [serviceNameLabel]: _name, [managedBy.label]: _by, [headlessLabel]: _headless, ...labels } = service.metadata.labels ?? {}
  return { ...labels, ...(isHeadless(service.spec ?? {}) && { [headlessLabel]: '' }), ...own }
}

/**
 * @param wanted what the service has in each of its families; nothing for one that has no endpoints any more
 * @param present the slices that were made for it
 */
export function planSlices(service: Service, wanted: readonly FamilyEndpoints[], present: readonly EndpointSlice[]): SlicePlan {
  const labels = labelsFor(service, { [serviceNameLabel]: service.metadata.name, [managedBy.label]: managedBy.us })
  const create: Draft[] = []
  const update: SliceChange[] = []
  const unused = new Set(present)
  for (const { family, groups, since } of wanted) {
    for (const group of groups) {
      const mine = present.filter((s) => s.addressType === family && !s.metadata.deletionTimestamp && samePorts(s, group))
      const { kept, extra } = distribute(mine, group)
      for (const [slice, endpoints] of kept) {
        unused.delete(slice)
        const same = isDeepStrictEqual(endpoints, slice.endpoints ?? []) && isDeepStrictEqual(labels, slice.metadata.labels)
        if (!same) update.push({ name: slice.metadata.name, labels, endpoints, trigger: earliest(since, endpoints, slice.endpoints) })
      }
      for (const endpoints of extra) {
        const trigger = earliest(since, endpoints, []) ?? (endpoints.length === 0 ? service.metadata.creationTimestamp : undefined)
        create.push(draftOf(service, { family, labels, ports: group.ports, endpoints, trigger }))
      }
    }
  }
  return { create, update, remove: [...unused].map((s) => s.metadata.name) }
}

interface Fresh extends Omit<SliceChange, 'name'> {
  readonly family: string
  readonly ports: readonly SlicePort[]
}

function draftOf(service: Service, { family, labels, ports, endpoints, trigger }: Fresh): Draft {
  const { name, namespace } = service.metadata
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels,
      ...(trigger && { annotations: { [triggerAnnotation]: trigger } }),
      ownerReferences: [ownedBy(service as KubeObject)],
    },
    addressType: family,
    endpoints,
    ports,
  }
}

/** When the first of the endpoints that are new or different became so. */
function earliest(since: FamilyEndpoints['since'], now: readonly Endpoint[], before: readonly Endpoint[] = []): string | undefined {
  const known = new Map(before.map((e) => [endpointKey(e), e]))
  const times = now
    .filter((e) => !isDeepStrictEqual(known.get(endpointKey(e))?.conditions, e.conditions))
    .flatMap((e) => since.get(endpointKey(e)) ?? [])
  return times.length > 0 ? rfc3339(Math.min(...times)) : undefined
}

function samePorts(slice: EndpointSlice, group: PortGroup): boolean {
  const text = (ports: readonly SlicePort[]): string =>
    ports.map((p) => `${p.name ?? ''} ${p.protocol} ${p.port} ${p.appProtocol ?? ''}`).toSorted().join()
  return text(slice.ports ?? []) === text(group.ports)
}

/** Which endpoints each slice holds then, and those of the slices that are to be made. A slice that is in neither goes. */
function distribute(slices: readonly EndpointSlice[], group: PortGroup) {
  const wanted = new Map(group.endpoints.map((e) => [endpointKey(e), e]))
  const kept = new Map<EndpointSlice, Endpoint[]>()
  for (const slice of slices) {
    const stay: Endpoint[] = []
    for (const present of slice.endpoints ?? []) {
      const key = endpointKey(present)
      const endpoint = wanted.get(key)
      if (!endpoint || stay.length >= sliceSize) continue
      stay.push(endpoint)
      wanted.delete(key)
    }
    kept.set(slice, stay)
  }
  const homeless = [...wanted.values()]
  for (const endpoints of kept.values()) endpoints.push(...homeless.splice(0, Math.max(0, sliceSize - endpoints.length)))
  const extra: Endpoint[][] = []
  while (homeless.length > 0) extra.push(homeless.splice(0, sliceSize))
  // A service without endpoints has one empty slice, so that it can be told from one that nobody looked at yet.
  const empty = [...kept].filter(([, endpoints]) => endpoints.length === 0).map(([slice]) => slice)
  const isBare = empty.length === kept.size && extra.length === 0
  for (const slice of isBare ? empty.slice(1) : empty) kept.delete(slice)
  if (isBare && kept.size === 0) extra.push([])
  return { kept, extra }
}
