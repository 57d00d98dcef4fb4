/** create, update and patch. */
import type { KubeObject } from '../../api/objects.ts'
import { badRequest } from '../../api/status.ts'
import { forbidden, required } from '../admit/causes.ts'
import { warningsOf } from '../admit/warnings.ts'
import { nameCauses, printable } from '../managed/entries.ts'
import type { Wish } from '../auth/auth.ts'
import type { WriteOptions } from '../registry/registry.ts'
import type { Ref } from '../store/store.ts'
import { negotiate } from './accept.ts'
import { asObject, contentTypeOf, readDraft } from './body.ts'
import type { Call } from './call.ts'
import { checkFields, draftOf } from './draft.ts'
import { applyPatch, applyType, patchFormat } from './patch/patch.ts'
import { storedForm } from './forms.ts'
import { authorize } from './permit.ts'
import { dryRun, flag, refusedOptions } from './query.ts'
import { sendObject } from './read.ts'
import { warn } from './reply.ts'
import { served } from './served.ts'
import type { ResourceTarget } from './target.ts'

export function refOf({ of, namespace, name }: ResourceTarget): Ref {
  return { resource: of.resource, namespace, name }
}

/** What every write may say. @throws StatusError Invalid */
export function writeOptions(call: Call): WriteOptions & { readonly manager: string } {
  return { dryRun: dryRun(call.query.getAll('dryRun')), manager: managerOf(call) }
}

/** Who says to be writing: `?fieldManager`, else the program's name from its User-Agent. */
function managerOf({ query, req }: Call): string {
  const given = query.get('fieldManager') ?? ''
  const causes = nameCauses('fieldManager', given)
  if (causes.length > 0) throw refusedOptions('PatchOptions', causes)
  return given || printable((req.headers['user-agent'] ?? '').split('/', 1)[0]!) || 'unknown'
}

/** Warns of what will not happen; who reports a status knows what does. */
export function tell(call: Call, { of, subresource }: ResourceTarget, object: KubeObject): void {
  if (subresource === undefined || subresource === 'scale') warn(call, warningsOf(of.resource, object))
}

/** POST on a collection. */
export async function create(call: Call, target: ResourceTarget): Promise<void> {
  const wanted = negotiate(call.req.headers.accept)
  const options = writeOptions(call)
  const { value, doubled } = await readDraft(call.req)
  const draft = storedForm(target.of, draftOf(asObject(value, `a ${target.of.kind}`), target))
  checkFields(call, target, { draft, doubled })
  const name = typeof draft.metadata.name === 'string' ? draft.metadata.name : ''
  const object = await call.deps.registry.create({ ...refOf(target), name }, draft, options)
  tell(call, target, object)
  sendObject(call, object, { target, wanted, code: 201 })
}

/** PUT on an object or on its status or finalize subresource. */
export async function update(call: Call, target: ResourceTarget): Promise<void> {
  const wanted = negotiate(call.req.headers.accept)
  const options = { ...writeOptions(call), ...(target.subresource && { subresource: target.subresource }) }
  const { value, doubled } = await readDraft(call.req)
  const draft = storedForm(target.of, draftOf(asObject(value, `a ${target.of.kind}`), target))
  checkFields(call, target, { draft, doubled })
  const object = await call.deps.registry.update(refOf(target), () => draft, options)
  tell(call, target, object)
  sendObject(call, object, { target, wanted })
}

/** What every configuration to apply must have. @throws StatusError BadRequest, Invalid */
export function configuration(call: Call, value: unknown): { readonly [field: string]: unknown } {
  const given = asObject(value, 'a configuration to apply')
  const silent = ['apiVersion', 'kind'].find((field) => given[field] === undefined)
  if (silent) throw badRequest(`a configuration must have ${silent}`)
  if (!call.query.get('fieldManager')) throw refusedOptions('PatchOptions', [required('fieldManager', 'is required for apply patch')])
  return given
}

/** PATCH with a configuration: server-side apply, which creates what is not there. */
async function apply(call: Call, target: ResourceTarget): Promise<void> {
  const wanted = negotiate(call.req.headers.accept)
  const options = writeOptions(call)
  const { value, doubled } = await readDraft(call.req)
  const given = configuration(call, value)
  const config = storedForm(target.of, draftOf(given, target))
  checkFields(call, target, { draft: config, doubled })
  const { object, created } = await call.deps.registry.apply(refOf(target), config, {
    ...options,
    force: flag(call.query, 'force'),
    check: (wish, current) => {
      if (!current) authorize(call, createWish(target))
      return wish
    },
    ...(target.subresource && { subresource: target.subresource }),
  })
  tell(call, target, object)
  sendObject(call, object, { target, wanted, code: created ? 201 : 200 })
}

/** Who may patch what is there need not be one who may create it. */
function createWish({ of, namespace, name }: ResourceTarget): Wish {
  return { verb: 'create', path: '', resource: of.group ? `${of.plural}.${of.group}` : of.plural, ...(namespace && { namespace }), name }
}

/** PATCH on an object or its status. The patch is applied anew if the object moves meanwhile. */
export async function patch(call: Call, target: ResourceTarget): Promise<void> {
  if (contentTypeOf(call.req) === applyType) return apply(call, target)
  if (call.query.has('force')) throw refusedOptions('PatchOptions', [forbidden('force', 'may not be specified for non-apply patch')])
  const wanted = negotiate(call.req.headers.accept)
  const format = patchFormat(contentTypeOf(call.req), target.of)
  const options = { ...writeOptions(call), ...(target.subresource && { subresource: target.subresource }) }
  const { value: body, doubled } = await readDraft(call.req)
  if (body === undefined) throw badRequest('the request has no body, it must be a patch')
  const change = (current: KubeObject) => {
    const patched = applyPatch(format, served(target.of, current), body, target.of.resource)
    const draft = storedForm(target.of, draftOf(patched, target))
    checkFields(call, target, { draft, doubled })
    return draft
  }
  const object = await call.deps.registry.update(refOf(target), change, options)
  tell(call, target, object)
  sendObject(call, object, { target, wanted })
}
