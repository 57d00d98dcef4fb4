/** From a request's body to the draft of an object: what the body says must agree with the path. */
import { apiVersionOf } from '../../api/resources.ts'
import type { ResourceKind } from '../../api/resources.ts'
import { badRequest } from '../../api/status.ts'
import { unknownFields } from '../custom/fields.ts'
import type { Draft } from '../registry/registry.ts'
import type { Call } from './call.ts'
import { fieldValidation } from './query.ts'
import { warn } from './reply.ts'
import type { ResourceTarget } from './target.ts'

type JsonMap = { readonly [field: string]: unknown }

/**
 * The body as a draft of the target's kind; apiVersion, kind, namespace and name are filled in where they are absent.
 * @throws StatusError BadRequest where they disagree with the path
 */
export function draftOf(body: JsonMap, target: ResourceTarget): Draft & { readonly metadata: JsonMap } {
  const { of, namespace, name } = target
  const apiVersion = kindInData(of, body)
  const metadata = metadataOf(body)
  const own = { namespace: metadata.namespace ?? '', name: metadata.name ?? '' }
  if (own.namespace !== '' && own.namespace !== namespace) {
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request: ${text(own.namespace)}, ${namespace || 'no namespace'}`,
    )
  }
  if (name !== '' && own.name !== '' && own.name !== name) {
    throw badRequest(`the name of the object (${text(own.name)}) does not match the name on the URL (${name})`)
  }
  return { ...body, apiVersion, kind: of.kind, metadata: { ...metadata, ...(namespace && { namespace }), ...(name && { name }) } }
}

/** What the data say that they are, which may be nothing. @returns the API version of the kind. @throws StatusError BadRequest */
export function kindInData(of: Pick<ResourceKind, 'group' | 'version' | 'kind'>, body: JsonMap): string {
  const apiVersion = apiVersionOf(of)
  if ((body.apiVersion ?? apiVersion) !== apiVersion) {
    throw badRequest(`the API version in the data (${text(body.apiVersion)}) does not match the expected API version (${apiVersion})`)
  }
  if ((body.kind ?? of.kind) !== of.kind) {
    throw badRequest(`the kind in the data (${text(body.kind)}) does not match the expected kind (${of.kind})`)
  }
  return apiVersion
}

/** @throws StatusError BadRequest where metadata is not an object, or its name no string */
export function metadataOf(body: JsonMap): JsonMap {
  const metadata = body.metadata ?? {}
  if (typeof metadata !== 'object' || Array.isArray(metadata)) throw badRequest('metadata must be an object')
  for (const field of ['name', 'generateName', 'namespace', 'resourceVersion', 'uid']) {
    const value = (metadata as JsonMap)[field]
    if (value !== undefined && value !== null && typeof value !== 'string') throw badRequest(`metadata.${field} must be a string`)
  }
  return metadata as JsonMap
}

/**
 * Obeys `?fieldValidation`: unknown and doubled fields are refused, told of in Warning headers, or ignored.
 * @throws StatusError BadRequest
 */
export function checkFields(call: Call, target: ResourceTarget, { draft, doubled = [] }: { draft: Draft; doubled?: readonly string[] }): void {
  const mode = fieldValidation(call.query)
  if (mode === 'Ignore') return
  const faults = [...doubled, ...unknownFields(target.of, draft).map((path) => `unknown field "${path}"`)]
  if (faults.length === 0) return
  if (mode === 'Warn') return warn(call, faults)
  const { kind, version } = target.of
  throw badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error: ${faults.join(', ')}`)
}

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
