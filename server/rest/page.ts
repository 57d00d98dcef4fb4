/** Lists in pieces: `limit` and `continue`. */
import { keyOf } from '../../api/objects.ts'
import type { KubeObject } from '../../api/objects.ts'
import { StatusError, badRequest } from '../../api/status.ts'

/** Where a list goes on: the revision of its first piece, and the key of the last object that was sent. */
export interface Bookmark {
  readonly revision: number
  readonly after: string
}

export function encodeContinue({ revision, after }: Bookmark): string {
  return Buffer.from(JSON.stringify([revision, after])).toString('base64url')
}

/** @throws StatusError BadRequest */
export function decodeContinue(token: string): Bookmark {
  try {
    const [revision, after, ...more] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[]
    if (Number.isSafeInteger(revision) && typeof after === 'string' && more.length === 0) return { revision: revision as number, after }
  } catch {
    // Said below, as for a token of the wrong shape.
  }
  throw badRequest('query parameter continue is not a token that this server gave out')
}

/** The answer when the state of the first piece is no longer kept, so that the pieces would not fit together. */
export const continueExpired = (): StatusError =>
  new StatusError('Expired', 'The provided continue parameter is too old to display a consistent list result: start the list anew without it')

export interface Page {
  readonly items: readonly KubeObject[]
  /** Where the next piece starts, absent at the end. */
  readonly next?: string
  readonly remaining: number
}

/** The store's order: by namespace, then by name. A namespace is not compared as part of one long string. */
function isAfter(object: KubeObject, key: string): boolean {
  const slash = key.indexOf('/')
  const namespace = slash < 0 ? '' : key.slice(0, slash)
  const own = object.metadata.namespace ?? ''
  return own === namespace ? object.metadata.name > key.slice(slash + 1) : own > namespace
}

/** Up to `limit` objects behind the bookmark, of the state at its revision. */
export function cut(all: readonly KubeObject[], limit: number, from: { revision: number; after?: string }): Page {
  const { after } = from
  const rest = after === undefined ? all : all.filter((object) => isAfter(object, after))
  const items = limit > 0 ? rest.slice(0, limit) : rest
  const last = items.at(-1)
  if (!last || items.length === rest.length) return { items, remaining: 0 }
  return { items, next: encodeContinue({ revision: from.revision, after: keyOf(last) }), remaining: rest.length - items.length }
}
