/** What the hub serves, told in both of the forms that clients ask for: one document per group version, or all in one. */
import { apiVersionOf, reviewKinds } from '../../api/resources.ts'
import type { ReviewKind, ResourceKind, Subresource } from '../../api/resources.ts'
import { customOf } from '../custom/kind.ts'
import type { Kinds } from '../custom/kinds.ts'
import { alternatives } from './accept.ts'

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const

interface SubresourceKind {
  readonly group?: string
  readonly version?: string
  readonly kind?: string
  readonly verbs: readonly string[]
}

/** The kind of a subresource where it is not that of its parent. */
export const subservedKinds: Readonly<Record<Subresource, SubresourceKind>> = {
  status: { verbs: ['get', 'patch', 'update'] },
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get', 'patch', 'update'] },
  binding: { kind: 'Binding', verbs: ['create'] },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
  log: { verbs: ['get'] },
  token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', verbs: ['create'] },
  approval: { verbs: ['get', 'patch', 'update'] },
  finalize: { verbs: ['update'] },
  proxy: { verbs: ['create', 'delete', 'get', 'patch', 'update'] },
  portforward: { kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
  attach: { kind: 'PodAttachOptions', verbs: ['create', 'get'] },
  exec: { kind: 'PodExecOptions', verbs: ['create', 'get'] },
}

/** Measured load (`kubectl top`): kinds that are not stored, and can only be read. */
export const usageGroup = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kinds: [
    { plural: 'nodes', kind: 'NodeMetrics', namespaced: false },
    { plural: 'pods', kind: 'PodMetrics', namespaced: true },
  ],
  verbs: ['get', 'list'],
} as const

type Kind = ResourceKind | ReviewKind
type Served = Pick<Kinds, 'served' | 'inGroup'>
/** Questions are asked, and nothing else. */
const verbsOf = (k: Kind): readonly string[] => ('resource' in k ? verbs : ['create'])

/** Those of definitions come last, as they do in `served`. */
const groupsServed = (kinds: Served): readonly string[] => {
  const own = kinds.served().filter((k) => !customOf(k))
  return [...new Set([...own, ...reviewKinds].map((k) => k.group).concat(usageGroup.group, kinds.served().map((k) => k.group)))]
}
const versionsOf = (kinds: Served, group: string): readonly string[] =>
  group === usageGroup.group ? [usageGroup.version] : [...new Set(kindsOf(kinds, { group }).map((k) => k.version))]
const kindsOf = (kinds: Served, { group, version }: { readonly group: string; readonly version?: string }): readonly Kind[] =>
  [...kinds.inGroup(group), ...reviewKinds.filter((k) => k.group === group)].filter((k) => version === undefined || k.version === version)

/** `/api` without aggregation. */
export function apiVersions(kinds: Served, host: string): unknown {
  const serverAddressByClientCIDRs = [{ clientCIDR: '0.0.0.0/0', serverAddress: host }]
  return { kind: 'APIVersions', versions: versionsOf(kinds, ''), serverAddressByClientCIDRs }
}

function groupOf(kinds: Served, name: string): Record<string, unknown> {
  const versions = versionsOf(kinds, name).map((version) => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions, preferredVersion: versions[0] }
}

/** `/apis` without aggregation. */
export function apiGroupList(kinds: Served): unknown {
  const named = groupsServed(kinds).filter((group) => group !== '')
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: named.map((name) => groupOf(kinds, name)) }
}

/** `/apis/GROUP`. */
export function apiGroup(kinds: Served, group: string): unknown {
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(kinds, group) }
}

/** `/api/v1` and `/apis/GROUP/VERSION`. */
export function apiResourceList(kinds: Served, { group, version }: { readonly group: string; readonly version: string }): unknown {
  const resources = group === usageGroup.group ? usageResources() : storedResources(kinds, group, version)
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf({ group, version }), resources }
}

function usageResources(): readonly unknown[] {
  const { kinds, verbs: allowed } = usageGroup
  return kinds.map(({ plural, kind, namespaced }) => ({ name: plural, singularName: '', namespaced, kind, verbs: allowed }))
}

function storedResources(kinds: Served, group: string, version: string): readonly unknown[] {
  return kindsOf(kinds, { group, version }).flatMap((k) => [
    {
      name: k.plural,
      singularName: k.singular,
      namespaced: k.namespaced,
      kind: k.kind,
      verbs: verbsOf(k),
      ...(k.shortNames.length > 0 && { shortNames: k.shortNames }),
      ...(k.categories.length > 0 && { categories: k.categories }),
    },
    ...k.subresources.map((sub) => ({
      name: `${k.plural}/${sub}`,
      singularName: '',
      namespaced: k.namespaced,
      ...('group' in subservedKinds[sub] && { group: subservedKinds[sub].group, version: subservedKinds[sub].version }),
      kind: subservedKinds[sub].kind ?? k.kind,
      verbs: subservedKinds[sub].verbs,
    })),
  ])
}

/** The version of apidiscovery.k8s.io that an Accept header prefers over the plain form, if any. */
export function aggregatedVersion(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, parameters } of alternatives(accept)) {
    if (type !== 'application/json' && type !== '*/*') continue
    const { as, g, v } = parameters
    if (as === undefined) return undefined
    if (as === 'APIGroupDiscoveryList' && g === 'apidiscovery.k8s.io' && (v === 'v2' || v === 'v2beta1')) return v
  }
  return undefined
}

/** The Content-Type by which a client tells that it got the aggregated form. */
export const aggregatedType = (version: string): string => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`

/** `/api` (the core) or `/apis` (the named groups) in the aggregated form (KEP-3352). */
export function aggregated(kinds: Served, which: 'core' | 'named', version: 'v2' | 'v2beta1'): unknown {
  const items = groupsServed(kinds)
    .filter((group) => (group === '') === (which === 'core'))
    .map((group) => ({
      metadata: { ...(group && { name: group }), creationTimestamp: null },
      versions: versionsOf(kinds, group).map((v) => ({ version: v, resources: group === usageGroup.group ? usageDiscovered() : kindsOf(kinds, { group, version: v }).map(discovered), freshness: 'Current' })),
    }))
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items }
}

function usageDiscovered(): readonly unknown[] {
  const { group, version, kinds, verbs: allowed } = usageGroup
  return kinds.map(({ plural, kind, namespaced }) => ({
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: '',
    verbs: allowed,
  }))
}

function discovered(k: Kind): unknown {
  const own = { group: k.group, version: k.version, kind: k.kind }
  const subresources = k.subresources.map((sub) => {
    const { verbs: allowed, ...kind } = subservedKinds[sub]
    return { subresource: sub, responseKind: { ...own, ...kind }, verbs: allowed }
  })
  return {
    resource: k.plural,
    responseKind: own,
    scope: k.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: k.singular,
    verbs: verbsOf(k),
    ...(k.shortNames.length > 0 && { shortNames: k.shortNames }),
    ...(k.categories.length > 0 && { categories: k.categories }),
    ...(subresources.length > 0 && { subresources }),
  }
}
