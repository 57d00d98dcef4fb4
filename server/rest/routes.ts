/** Which step answers which request, and which wish a request is to be authorized for. */
import type { ResourceKind } from '../../api/resources.ts'
import { StatusError } from '../../api/status.ts'
import type { Wish } from '../auth/auth.ts'
import { customOf } from '../custom/kind.ts'
import type { Call } from './call.ts'
import { aggregated, aggregatedType, aggregatedVersion, apiGroup, apiGroupList, apiResourceList, apiVersions, usageGroup } from './discovery.ts'
import { flag } from './query.ts'
import { health, version } from './health.ts'
import { metrics } from './metrics.ts'
import type { RequestMetrics } from './metrics.ts'
import { usage } from './usage.ts'
import { hubJoin, hubRules, hubSecrets, hubSnapshot, hubStatus } from './hub.ts'
import { logs } from './logs.ts'
import type { OpenApi } from './openapi/openapi.ts'
import { hashOf } from './openapi/v3.ts'
import { get, list } from './read.ts'
import { remove, removeCollection } from './remove.ts'
import { nothingHere, sendText, sendValue, warn } from './reply.ts'
import { review } from './review.ts'
import { createToken, openid } from './token.ts'
import { bind, evict, getScale, setScale } from './subresource.ts'
import type { Proxy } from './proxy/proxy.ts'
import { upgradeRequired } from './streams/connect.ts'
import type { ResourceTarget, Target } from './target.ts'
import type { EventTexts } from './watch/encode.ts'
import { httpSink } from './watch/sink.ts'
import { prepareWatch } from './watch/watch.ts'
import { create, patch, update } from './write.ts'

/** What is kept from request to request. */
export interface Shared {
  readonly openapi: OpenApi
  readonly texts: EventTexts
  readonly requests: RequestMetrics
  readonly proxy: Proxy
}

type Handler = (call: Call, target: ResourceTarget, shared: Shared) => Promise<void>

const watchHttp: Handler = async (call, target, { texts }) => {
  const run = await prepareWatch(call, target, texts)
  call.req.socket.setKeepAlive(true, 30_000)
  await run(httpSink(call.res))
}

/** A watch on one object is a watch on its collection with one name. */
const watchOr =
  (handler: Handler): Handler =>
  (call, target, shared) =>
    isWatch(call) ? watchHttp(call, target, shared) : handler(call, target, shared)

type Methods = Readonly<Record<string, { readonly verb: string; readonly run: Handler }>>

const onCollection: Methods = {
  GET: { verb: 'list', run: watchOr(list) },
  POST: { verb: 'create', run: create },
  DELETE: { verb: 'deletecollection', run: removeCollection },
}
const onObject: Methods = {
  GET: { verb: 'get', run: watchOr(get) },
  PUT: { verb: 'update', run: update },
  PATCH: { verb: 'patch', run: patch },
  DELETE: { verb: 'delete', run: remove },
}
/** What becomes a connection of another kind; see `streams/connect.ts`. A WebSocket begins with GET, SPDY with POST. */
const connected: Methods = { GET: { verb: 'get', run: upgradeRequired }, POST: { verb: 'create', run: upgradeRequired } }
const { PUT, PATCH } = onObject
const onSubresource: Readonly<Record<NonNullable<ResourceTarget['subresource']>, Methods>> = {
  status: { GET: { verb: 'get', run: get }, PUT: PUT!, PATCH: PATCH! },
  approval: { GET: { verb: 'get', run: get }, PUT: PUT!, PATCH: PATCH! },
  finalize: { PUT: PUT! },
  scale: { GET: { verb: 'get', run: getScale }, PUT: { verb: 'update', run: setScale }, PATCH: { verb: 'patch', run: setScale } },
  binding: { POST: { verb: 'create', run: bind } },
  eviction: { POST: { verb: 'create', run: evict } },
  log: { GET: { verb: 'get', run: logs } },
  exec: connected,
  attach: connected,
  portforward: connected,
  // Its paths are a target of their own.
  proxy: {},
  token: { POST: { verb: 'create', run: createToken } },
}

/** The methods of a target; a list over all namespaces can only be read and deleted. */
function methodsOf(target: ResourceTarget): Methods {
  if (target.subresource) return onSubresource[target.subresource]
  if (target.name !== '') return onObject
  if (!target.of.namespaced || target.namespace !== '') return onCollection
  return { GET: onCollection.GET!, DELETE: onCollection.DELETE! }
}

/** HEAD is answered like GET, without the body. */
const methodOf = (call: Call): string => (call.req.method === 'HEAD' ? 'GET' : (call.req.method ?? 'GET'))

function isWatch(call: Call): boolean {
  return flag(call.query, 'watch')
}

const plainVerbs: Readonly<Record<string, string>> = { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }

