/** What a cluster has from its first moment: the standard namespaces, and the `kubernetes` service that leads to the hub. */
import { StatusError } from '../api/status.ts'
import { familyOf } from './admit/ranges.ts'
import { unicastProblem } from './admit/validate/service.ts'
import type { Draft, Registry } from './registry/registry.ts'
import type { Ref, Store } from './store/store.ts'

const standardNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const

export interface HubAddress {
  /** Where the hub listens. Agents and pods reach it there, unless that is loopback, every address, or a name. */
  readonly address?: string
  readonly port: number
  /** The first address of the service range. */
  readonly clusterIP: string
}

/** Makes what is missing and corrects where the hub is; run at every start. */
export async function bootstrap(store: Store, registry: Registry, hub: HubAddress): Promise<void> {
  for (const name of standardNamespaces) {
    await ensure(registry, { resource: 'namespaces', namespace: '', name }, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  }
  const meta = { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } }
  await ensure(registry, { resource: 'services', namespace: 'default', name: 'kubernetes' }, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta,
    spec: { clusterIP: hub.clusterIP, ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: hub.port }] },
  })
  if (!hub.address || unicastProblem(hub.address)) return
  const ports = [{ name: 'https', protocol: 'TCP', port: hub.port }]
  await put(store, registry, { resource: 'endpoints', namespace: 'default', name: 'kubernetes' }, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: meta.name, namespace: meta.namespace, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: hub.address }], ports }],
  })
  await put(store, registry, { resource: 'endpointslices.discovery.k8s.io', namespace: 'default', name: 'kubernetes' }, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: meta.name, namespace: meta.namespace, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: familyOf(hub.address),
    endpoints: [{ addresses: [hub.address], conditions: { ready: true, serving: true, terminating: false } }],
    ports,
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
