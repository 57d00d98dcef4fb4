/**
 * API objects to `NodeView`: the only file that knows both an EndpointSlice and a ServiceView. What counts and what does
 * not follows the Service API (core/v1) and EndpointSlice API (discovery/v1); `rules/select.ts` chooses among endpoints.
 */
import { triggerAnnotation } from '../../api/frames.ts'
import type { EndpointSlice, KubeObject, Node, Service } from '../../api/objects.ts'
import { canonicalAddress, isOtherFamily } from '../../rules/address.ts'
import type {
  EndpointView, Family, Hint, NodeConfig, NodeView, Problem, Protocol, ServiceKey, ServicePortView, ServiceView,
} from '../../rules/model.ts'
import { distinct } from '../../rules/select.ts'
import type { Batch } from './tables.ts'

/** Another proxy was asked to serve this service (value: its name). */
const otherProxyLabel = 'service.kubernetes.io/service-proxy-name'
const headlessLabel = 'service.kubernetes.io/headless'
const serviceNameLabel = 'kubernetes.io/service-name'
const zoneLabel = 'topology.kubernetes.io/zone'

/** Session affinity without a timeout (core/v1 ClientIPConfig). */
const defaultAffinitySeconds = 10_800

/** What a sync meant for the view. */
export interface ViewChanges {
  /** The services whose view is another one now. */
  readonly services: ReadonlySet<ServiceKey>
  /** Objects that are left out, by name. What is wrong inside a service is for the rules to say. */
  readonly problems: readonly Problem[]
  /** When the changes happened that came with this sync, as far as slices say so (ms since 1970); none for the first sync. */
  readonly triggers: readonly number[]
}

export interface ViewBuilder {
  take(batch: Batch): ViewChanges
  /** The view as of the last batch. Its values are frozen, its map is not copied. */
  view(config: NodeConfig): NodeView
}

const none: readonly never[] = Object.freeze([])

interface Viewpoint {
  /** The name by which an endpoint is local. */
  readonly node: string
  readonly family: Family
  /** Of the node's label; empty where it has none. */
  readonly zone: string
}

export function createViewBuilder(options: { readonly node: string; readonly family: Family }): ViewBuilder {
  const services = new Map<ServiceKey, Service>()
  /** Slices of the family by their service, each with another name. */
  const slices = new Map<ServiceKey, readonly EndpointSlice[]>()
  const views = new Map<ServiceKey, ServiceView>()
  let viewpoint: Viewpoint = { ...options, zone: '' }

  const takeSlice = (before: EndpointSlice | undefined, after: EndpointSlice | undefined, dirty: Set<ServiceKey>): void => {
    const old = before && serviceOf(before)
    const now = after && serviceOf(after)
    if (old !== undefined) {
      const rest = (slices.get(old) ?? []).filter(({ metadata }) => metadata.name !== before!.metadata.name)
      if (rest.length > 0) slices.set(old, rest)
      else slices.delete(old)
      dirty.add(old)
    }
    if (now !== undefined) {
      slices.set(now, [...(slices.get(now) ?? []), after!])
      dirty.add(now)
    }
  }

  return {
    take(batch) {
      const dirty = new Set<ServiceKey>()
      const problems: Problem[] = []
      const triggers: number[] = []
      for (const { resource, key, before, after } of batch.changes) {
        if (resource === 'services') {
          if (after) services.set(key, after as Service)
          else services.delete(key)
          dirty.add(key)
        } else if (resource === 'endpointslices.discovery.k8s.io') {
          const [old, now] = [addressed(before, options.family), addressed(after, options.family)]
          takeSlice(old, now, dirty)
          if (now && !now.metadata.labels?.[serviceNameLabel])
            problems.push({ what: `endpoint slice has no label ${serviceNameLabel} and so belongs to no service`, value: key })
          const trigger = now?.metadata.annotations?.[triggerAnnotation]
          if (trigger !== undefined && !batch.first && trigger !== old?.metadata.annotations?.[triggerAnnotation]) triggers.push(Date.parse(trigger))
        } else if (resource === 'nodes' && key === options.node) {
          const zone = (after as Node | undefined)?.metadata.labels?.[zoneLabel] ?? ''
          if (zone !== viewpoint.zone) for (const service of services.keys()) dirty.add(service)
          viewpoint = { ...viewpoint, zone }
        }
      }
      for (const key of dirty) {
        const service = services.get(key)
        const view = service && readable(key, problems, () => viewOf(key, service, slices.get(key) ?? none, viewpoint))
        if (view) views.set(key, view)
        else if (!views.delete(key)) dirty.delete(key)
      }
      return { services: dirty, problems, triggers: triggers.filter((time) => !Number.isNaN(time)) }
    },
    view: (config) => ({ config, services: views }),
  }
}

/** A slice whose addresses are of this family. */
function addressed(object: KubeObject | undefined, family: Family): EndpointSlice | undefined {
  const slice = object as EndpointSlice | undefined
  return slice?.addressType === (family === 'ip' ? 'IPv4' : 'IPv6') ? slice : undefined
}

function serviceOf(slice: EndpointSlice): ServiceKey | undefined {
  const labels = slice.metadata.labels ?? {}
  const name = labels[serviceNameLabel]
  if (!name || otherProxyLabel in labels || headlessLabel in labels) return undefined
  return `${slice.metadata.namespace}/${name}`
}

