/** get and list. */
import type { KubeObject } from '../../api/objects.ts'
import { apiVersionOf } from '../../api/resources.ts'
import { StatusError, badRequest, expired, notFound } from '../../api/status.ts'
import { customOf } from '../custom/kind.ts'
import type { Call } from './call.ts'
import { negotiate } from './accept.ts'
import type { Wanted } from './accept.ts'
import { filterOf } from './filter.ts'
import { continueExpired, cut, decodeContinue } from './page.ts'
import { listAt } from './past.ts'
import { flag, forbidOnList, freshness, integer } from './query.ts'
import { sendJson, sendValue } from './reply.ts'
import { jsonOf } from './served.ts'
import { columnDefinitions, partial, rowOf } from './table/table.ts'
import type { IncludeObject, Table } from './table/table.ts'
import type { ResourceTarget } from './target.ts'

/** How long a reader that knows a newer revision than we do is kept waiting for it. */
export const freshWaitMs = 3_000

/** The stored object. @throws StatusError NotFound */
export function stored(call: Call, { of, namespace, name }: ResourceTarget): KubeObject {
  const object = call.deps.store.get({ resource: of.resource, namespace, name })
  if (!object) throw notFound(of, name)
  return object
}

export async function get(call: Call, target: ResourceTarget): Promise<void> {
  const wanted = negotiate(call.req.headers.accept)
  await settle(call)
  sendObject(call, stored(call, target), { target, wanted })
}

/** Sends one object in the form that the client wants, with `code` where that is not 200. */
export function sendObject(call: Call, object: KubeObject, answer: { target: ResourceTarget; wanted: Wanted; code?: number }): void {
  const { target, wanted } = answer
  const options = { media: wanted.media, ...(answer.code !== undefined && { code: answer.code }) }
  const { resourceVersion } = object.metadata
  if (wanted.form === 'table') sendValue(call, tableOf(call, target, [object], { resourceVersion }), options)
  else sendJson(call, jsonOf(target.of, wanted.form === 'partial' ? partial(object) : object), options)
}

type ListMeta = Table['metadata']

export async function list(call: Call, target: ResourceTarget): Promise<void> {
  const { query, deps } = call
  const wanted = negotiate(call.req.headers.accept)
  const filter = filterOf(query, target)
  const limit = integer(query, 'limit') ?? 0
  const token = query.get('continue')
  const bookmark = token ? decodeContinue(token) : undefined
  forbidOnList(query, bookmark !== undefined)
  const exact = await settle(call)
  // No await from here on: the list and its revision are of one moment.
  const revision = bookmark?.revision ?? exact ?? deps.store.revision
  const all = listAt(deps.store, { resource: target.of.resource, namespace: target.namespace || undefined, revision })
  if (!all) throw bookmark ? continueExpired() : expired(revision, deps.store.compacted)
  const page = cut(filter.everything ? all : all.filter(filter.matches), limit, { ...bookmark, revision })
  const metadata: ListMeta = {
    resourceVersion: String(revision),
    ...(page.next && { continue: page.next, ...(filter.everything && { remainingItemCount: page.remaining }) }),
  }
  sendList(call, { target, wanted, items: page.items, metadata })
}

interface ListAnswer {
  readonly target: ResourceTarget
  readonly wanted: Wanted
  readonly items: readonly KubeObject[]
  readonly metadata: ListMeta
}

export function sendList(call: Call, { target, wanted, items, metadata }: ListAnswer): void {
  const { media, form } = wanted
  if (form === 'table') {
    sendValue(call, tableOf(call, target, items, metadata), { media })
  } else if (form === 'partial') {
    const head = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata }
    sendJson(call, listText(head, items.map((item) => jsonOf(target.of, partial(item)))), { media })
  } else {
    const head = { kind: customOf(target.of)?.listKind ?? `${target.of.kind}List`, apiVersion: apiVersionOf(target.of), metadata }
    sendJson(call, listText(head, items.map((item) => jsonOf(target.of, item))), { media })
  }
}

const listText = (head: object, items: readonly string[]): string => `${JSON.stringify(head).slice(0, -1)},"items":[${items.join(',')}]}`

function tableOf(call: Call, target: ResourceTarget, items: readonly KubeObject[], metadata: ListMeta): Table {
  const options = { of: target.of, include: includeObject(call.query), now: call.deps.clock.now() }
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: flag(call.query, 'noHeaders') ? null : columnDefinitions(target.of),
    rows: items.map((object) => rowOf(object, options)),
  }
}

/** meta/v1 TableOptions: what comes with each row. */
export function includeObject(query: URLSearchParams): IncludeObject {
  const text = query.get('includeObject') || 'Metadata'
  if (text === 'None' || text === 'Metadata' || text === 'Object') return text
  throw badRequest(`query parameter includeObject must be None, Metadata or Object, not ${JSON.stringify(text)}`)
}

/**
 * Resolves when memory holds the state that the query's resourceVersion asks for.
 * @returns the revision where exactly that one is wanted
 * @throws StatusError Timeout (a revision that does not come)
 */
export async function settle(call: Call): Promise<number | undefined> {
  const { store } = call.deps
  const { atLeast, exact } = freshness(call.query)
  if (call.query.get('resourceVersion') === '0') return undefined
  await store.fresh(call.signal)
  if (atLeast === undefined) return undefined
  if (atLeast > store.revision) await reach(call, atLeast)
  return exact ? atLeast : undefined
}

/** Waits for a revision, for a while. @throws StatusError Timeout */
export function reach(call: Call, revision: number): Promise<void> {
  const { store, clock } = call.deps
  if (revision <= store.revision) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const end = (finish: () => void): void => {
      stop()
      cancel()
      call.signal.removeEventListener('abort', abort)
      finish()
    }
    const abort = (): void => end(() => reject(call.signal.reason as Error))
    const cancel = clock.after(freshWaitMs, () => end(() => reject(tooLarge(revision, store.revision))))
    // Deferred, because the first change may come before `stop` is known.
    const stop = store.watch(store.revision, (change) => {
      if (change.revision >= revision) queueMicrotask(() => end(resolve))
    })
    call.signal.addEventListener('abort', abort, { once: true })
  })
}

function tooLarge(asked: number, current: number): StatusError {
  const message = 'Too large resource version'
  const causes = [{ reason: 'ResourceVersionTooLarge', field: '', message }] as const
  return new StatusError('Timeout', `${message}: ${asked}, current: ${current}`, { causes, retryAfterSeconds: 1 })
}
