/** delete and deletecollection. */
import type { Status } from '../../api/status.ts'
import { StatusError, badRequest } from '../../api/status.ts'
import type { ResourceKind } from '../../api/resources.ts'
import type { KubeObject } from '../../api/objects.ts'
import type { RemoveOptions } from '../registry/registry.ts'
import { negotiate } from './accept.ts'
import { asObject, readBody } from './body.ts'
import type { Call } from './call.ts'
import { filterOf } from './filter.ts'
import { dryRun, flag, integer } from './query.ts'
import { sendList, sendObject, settle } from './read.ts'
import { sendValue, success } from './reply.ts'
import type { ResourceTarget } from './target.ts'
import { refOf } from './write.ts'

type JsonMap = { readonly [field: string]: unknown }

/** meta/v1 DeleteOptions from the body, and from the query where the body is silent. */
export function removeOptions(query: URLSearchParams, body: unknown): RemoveOptions {
  const given = body === undefined ? {} : asObject(body, 'DeleteOptions')
  if (given.kind !== undefined && given.kind !== 'DeleteOptions') {
    throw badRequest(`the body of a delete must be DeleteOptions, not ${JSON.stringify(given.kind)}`)
  }
  const dry = given.dryRun ?? query.getAll('dryRun')
  if (!Array.isArray(dry)) throw badRequest('dryRun must be a list')
  const grace = given.gracePeriodSeconds ?? integer(query, 'gracePeriodSeconds')
  if (grace !== undefined && (!Number.isSafeInteger(grace) || (grace as number) < 0)) {
    throw badRequest(`gracePeriodSeconds must be a whole number from 0 up, not ${JSON.stringify(grace)}`)
  }
  const policy = propagation(given, query)
  const preconditions = preconditionsOf(given.preconditions)
  return {
    dryRun: dryRun(dry as readonly unknown[]),
    ...(grace !== undefined && { gracePeriodSeconds: grace as number }),
    ...(policy && { propagationPolicy: policy }),
    ...(preconditions && { preconditions }),
  }
}

function propagation(given: JsonMap, query: URLSearchParams): RemoveOptions['propagationPolicy'] {
  const policy = given.propagationPolicy ?? (query.get('propagationPolicy') || undefined)
  const orphan = given.orphanDependents ?? (query.has('orphanDependents') ? flag(query, 'orphanDependents') : undefined)
  if (policy !== undefined && orphan !== undefined) throw badRequest('orphanDependents and propagationPolicy cannot both be set')
  if (orphan !== undefined) return orphan === true ? 'Orphan' : 'Background'
  if (policy === undefined || policy === 'Background' || policy === 'Foreground' || policy === 'Orphan') return policy
  throw badRequest(`propagationPolicy must be Background, Foreground or Orphan, not ${JSON.stringify(policy)}`)
}

function preconditionsOf(given: unknown): RemoveOptions['preconditions'] {
  if (given === undefined || given === null) return undefined
  const { uid, resourceVersion } = asObject(given, 'DeleteOptions with preconditions as an object')
  for (const value of [uid, resourceVersion]) {
    if (value !== undefined && value !== null && typeof value !== 'string') throw badRequest('preconditions must hold strings')
  }
  return { ...(typeof uid === 'string' && { uid }), ...(typeof resourceVersion === 'string' && { resourceVersion }) }
}

/** DELETE on an object. */
export async function remove(call: Call, target: ResourceTarget): Promise<void> {
  const wanted = negotiate(call.req.headers.accept)
  const options = removeOptions(call.query, await readBody(call.req))
  const { object, gone } = await call.deps.registry.remove(refOf(target), options)
  if (gone) sendValue(call, success(detailsOf(target.of, object)), { media: wanted.media })
  else sendObject(call, object, { target, wanted })
}

export function detailsOf(of: ResourceKind, { metadata }: KubeObject): Status['details'] {
  return { name: metadata.name, ...(of.group && { group: of.group }), kind: of.plural, uid: metadata.uid }
}

/** DELETE on a collection; answered with what was deleted. An object that goes away by itself meanwhile is no failure. */
export async function removeCollection(call: Call, target: ResourceTarget): Promise<void> {
  const wanted = negotiate(call.req.headers.accept)
  const filter = filterOf(call.query, target)
  const options = removeOptions(call.query, await readBody(call.req))
  await settle(call)
  const chosen = call.deps.store.list(target.of.resource, target.namespace || undefined).filter(filter.matches)
  const items: KubeObject[] = []
  for (const { metadata } of chosen) {
    const ref = { resource: target.of.resource, namespace: metadata.namespace ?? '', name: metadata.name }
    try {
      items.push((await call.deps.registry.remove(ref, options)).object)
    } catch (e) {
      if (!(e instanceof StatusError && e.status.reason === 'NotFound')) throw e
    }
  }
  sendList(call, { target, wanted, items, metadata: { resourceVersion: String(call.deps.store.revision) } })
}
