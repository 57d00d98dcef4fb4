/** create, update and patch. */
import type { KubeObject } from '../../api/objects.ts'
import { badRequest } from '../../api/status.ts'
import type { WriteOptions } from '../registry/registry.ts'
import type { Ref } from '../store/store.ts'
import { negotiate } from './accept.ts'
import { asObject, contentTypeOf, readBody } from './body.ts'
import type { Call } from './call.ts'
import { checkFields, draftOf } from './draft.ts'
import { applyPatch, patchFormat } from './patch/patch.ts'
import { servedForm, storedForm } from './events.ts'
import { dryRun } from './query.ts'
import { sendObject } from './read.ts'
import type { ResourceTarget } from './target.ts'

export function refOf({ of, namespace, name }: ResourceTarget): Ref {
  return { resource: of.resource, namespace, name }
}

export function writeOptions(call: Call): WriteOptions {
  return { dryRun: dryRun(call.query.getAll('dryRun')) }
}

/** POST on a collection. */
export async function create(call: Call, target: ResourceTarget): Promise<void> {
  const wanted = negotiate(call.req.headers.accept)
  const options = writeOptions(call)
  const draft = storedForm(target.of, draftOf(asObject(await readBody(call.req), `a ${target.of.kind}`), target))
  checkFields(call, target, draft)
  const name = typeof draft.metadata.name === 'string' ? draft.metadata.name : ''
  const object = await call.deps.registry.create({ ...refOf(target), name }, draft, options)
  sendObject(call, object, { target, wanted, code: 201 })
}

/** PUT on an object or on its status or finalize subresource. */
export async function update(call: Call, target: ResourceTarget): Promise<void> {
  const wanted = negotiate(call.req.headers.accept)
  const options = { ...writeOptions(call), ...(target.subresource && { subresource: target.subresource }) }
  const draft = storedForm(target.of, draftOf(asObject(await readBody(call.req), `a ${target.of.kind}`), target))
  checkFields(call, target, draft)
  const object = await call.deps.registry.update(refOf(target), () => draft, options)
  sendObject(call, object, { target, wanted })
}

/** PATCH on an object or its status. The patch is applied anew if the object moves meanwhile. */
export async function patch(call: Call, target: ResourceTarget): Promise<void> {
  const wanted = negotiate(call.req.headers.accept)
  const format = patchFormat(contentTypeOf(call.req))
  const options = { ...writeOptions(call), ...(target.subresource && { subresource: target.subresource }) }
  const body = await readBody(call.req)
  if (body === undefined) throw badRequest('the request has no body, it must be a patch')
  const change = (current: KubeObject) => {
    const patched = applyPatch(format, { ...servedForm(target.of, current) }, body, target.of.resource)
    const draft = storedForm(target.of, draftOf(patched, target))
    checkFields(call, target, draft)
    return draft
  }
  const object = await call.deps.registry.update(refOf(target), change, options)
  sendObject(call, object, { target, wanted })
}
