/** scale, binding and eviction: small views on an object that stand for a change of it. */
import type { KubeObject } from '../../api/objects.ts'
import type { ResourceKind } from '../../api/resources.ts'
import { badRequest, invalid } from '../../api/status.ts'
import type { StatusCause } from '../../api/status.ts'
import { evict as evictPod } from '../registry/evict.ts'
import { negotiate } from './accept.ts'
import { asObject, contentTypeOf, readBody } from './body.ts'
import type { Call } from './call.ts'
import { draftOf, metadataOf } from './draft.ts'
import { applyPatch, applyType, patchFormat } from './patch/patch.ts'
import { flag } from './query.ts'
import { settle, stored } from './read.ts'
import { removeOptions } from './remove.ts'
import { sendValue, success } from './reply.ts'
import { customOf, readAs, type ScalePaths } from '../custom/kind.ts'
import { fieldAt, withFieldAt } from '../custom/path.ts'
import { selectorOf } from './table/workloads.ts'
import type { ResourceTarget } from './target.ts'
import { configuration, refOf, tell, writeOptions } from './write.ts'

type JsonMap = { readonly [field: string]: unknown }

/** Where the kinds that are built in have their numbers. */
const ownPaths: ScalePaths = { wished: ['spec', 'replicas'], present: ['status', 'replicas'] }

/** autoscaling/v1 Scale of what has replicas. */
export function scaleOf(of: ResourceKind, stored: KubeObject): JsonMap {
  const { wished, present, selector } = customOf(of)?.scale ?? ownPaths
  const object = readAs(of, stored)
  const { metadata, spec } = object
  const replicas = fieldAt(object, wished) ?? (customOf(of) ? 0 : 1)
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas },
    status: { replicas: fieldAt(object, present) ?? 0, ...(customOf(of) ? selector && { selector: fieldAt(object, selector) ?? '' } : { selector: selectorOf(spec) }) },
  }
}

export async function getScale(call: Call, target: ResourceTarget): Promise<void> {
  const { media } = negotiate(call.req.headers.accept)
  await settle(call)
  sendValue(call, scaleOf(target.of, stored(call, target)), { media })
}

/** PUT or PATCH of the scale: of all that the client sends, `spec.replicas` counts, and a resourceVersion as its condition. */
export async function setScale(call: Call, target: ResourceTarget): Promise<void> {
  if (call.req.method === 'PATCH' && contentTypeOf(call.req) === applyType) return applyScale(call, target)
  const { media } = negotiate(call.req.headers.accept)
  const format = call.req.method === 'PATCH' ? patchFormat(contentTypeOf(call.req), target.of) : undefined
  const options = { ...writeOptions(call), subresource: 'scale' as const }
  const body = await readBody(call.req)
  const change = (current: KubeObject) => {
    const now = readAs(target.of, current)
    const wish = format ? applyPatch(format, scaleOf(target.of, now), body) : asObject(body, 'a Scale')
    const { resourceVersion } = metadataOf(wish)
    const scaled = withFieldAt(now, (customOf(target.of)?.scale ?? ownPaths).wished, replicasOf(target, wish)) as KubeObject & JsonMap
    return { ...scaled, metadata: { ...now.metadata, resourceVersion: resourceVersion ?? now.metadata.resourceVersion } }
  }
  const object = await call.deps.registry.update(refOf(target), change, options)
  tell(call, target, object)
  sendValue(call, scaleOf(target.of, object), { media })
}

/** Server-side apply of a Scale: its manager has the number of replicas for its own, or where it names none gives it up. */
async function applyScale(call: Call, target: ResourceTarget): Promise<void> {
  const { media } = negotiate(call.req.headers.accept)
  const options = { ...writeOptions(call), subresource: 'scale' as const, force: flag(call.query, 'force') }
  const given = configuration(call, await readBody(call.req))
  if (given.apiVersion !== 'autoscaling/v1') throw badRequest(`the apiVersion in the data (${String(given.apiVersion)}) does not match the expected one (autoscaling/v1)`)
  const replicas = replicasOf(target, given)
  const named = asObject(given.spec ?? {}, 'a Scale with spec as an object').replicas !== undefined
  const { name, namespace, uid, resourceVersion, managedFields } = metadataOf(given)
  const wished = named ? (withFieldAt({}, (customOf(target.of)?.scale ?? ownPaths).wished, replicas) as JsonMap) : {}
  const config = draftOf({ metadata: { name, namespace, uid, resourceVersion, managedFields }, ...wished }, target)
  const { object } = await call.deps.registry.apply(refOf(target), config, options)
  tell(call, target, object)
  sendValue(call, scaleOf(target.of, object), { media })
}

function replicasOf({ name }: ResourceTarget, wish: JsonMap): number {
  if ((wish.kind ?? 'Scale') !== 'Scale') throw badRequest(`the kind in the data (${String(wish.kind)}) does not match the expected kind (Scale)`)
  const replicas = asObject(wish.spec ?? {}, 'a Scale with spec as an object').replicas ?? 0
  if (Number.isSafeInteger(replicas) && (replicas as number) >= 0) return replicas as number
  const message = `Invalid value: ${JSON.stringify(replicas)}: must be a whole number from 0 up`
  const cause: StatusCause = { reason: 'FieldValueInvalid', field: 'spec.replicas', message }
  throw invalid({ group: 'autoscaling', version: 'v1', kind: 'Scale', plural: 'scales' }, name, [cause])
}

/** POST pods/NAME/binding: gives a pod to a node. */
export async function bind(call: Call, target: ResourceTarget): Promise<void> {
  const { media } = negotiate(call.req.headers.accept)
  const options = writeOptions(call)
  const binding = asObject(await readBody(call.req), 'a Binding')
  const node = asObject(binding.target, 'a Binding with a target')
  if ((node.kind ?? 'Node') !== 'Node') throw badRequest(`target.kind must be Node, not ${JSON.stringify(node.kind)}`)
  if (typeof node.name !== 'string') throw badRequest('target.name must name a node')
  await call.deps.registry.bind(refOf(target), node.name, options)
  sendValue(call, { ...success(undefined), code: 201 }, { code: 201, media })
}

/** POST pods/NAME/eviction: a delete that asks the pod's disruption budgets first. */
export async function evict(call: Call, target: ResourceTarget): Promise<void> {
  const { media } = negotiate(call.req.headers.accept)
  const eviction = asObject(await readBody(call.req), 'an Eviction')
  const given = eviction.deleteOptions === undefined || eviction.deleteOptions === null ? undefined : eviction.deleteOptions
  const options = removeOptions(call.query, given)
  await evictPod(call.deps, refOf(target), options)
  sendValue(call, { ...success(undefined), code: 201 }, { code: 201, media })
}
