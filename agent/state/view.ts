/**
 * API objects to `NodeView`: the only file that knows both an EndpointSlice and a ServiceView. What counts and what does
 * not follows the Service API (core/v1) and EndpointSlice API (discovery/v1); `rules/select.ts` chooses among endpoints.
 */
import type { EndpointSlice, Service } from '../../api/objects.ts'
import type { EndpointView, Family, NodeConfig, NodeView, Protocol, ServiceKey, ServicePortView, ServiceView } from '../../rules/model.ts'
import type { Batch } from './tables.ts'

/** Another proxy was asked to serve this service (value: its name). */
const otherProxyLabel = 'service.kubernetes.io/service-proxy-name'
const headlessLabel = 'service.kubernetes.io/headless'
const serviceNameLabel = 'kubernetes.io/service-name'

export interface ViewBuilder {
  /** Takes what a sync completed; gives the services whose view is another one now. */
  take(batch: Batch): ReadonlySet<ServiceKey>
  /** The view as of the last batch. Its values are frozen, its map is not copied. */
  view(config: NodeConfig): NodeView
}

/** @param node the name by which an endpoint is local */
export function createViewBuilder(options: { readonly node: string; readonly family: Family }): ViewBuilder {
  const services = new Map<ServiceKey, Service>()
  /** Slices by their service, then by their own key. */
  const slices = new Map<ServiceKey, Map<string, EndpointSlice>>()
  const views = new Map<ServiceKey, ServiceView>()

  const takeSlice = (key: string, before: EndpointSlice | undefined, after: EndpointSlice | undefined, dirty: Set<ServiceKey>): void => {
    const old = before && serviceOf(before)
    const now = after && serviceOf(after)
    if (old !== undefined) {
      slices.get(old)?.delete(key)
      if (slices.get(old)?.size === 0) slices.delete(old)
      dirty.add(old)
    }
    if (now !== undefined) {
      const group = slices.get(now) ?? new Map<string, EndpointSlice>()
      slices.set(now, group.set(key, after!))
      dirty.add(now)
    }
  }

  return {
    take(batch) {
      const dirty = new Set<ServiceKey>()
      for (const { resource, key, before, after } of batch.changes) {
        if (resource === 'services') {
          if (after) services.set(key, after as Service)
          else services.delete(key)
          dirty.add(key)
        } else if (resource === 'endpointslices.discovery.k8s.io') {
          takeSlice(key, before as EndpointSlice | undefined, after as EndpointSlice | undefined, dirty)
        }
      }
      for (const key of dirty) {
        const service = services.get(key)
        const view = service && viewOf(key, service, slices.get(key)?.values() ?? [], options)
        if (view) views.set(key, view)
        else if (!views.delete(key)) dirty.delete(key)
      }
      return dirty
    },
    view: (config) => ({ config, services: views }),
  }
}

function serviceOf(slice: EndpointSlice): ServiceKey | undefined {
  const labels = slice.metadata.labels ?? {}
  const name = labels[serviceNameLabel]
  if (!name || otherProxyLabel in labels || headlessLabel in labels) return undefined
  return `${slice.metadata.namespace}/${name}`
}

/** Undefined where a service has no virtual IP of this family for us to serve. */
function viewOf(
  key: ServiceKey,
  service: Service,
  slices: Iterable<EndpointSlice>,
  { node, family }: { readonly node: string; readonly family: Family },
): ServiceView | undefined {
  const { spec, metadata } = service
  const labels = metadata.labels ?? {}
  if (!spec || spec.type === 'ExternalName' || otherProxyLabel in labels || headlessLabel in labels) return undefined
  const clusterIPs = (spec.clusterIPs?.length ? spec.clusterIPs : spec.clusterIP ? [spec.clusterIP] : []).filter((ip) => ofFamily(ip, family))
  if (clusterIPs.length === 0) return undefined
  const mine = [...slices].filter((s) => s.addressType === (family === 'ip' ? 'IPv4' : 'IPv6'))
  const ports = (spec.ports ?? []).map((port): ServicePortView => {
    const name = port.name ?? ''
    const protocol = protocolOf(port.protocol)
    return Object.freeze({
      name,
      protocol,
      port: port.port,
      ...(port.nodePort && { nodePort: port.nodePort }),
      endpoints: Object.freeze(endpointsOf(mine, name, protocol, node)),
    })
  })
  return Object.freeze({ key, created: metadata.creationTimestamp, clusterIPs: Object.freeze(clusterIPs), ports: Object.freeze(ports) })
}

/**
 * The union over a service's slices: a slice port counts if name and protocol agree, and its number is the one used.
 * Of an endpoint only the first address counts. Where two slices name the same endpoint, the local copy wins, else the first.
 */
function endpointsOf(slices: readonly EndpointSlice[], name: string, protocol: Protocol, node: string): EndpointView[] {
  const found = new Map<string, EndpointView>()
  for (const slice of slices) {
    const port = slice.ports?.find((p) => (p.name ?? '') === name && protocolOf(p.protocol) === protocol)?.port
    if (!port) continue
    for (const endpoint of slice.endpoints ?? []) {
      const address = endpoint.addresses[0]
      if (!address) continue
      const { ready, serving, terminating } = endpoint.conditions ?? {}
      const view: EndpointView = Object.freeze({
        address,
        port,
        local: endpoint.nodeName === node,
        ready: ready ?? true,
        serving: serving ?? true,
        terminating: terminating ?? false,
      })
      const id = `${address} ${port}`
      const other = found.get(id)
      if (!other || (view.local && !other.local)) found.set(id, view)
    }
  }
  // A fixed order, so that the same endpoints in other slices or another order are the same view.
  return [...found.values()].toSorted((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port))
}

const protocolOf = (text: string | undefined): Protocol => (text ?? 'TCP').toLowerCase() as Protocol

const ofFamily = (ip: string, family: Family): boolean => ip !== 'None' && ip !== '' && ip.includes(':') === (family === 'ip6')
