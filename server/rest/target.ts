/** What a URL's path points at. */
import { reviewKinds } from '../../api/resources.ts'
import type { ResourceKind, ReviewKind, Subresource } from '../../api/resources.ts'
import type { Kinds } from '../custom/kinds.ts'
import { usageGroup } from './discovery.ts'
import { hubPaths } from '../../api/hub.ts'

/** A collection (`name` is '') or an object of a kind. `namespace` is '' for cluster-wide kinds and for lists over all namespaces. */
export interface ResourceTarget {
  readonly kind: 'resource'
  readonly of: ResourceKind
  readonly namespace: string
  readonly name: string
  readonly subresource?: Subresource
}

/** Measured load in metrics.k8s.io/v1beta1: of one object, or of all (`name` is ''), those of one namespace where it is not ''. */
export interface UsageTarget {
  readonly kind: 'usage'
  readonly of: 'nodes' | 'pods'
  readonly namespace: string
  readonly name: string
}

/** What a pod serves, itself or as one behind a service. `port` is a name, a number or ''. */
export interface ProxyTarget {
  readonly kind: 'proxy'
  readonly of: 'pods' | 'services'
  readonly namespace: string
  readonly name: string
  readonly scheme: 'http' | 'https'
  readonly port: string
  /** The path up to `/proxy`, and what follows it, both as they came, percent-encoded; '' where not even a slash follows. */
  readonly prefix: string
  readonly rest: string
}

export type Target =
  | ResourceTarget
  /** Legacy and aggregated discovery: `/api` and `/apis`. */
  | { readonly kind: 'groups'; readonly legacy: boolean }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'groupVersion'; readonly group: string; readonly version: string }
  | { readonly kind: 'version' }
  /** All checks, or with `name` one of them. */
  | { readonly kind: 'health'; readonly check: 'livez' | 'readyz' | 'healthz'; readonly name?: string }
  | { readonly kind: 'metrics' }
  | ProxyTarget
  | UsageTarget
  | { readonly kind: 'openapi2' }
  /** The index (`path` is ''), or the document of one group version (`api/v1`, `apis/apps/v1`). */
  | { readonly kind: 'openapi3'; readonly path: string }
  /** A question that is created, and answered at once; `namespace` is '' where it has none. */
  | { readonly kind: 'review'; readonly of: ReviewKind; readonly namespace: string }
  | { readonly kind: 'openid'; readonly document: 'configuration' | 'keys' }
  | { readonly kind: 'hubStatus' }
  | { readonly kind: 'hubSnapshot' }
  | { readonly kind: 'hubRules'; readonly node: string }
  | { readonly kind: 'hubJoin' }
  | { readonly kind: 'hubSecrets' }
  /** Nothing that the hub serves; `resource` is what the path would name if it did. */
  | { readonly kind: 'unknown'; readonly resource?: string; readonly group?: string; readonly namespace?: string }

const healthChecks: ReadonlySet<string> = new Set(['livez', 'readyz', 'healthz'])

/**
 * Reads a path (percent-encoded, without the query). A trailing slash is ignored.
 * @throws URIError where the percent-encoding is broken
 */
export function parseTarget(path: string, kinds: Pick<Kinds, 'inGroup'>): Target {
  const proxied = proxyPath.exec(path)
  if (proxied) return proxyTarget(proxied)
  const parts = path.split('/').filter((part) => part !== '').map(decodeURIComponent)
  const [first = '', second, third] = parts
  if (parts.some((part) => part.includes('/'))) return { kind: 'unknown' }
  if (first === 'api') return parts.length === 1 ? { kind: 'groups', legacy: true } : inGroup(kinds, '', parts.slice(1))
  if (first === 'apis') return parts.length === 1 ? { kind: 'groups', legacy: false } : inGroup(kinds, second!, parts.slice(2))
  if (first === 'version' && parts.length === 1) return { kind: 'version' }
  if (healthChecks.has(first) && parts.length <= 2) return { kind: 'health', check: first as 'livez', ...(second !== undefined && { name: second }) }
  if (first === 'metrics' && parts.length === 1) return { kind: 'metrics' }
  if (first === 'openapi' && second === 'v2' && parts.length === 2) return { kind: 'openapi2' }
  if (first === 'openapi' && second === 'v3') return { kind: 'openapi3', path: parts.slice(2).join('/') }
  const whole = `/${parts.join('/')}`
  if (whole === '/.well-known/openid-configuration') return { kind: 'openid', document: 'configuration' }
  if (whole === '/openid/v1/jwks') return { kind: 'openid', document: 'keys' }
  if (whole === hubPaths.status) return { kind: 'hubStatus' }
  if (whole === hubPaths.snapshot) return { kind: 'hubSnapshot' }
  if (whole === hubPaths.secrets) return { kind: 'hubSecrets' }
  if (whole === hubPaths.join) return { kind: 'hubJoin' }
  if (`/${first}/${second}/${third}` === hubPaths.nodes && parts.length === 5 && parts[4] === 'rules') {
    return { kind: 'hubRules', node: parts[3]! }
  }
  return { kind: 'unknown' }
}