/** What the caller wants, in the words of authorization. */
export function wishOf(call: Call, target: Target, path: string): Wish {
  const method = methodOf(call)
  const verb = plainVerbs[method] ?? method.toLowerCase()
  if (target.kind === 'resource') {
    const known = methodsOf(target)[method]?.verb ?? verb
    const watching = method === 'GET' && target.subresource === undefined && call.query.has('watch') && isWatch(call)
    return {
      verb: watching ? 'watch' : known,
      path,
      resource: qualified(target.of),
      ...(target.subresource && { subresource: target.subresource }),
      ...(target.namespace && { namespace: target.namespace }),
      ...nameOf(call, target),
      ...(call.query.has('fieldSelector') && { fieldSelector: call.query.get('fieldSelector')! }),
    }
  }
  if (target.kind === 'proxy') {
    const { of, namespace, name } = target
    return { verb, path, resource: of, subresource: 'proxy', namespace, name }
  }
  if (target.kind === 'usage') {
    const { of, namespace, name } = target
    const readVerb = method === 'GET' ? (name === '' ? 'list' : 'get') : verb
    return { verb: readVerb, path, resource: `${of}.${usageGroup.group}`, ...(namespace && { namespace }), ...(name && { name }) }
  }
  if (target.kind === 'review') {
    return { verb, path, resource: qualified(target.of), ...(target.namespace && { namespace: target.namespace }) }
  }
  // What is no resource is asked for in HTTP's own words, as roles have them in `nonResourceURLs`.
  if (target.kind !== 'unknown' || target.resource === undefined) return { verb: (call.req.method ?? 'GET').toLowerCase(), path }
  const { resource, group = '', namespace } = target
  return { verb, path, resource: qualified({ plural: resource, group }), ...(namespace && { namespace }) }
}

/** In the group of the path: an event is the same object in two of them. */
const qualified = ({ plural, group }: Pick<ResourceKind, 'plural' | 'group'>): string => (group ? `${plural}.${group}` : plural)

/** A list of one name (`metadata.name=x`) is asked for as that object, so that who may see it may watch it. */
function nameOf(call: Call, { name }: ResourceTarget): { readonly name?: string } {
  if (name !== '') return { name }
  const field = /^metadata\.name==?([^,=!]+)$/.exec(call.query.get('fieldSelector') ?? '')
  return field ? { name: field[1]! } : {}
}

function notAllowed(call: Call, target?: ResourceTarget): StatusError {
  const of: ResourceKind | undefined = target?.of
  const on = of ? ` on ${of.resource}${target?.subresource ? `/${target.subresource}` : ''}` : ''
  return new StatusError('MethodNotAllowed', `the server does not allow the method ${call.req.method}${on} here`)
}

/** Answers the request. @throws StatusError */
export async function route(call: Call, target: Target, shared: Shared): Promise<void> {
  if (target.kind === 'resource') {
    const methods = methodsOf(target)
    const handler = methods[methodOf(call)]
    if (!handler) {
      call.res.setHeader('Allow', Object.keys(methods).join(', '))
      throw notAllowed(call, target)
    }
    const { warning } = customOf(target.of) ?? {}
    if (warning !== undefined) warn(call, [warning])
    return handler.run(call, target, shared)
  }
  if (target.kind === 'unknown') throw nothingHere()
  if (target.kind === 'proxy') return shared.proxy.pass(call, target)
  const expected = posted.has(target.kind) ? 'POST' : 'GET'
  if (methodOf(call) !== expected) {
    call.res.setHeader('Allow', expected)
    throw notAllowed(call)
  }
  return routeOther(call, target, shared)
}

/** Everything else is read. */
const posted: ReadonlySet<Target['kind']> = new Set(['hubJoin', 'hubSecrets', 'review'])

type Other = Exclude<Target, { readonly kind: 'resource' | 'unknown' | 'proxy' }>

async function routeOther(call: Call, target: Other, { openapi, requests }: Shared): Promise<void> {
  switch (target.kind) {
    case 'groups':
      return groups(call, target.legacy)
    case 'group':
      return sendValue(call, apiGroup(call.deps.kinds, target.group))
    case 'groupVersion':
      return sendValue(call, apiResourceList(call.deps.kinds, target))
    case 'version':
      return version(call)
    case 'health':
      return health(call, target.check, target.name)
    case 'metrics':
      return metrics(call, requests)
    case 'usage':
      return usage(call, target)
    case 'openapi2':
      return openapi.v2(call)
    case 'openapi3':
      return openapi.v3(call, target.path)
    case 'hubSnapshot':
      return hubSnapshot(call)
    case 'openid':
      return openid(call, target.document)
    case 'review':
      return review(call, target)
    case 'hubStatus':
      return hubStatus(call)
    case 'hubRules':
      return hubRules(call, target.node)
    case 'hubSecrets':
      return hubSecrets(call)
    case 'hubJoin':
      return hubJoin(call)
  }
}

function groups(call: Call, legacy: boolean): void {
  const wanted = aggregatedVersion(call.req.headers.accept)
  call.res.setHeader('Vary', 'Accept')
  if (wanted) {
    const text = JSON.stringify(aggregated(call.deps.kinds, legacy ? 'core' : 'named', wanted))
    return sendText(call, text, { code: 200, type: aggregatedType(wanted), tag: hashOf(text) })
  }
  sendValue(call, legacy ? apiVersions(call.deps.kinds, call.req.headers.host ?? '') : apiGroupList(call.deps.kinds))
}
