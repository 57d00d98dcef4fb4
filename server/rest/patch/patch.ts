/** The patch formats of the API, each a function from the current object to the wished one. */
import jsonPatch from 'fast-json-patch'
import type { Operation } from 'fast-json-patch'
import { isBuiltIn, type Resource, type ResourceKind } from '../../../api/resources.ts'
import { StatusError, badRequest } from '../../../api/status.ts'
import { shapeOf } from './keys.ts'
import { strategicMerge } from './strategic.ts'

export type PatchFormat = 'json' | 'merge' | 'strategic'

type JsonMap = { readonly [field: string]: unknown }

const formats: Readonly<Record<string, PatchFormat>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
}

/** Server-side apply: no patch of what is there, but a configuration; see `write.ts`. */
export const applyType = 'application/apply-patch+yaml'

/** More operations than this in one JSON patch are refused, as Kubernetes does. */
const maxOperations = 10_000

/**
 * The format that a Content-Type (without parameters) stands for. @param of the kind that is patched
 * @throws StatusError UnsupportedMediaType
 */
export function patchFormat(contentType: string, of?: ResourceKind): PatchFormat {
  const format = Object.hasOwn(formats, contentType) ? formats[contentType] : undefined
  // Nobody says of a kind that somebody defined by which keys its lists would be merged.
  const strategic = of === undefined || isBuiltIn(of.resource)
  if (format && (strategic || format !== 'strategic')) return format
  const offered = [...Object.keys(formats).filter((type) => strategic || formats[type] !== 'strategic'), applyType].join(', ')
  throw new StatusError('UnsupportedMediaType', `a patch must be one of ${offered}, not ${contentType || 'without a Content-Type'}`)
}

/**
 * The object after the patch; `current` stays as it is.
 * @throws StatusError BadRequest (not a patch), Invalid (does not fit the object), RequestEntityTooLarge
 */
export function applyPatch(format: PatchFormat, current: JsonMap, patch: unknown, resource?: Resource): JsonMap {
  switch (format) {
    case 'json':
      return applyOperations(current, patch)
    case 'merge':
      return mergePatch(current, patchMap(patch)) as JsonMap
    case 'strategic':
      return strategicMerge(current, patchMap(patch), resource ? shapeOf(resource) : {})
  }
}

function patchMap(patch: unknown): JsonMap {
  if (isMap(patch)) return patch
  throw badRequest('a merge patch must be a JSON object')
}

/** RFC 6902. */
function applyOperations(current: JsonMap, patch: unknown): JsonMap {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch must be a list of operations')
  if (patch.length > maxOperations) {
    throw new StatusError('RequestEntityTooLarge', `a JSON patch may have ${maxOperations} operations, this one has ${patch.length}`)
  }
  const inside = patch.findIndex(movesInside)
  if (inside >= 0) throw unfit(`[${inside}].from`, 'the JSON patch cannot be applied: a value cannot move into itself')
  let result: unknown
  try {
    result = jsonPatch.applyPatch(current, patch as Operation[], true, false).newDocument
  } catch (e) {
    // The library puts the whole document behind the first line of its message.
    const [reason] = String((e as Error).message).split('\n')
    const { index } = e as { readonly index?: unknown }
    throw unfit(`[${typeof index === 'number' ? index : 0}]`, `the JSON patch cannot be applied: ${reason}`, e)
  }
  if (!isMap(result)) throw unfit('[0].path', 'the JSON patch leaves no object')
  return result
}

/** RFC 6902, 4.4; the library makes a value of it that holds itself. */
function movesInside(operation: unknown): boolean {
  if (!isMap(operation) || operation.op !== 'move') return false
  const { from, path } = operation
  return typeof from === 'string' && typeof path === 'string' && path.startsWith(`${from}/`)
}

/** @param field the operation that is at fault, `[0]` being the first */
function unfit(field: string, message: string, cause?: unknown): StatusError {
  return new StatusError('Invalid', message, { causes: [{ reason: 'FieldValueInvalid', field, message }] }, { cause })
}

/** RFC 7386. */
function mergePatch(current: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch
  const merged: Record<string, unknown> = isMap(current) ? { ...current } : {}
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete merged[field]
    else merged[field] = mergePatch(merged[field], value)
  }
  return merged
}

function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