const proxyPath = /^(\/api\/v1\/namespaces\/([^/]+)\/(pods|services)\/([^/]+)\/proxy)(\/.*)?$/

/** The name may have a scheme before it and a port behind it: `https:web:443`, `web:80`, `web`. */
function proxyTarget([, prefix = '', namespace = '', of, words = '', rest = '']: readonly (string | undefined)[]): Target {
  const parts = decodeURIComponent(words).split(':')
  const [scheme, name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts]
  const where = { of: of as ProxyTarget['of'], namespace: decodeURIComponent(namespace), name, port, prefix, rest }
  if (parts.length > 3 || !['', 'http', 'https'].includes(scheme!)) return { kind: 'unknown', group: '', resource: where.of, namespace: where.namespace }
  return { kind: 'proxy', ...where, scheme: scheme === 'https' ? 'https' : 'http' }
}

function inGroup(kinds: Pick<Kinds, 'inGroup'>, group: string, parts: readonly string[]): Target {
  if (group === usageGroup.group) return inUsage(parts)
  const known = kinds.inGroup(group)
  const [version, ...rest] = parts
  const reviews = reviewKinds.filter((k) => k.group === group)
  if (known.length + reviews.length === 0) return inVersion([], group, rest)
  if (version === undefined) return { kind: 'group', group }
  const served = known.filter((k) => k.version === version)
  const asked = reviewIn(reviews, version, rest)
  if (asked) return asked
  if (rest.length === 0) return [...served, ...reviews].some((k) => k.version === version) ? { kind: 'groupVersion', group, version } : { kind: 'unknown', group }
  return inVersion(served, group, rest)
}

function inUsage([version, ...rest]: readonly string[]): Target {
  const { group } = usageGroup
  if (version === undefined) return { kind: 'group', group }
  if (version !== usageGroup.version) return { kind: 'unknown', group }
  if (rest.length === 0) return { kind: 'groupVersion', group, version }
  const [first = '', second = '', third, name = ''] = rest
  if (first === 'namespaces' && third === 'pods' && rest.length <= 4) return { kind: 'usage', of: 'pods', namespace: second, name }
  if (first === 'nodes' && rest.length <= 2) return { kind: 'usage', of: 'nodes', namespace: '', name: second }
  if (first === 'pods' && rest.length === 1) return { kind: 'usage', of: 'pods', namespace: '', name: '' }
  return { kind: 'unknown', group, resource: first === 'namespaces' ? (third ?? first) : first }
}

/** Questions have a collection, and nothing in it. */
function reviewIn(reviews: readonly ReviewKind[], version: string, parts: readonly string[]): Target | undefined {
  const inNamespace = parts[0] === 'namespaces' && parts.length === 3
  const [plural, ...more] = inNamespace ? parts.slice(2) : parts
  const of = reviews.find((k) => k.version === version && k.plural === plural && k.namespaced === inNamespace)
  return of && more.length === 0 ? { kind: 'review', of, namespace: inNamespace ? parts[1]! : '' } : undefined
}

function inVersion(served: readonly ResourceKind[], group: string, parts: readonly string[]): Target {
  const inNamespace = parts[0] === 'namespaces' && parts.length > 2 && !isNamespaceSubresource(parts)
  const namespace = inNamespace ? parts[1]! : ''
  const [plural = '', name = '', subresource, ...more] = inNamespace ? parts.slice(2) : parts
  const of = served.find((k) => k.plural === plural)
  const unknown: Target = { kind: 'unknown', group, ...(plural && { resource: plural }), ...(namespace && { namespace }) }
  if (!of || more.length > 0) return unknown
  // An object of a namespaced kind has no address without its namespace; its collection has one, for reading.
  if (of.namespaced !== inNamespace && (name !== '' || inNamespace)) return unknown
  if (subresource === undefined) return { kind: 'resource', of, namespace, name }
  const sub = of.subresources.find((s) => s === subresource)
  return sub ? { kind: 'resource', of, namespace, name, subresource: sub } : unknown
}

/** `/api/v1/namespaces/NAME/status` is no collection called `status`. */
function isNamespaceSubresource(parts: readonly string[]): boolean {
  return parts.length === 3 && (parts[2] === 'status' || parts[2] === 'finalize')
}