/** An API server that checks nothing may hand out objects of any shape; one of them must not keep the others from their way. */
function readable<T>(key: ServiceKey, problems: Problem[], read: () => T): T | undefined {
  try {
    return read()
  } catch (e) {
    const why = e instanceof Error ? e.message : String(e)
    problems.push({ service: key, what: 'service or one of its endpoint slices has a shape that cannot be read', value: why })
    return undefined
  }
}

/**
 * Undefined where a service has no virtual IP of this family for us to serve. Views are written out field by field, those
 * that are absent, too: objects of one shape take half the room of those that are put together from parts.
 */
function viewOf(key: ServiceKey, service: Service, slices: readonly EndpointSlice[], viewpoint: Viewpoint): ServiceView | undefined {
  const { spec, metadata, status } = service
  const { family } = viewpoint
  const labels = metadata.labels ?? {}
  if (!spec || spec.type === 'ExternalName' || otherProxyLabel in labels || headlessLabel in labels) return undefined
  const clusterIPs = addresses(family, spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? ''])
  if (clusterIPs.length === 0) return undefined
  const vips = (status?.loadBalancer?.ingress ?? []).filter(({ ipMode }) => (ipMode ?? 'VIP') === 'VIP').map(({ ip }) => ip ?? '')
  const ports = (spec.ports ?? []).map((port): ServicePortView => {
    const name = port.name ?? ''
    const protocol = protocolOf(port.protocol)
    return Object.freeze({
      name,
      protocol,
      port: port.port,
      nodePort: port.nodePort || undefined,
      endpoints: Object.freeze(endpointsOf(slices, { name, protocol }, viewpoint)),
    })
  })
  const isLocal = spec.externalTrafficPolicy === 'Local'
  return Object.freeze({
    key,
    created: metadata.creationTimestamp,
    clusterIPs,
    externalIPs: addresses(family, spec.externalIPs ?? []),
    loadBalancerIPs: addresses(family, vips),
    sourceRanges: spec.loadBalancerSourceRanges ?? none,
    internalPolicy: spec.internalTrafficPolicy === 'Local' ? 'Local' : 'Cluster',
    externalPolicy: isLocal ? 'Local' : 'Cluster',
    affinitySeconds:
      spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds) : undefined,
    healthCheckNodePort: (spec.type === 'LoadBalancer' && isLocal && spec.healthCheckNodePort) || undefined,
    ports: Object.freeze(ports),
  })
}

/** Those of the family, in the text that tools print; what is no address stays as it is, for the rules to name it. */
function addresses(family: Family, texts: readonly string[]): readonly string[] {
  const mine = texts.filter((text) => text !== 'None' && text.trim() !== '' && !isOtherFamily(family, text))
  if (mine.length === 0) return none
  return Object.freeze([...new Set(mine.map((text) => canonicalAddress(family, text) ?? text))])
}

/**
 * The union over a service's slices: a slice port counts if name and protocol agree, and its number is the one used.
 * Of an endpoint only the first address counts. Where two slices name the same endpoint, the local copy wins, else the first.
 */
function endpointsOf(
  slices: readonly EndpointSlice[],
  { name, protocol }: Pick<ServicePortView, 'name' | 'protocol'>,
  viewpoint: Viewpoint,
): readonly EndpointView[] {
  const found: EndpointView[] = []
  for (const slice of slices) {
    const port = slice.ports?.find((p) => (p.name ?? '') === name && protocolOf(p.protocol) === protocol)?.port
    if (!port) continue
    for (const endpoint of slice.endpoints ?? []) {
      const text = endpoint.addresses?.[0]
      if (!text) continue
      found.push(endpointOf(endpoint, { address: canonicalAddress(viewpoint.family, text) ?? text, port }, viewpoint))
    }
  }
  // A fixed order, so that the same endpoints in other slices or another order are the same view.
  return distinct(found)
}

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number]

function endpointOf(endpoint: Endpoint, place: Pick<EndpointView, 'address' | 'port'>, { node, zone }: Viewpoint): EndpointView {
  const { ready, serving, terminating } = endpoint.conditions ?? {}
  return Object.freeze({
    address: place.address,
    port: place.port,
    node: !endpoint.nodeName ? 'unknown' : endpoint.nodeName === node ? 'here' : 'elsewhere',
    ready: ready ?? true,
    serving: serving ?? true,
    terminating: terminating ?? false,
    zoneHint: hintOf(endpoint.hints?.forZones, zone),
    nodeHint: hintOf((endpoint.hints as { readonly forNodes?: readonly { readonly name: string }[] } | undefined)?.forNodes, node),
  })
}

function hintOf(named: readonly { readonly name: string }[] | undefined, mine: string): Hint {
  if (!named || named.length === 0) return 'none'
  return mine !== '' && named.some(({ name }) => name === mine) ? 'here' : 'elsewhere'
}

/** A new text for each port would be one too many. */
const protocols: ReadonlyMap<string, Protocol> = new Map([['TCP', 'tcp'], ['UDP', 'udp'], ['SCTP', 'sctp']])
function protocolOf(text: string | undefined): Protocol {
  return protocols.get(text ?? 'TCP') ?? (text!.toLowerCase() as Protocol)
}
