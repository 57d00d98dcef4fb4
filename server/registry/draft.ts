/** From what a client sends to an object of its kind: shape and identity. What its fields mean is for `server/admit`. */
import type { KubeObject, ObjectMeta } from '../../api/objects.ts'
import { apiVersionOf, type ResourceKind } from '../../api/resources.ts'
import { badRequest, conflict, invalid, type StatusCause } from '../../api/status.ts'
import { immutable } from '../admit/causes.ts'
import { pruned } from '../custom/fields.ts'
import type { Structure } from '../admit/validate/structure.ts'
import { statedManagers, type Stated } from '../managed/entries.ts'
import type { Ref } from '../store/store.ts'
import type { Draft } from './registry.ts'

/** A draft whose structure was checked: what is there has the right type, what only the server says may be absent. */
export type Checked = Omit<KubeObject, 'metadata'> & { readonly metadata: Partial<ObjectMeta> }

export interface Kind {
  readonly of: ResourceKind
  readonly structure: Structure
}

/**
 * The draft as an object of its kind, without what the kind does not know, and without what `without` names.
 * @throws StatusError BadRequest (another kind, another object), Invalid (its structure)
 */
export function checked({ of, structure }: Kind, ref: Ref, draft: Draft, without: readonly string[] = []): Checked {
  if (!isPlain(draft)) throw badRequest(`a ${of.kind} must be a JSON object`)
  const apiVersion = apiVersionOf(of)
  for (const [field, expected] of [
    ['apiVersion', apiVersion],
    ['kind', of.kind],
  ] as const) {
    const given = draft[field] ?? expected
    if (given !== expected)
      throw badRequest(`the ${field} in the data (${JSON.stringify(given)}) does not match the expected one (${expected})`)
  }
  const kept = Object.fromEntries(Object.entries(pruned(of, draft)).filter(([field]) => !without.includes(field)))
  const object = { ...kept, apiVersion, kind: of.kind, metadata: kept['metadata'] ?? {} }
  const causes = structure(object)
  const meta: unknown = object.metadata
  const name = isPlain(meta) && typeof meta['name'] === 'string' ? meta['name'] : ref.name
  if (causes.length > 0) throw invalid(of, name, causes)
  sameObject(ref, meta as Partial<ObjectMeta>)
  return object as Checked
}

/**
 * What a draft says of the managers of its fields.
 * @throws StatusError Invalid
 */
export function statedIn(of: ResourceKind, { metadata }: Draft): Stated | undefined {
  const meta = isPlain(metadata) ? metadata : undefined
  const stated = statedManagers(meta)
  if (stated === undefined || 'kind' in stated) return stated
  throw invalid(of, typeof meta?.['name'] === 'string' ? meta['name'] : '', stated)
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sameObject(ref: Ref, { name, namespace }: Partial<ObjectMeta>): void {
  if (namespace && namespace !== ref.namespace) {
    throw badRequest(
      'the namespace of the provided object does not match the namespace of the request: ' +
        `${namespace}, ${ref.namespace || 'no namespace'}`,
    )
  }
  if (name && ref.name && name !== ref.name)
    throw badRequest(`the name of the object (${name}) does not match the name of the request (${ref.name})`)
}

const some = (words: object | undefined): boolean => words !== undefined && Object.keys(words).length > 0

/** What of metadata a client has a say in. A map without entries is none. */
export function ownMeta({ labels, annotations, ownerReferences, finalizers }: Partial<ObjectMeta>): Partial<ObjectMeta> {
  return {
    ...(some(labels) && { labels }),
    ...(some(annotations) && { annotations }),
    ...(ownerReferences?.length && { ownerReferences }),
    ...(finalizers?.length && { finalizers: [...new Set(finalizers)] }),
  }
}

/** Equal, or the same moment in other words: libraries that read times into dates write them with milliseconds. */
function same(given: string | number, kept: string | number | undefined): boolean {
  if (given === kept) return true
  return typeof given === 'string' && typeof kept === 'string' && Date.parse(given) === Date.parse(kept)
}

/**
 * metadata after an update: the client's part of the wish, the server's part of the current state.
 * @throws StatusError Conflict (another revision, another object of that name), Invalid (what cannot change)
 */
export function nextMeta(of: ResourceKind, current: ObjectMeta, wish: Partial<ObjectMeta>): ObjectMeta {
  if (wish.uid && wish.uid !== current.uid) {
    throw conflict(of, current.name, `Precondition failed: UID in precondition: ${wish.uid}, UID in object meta: ${current.uid}`)
  }
  if (wish.resourceVersion && wish.resourceVersion !== current.resourceVersion) {
    throw conflict(
      of,
      current.name,
      'the object has been modified; please apply your changes to the latest version and try again',
    )
  }
  const causes: StatusCause[] = []
  for (const field of ['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    if (wish[field] !== undefined && !same(wish[field], current[field])) causes.push(immutable(`metadata.${field}`, wish[field]))
  }
  if (causes.length > 0) throw invalid(of, current.name, causes)
  const { labels: _l, annotations: _a, ownerReferences: _o, finalizers: _f, ...fixed } = current
  return { ...fixed, ...ownMeta(wish) }
}
