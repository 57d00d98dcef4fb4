/** What a cluster has from its first moment: the standard namespaces with their accounts, the priority classes of the system, and the `kubernetes` service that leads to the hub. */
import { StatusError } from '../api/status.ts'
import { familyOf } from './admit/ranges.ts'
import { systemClasses } from './admit/validate/priority.ts'
import { unicastProblem } from './admit/validate/service.ts'
import type { Draft, Registry } from './registry/registry.ts'
import type { Ref, Store } from './store/store.ts'

const standardNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const

export interface HubAddress {
  /** Where the hub listens. Agents and pods reach it there, unless that is loopback, every address, or a name. */
  readonly address: string
  readonly port: number
}

export interface FirstThings {
  /** The first address of the service range. */
  readonly clusterIP: string
  /** The port that pods find in the service. */
  readonly port: number
}

/** Makes what is missing; run at every start. */
export async function bootstrap(registry: Registry, { clusterIP, port }: FirstThings): Promise<void> {
  for (const name of standardNamespaces) {
    await ensure(registry, { resource: 'namespaces', namespace: '', name }, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  }
  // The controller of namespaces makes them, too, but on one hub, and a little later.
  for (const namespace of standardNamespaces) {
    const metadata = { name: 'default', namespace }
    await ensure(registry, { resource: 'serviceaccounts', ...metadata }, { apiVersion: 'v1', kind: 'ServiceAccount', metadata })
  }
  for (const [name, { value, description }] of Object.entries(systemClasses)) {
    const draft = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value, description }
    await ensure(registry, { resource: 'priorityclasses.scheduling.k8s.io', namespace: '', name }, draft)
  }
  await ensure(registry, { resource: 'services', namespace: 'default', name: kubernetes }, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: kubernetes, namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: { clusterIP, ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: port }] },
  })
}

/** Whether others can reach a hub at this address. */
export function isReachable({ address }: HubAddress): boolean {
  return address !== '' && !unicastProblem(address)
}

/** Where agents and pods reach a hub: where it listens, or, where that is an address for nobody else, at the URL of its kubeconfig. */
export function hubAddress(listen: { readonly host: string; readonly port: number }, url: string): HubAddress {
  const own = { address: listen.host, port: listen.port }
  if (isReachable(own) || !URL.canParse(url)) return own
  const { hostname, port } = new URL(url)
  const shown = { address: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443) }
  return isReachable(shown) ? shown : own
}

/** Lets the service `kubernetes` lead to these hubs; where none of them can be reached, it stays as it is. */
export async function leadTo(store: Store, registry: Registry, hubs: readonly HubAddress[]): Promise<void> {
  const groups = groupsOf(hubs.filter(isReachable))
  if (groups.length === 0) return
  await put(store, registry, { resource: 'endpoints', namespace: 'default', name: kubernetes }, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: kubernetes, namespace: 'default', labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: groups.map(({ addresses, ports }) => ({ addresses: addresses.map((ip) => ({ ip })), ports })),
  })
  for (const [i, { family, addresses, ports }] of groups.entries()) {
    await put(store, registry, sliceRef(i), {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: sliceRef(i).name, namespace: 'default', labels: { 'kubernetes.io/service-name': kubernetes } },
      addressType: family,
      endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true, serving: true, terminating: false } })),
      ports,
    })
  }
  for (let i = groups.length; store.get(sliceRef(i)); i++) await registry.remove(sliceRef(i))
}

const kubernetes = 'kubernetes'
const sliceRef = (i: number): Ref => ({ resource: 'endpointslices.discovery.k8s.io', namespace: 'default', name: i === 0 ? kubernetes : `${kubernetes}-${i}` })

/** A slice has one family and one set of ports. Ordered, so that all hubs write the same. */
function groupsOf(hubs: readonly HubAddress[]) {
  const keys = [...new Set(hubs.map(({ address, port }) => `${familyOf(address)} ${port}`))].toSorted()
  return keys.map((key) => {
    const members = hubs.filter(({ address, port }) => `${familyOf(address)} ${port}` === key)
    const { address, port } = members[0]!
    return {
      family: familyOf(address),
      addresses: [...new Set(members.map((hub) => hub.address))].toSorted(),
      ports: [{ name: 'https', protocol: 'TCP', port }],
    }
  })
}

async function ensure(registry: Registry, ref: Ref, draft: Draft): Promise<void> {
  try {
    await registry.create(ref, draft)
  } catch (e) {
    if (!(e instanceof StatusError && e.status.reason === 'AlreadyExists')) throw e
  }
}

async function put(store: Store, registry: Registry, ref: Ref, draft: Draft): Promise<void> {
  const present = store.get(ref) as { readonly addressType?: string } | undefined
  // The family of a slice cannot change: a hub that moved to the other one needs another slice.
  if (present && present.addressType !== draft['addressType']) await registry.remove(ref)
  if (!store.get(ref)) return ensure(registry, ref, draft)
  await registry.update(ref, (current) => ({ ...draft, metadata: { ...current.metadata, ...(draft['metadata'] as object) } }))
}
