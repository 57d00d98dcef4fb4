/**
 * A Kubernetes API server for tests: lists in pages of one snapshot, watches, bookmarks, forgotten revisions, as the real one
 * has them, over HTTPS on loopback. Faults are made on demand: cut connections, garbage, refusals, silence.
 */
import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { keyOf, type KubeObject } from '../../api/objects.ts'
import { kindOf } from '../../api/resources.ts'
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from '../../api/selectors.ts'
import { issue, makeCa, makeKey } from '../../server/auth/certificate.ts'

const paths = {
  services: '/api/v1/services',
  'endpointslices.discovery.k8s.io': '/apis/discovery.k8s.io/v1/endpointslices',
  nodes: '/api/v1/nodes',
} as const
export type ServedResource = keyof typeof paths

export interface KubeRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly authorization: string | undefined
  readonly body: string
}

export interface KubeServer {
  readonly url: string
  /** PEM. */
  readonly ca: string
  readonly requests: readonly KubeRequest[]
  /** Creates or replaces. @returns the object as it is now */
  put(resource: ServedResource, object: { readonly metadata: { readonly name: string; readonly namespace?: string } }): KubeObject
  remove(resource: ServedResource, key: string): void
  /** What a list with these selectors would hold, by key. */
  matching(resource: ServedResource, selectors: Readonly<Record<string, string>>): ReadonlyMap<string, KubeObject>
  revision(): number
  watches(resource: ServedResource): number
  /** Cuts every watch. */
  cut(): void
  /** Ends every watch in good order, as servers do when its time is up. */
  finish(): void
  /** Sends so many bytes of the next event to the first watch that it is for, and then cuts that. */
  cutWithinNext(bytes: number): void
  /** Sends this to every watch of a resource, as it is. */
  say(resource: ServedResource, text: string): void
  bookmark(): void
  /** Forgets all revisions before now: watches from there, and further pages of lists, are 410. */
  compact(): void
  /** What `compact` does to watches that ask: an HTTP status, or an event in a stream that began well. */
  expireAs(how: 'status' | 'event'): void
  /** Answers the next request that this picks in another way than it would be. */
  answerNext(pick: (request: KubeRequest) => boolean, answer: (response: ServerResponse) => void): void
  /** From now on only this bearer token will do. */
  requireToken(token: string): void
  /** Resolves when this many watches of a resource are open. */
  watched(resource: ServedResource, count?: number): Promise<void>
  /** Resolves with the first request, of those that have come and those to come, that this picks. */
  asked(pick: (request: KubeRequest) => boolean): Promise<KubeRequest>
  close(): Promise<void>
}

interface Event {
  readonly revision: number
  readonly resource: ServedResource
  readonly before: KubeObject | undefined
  readonly after: KubeObject | undefined
}

interface Watch {
  readonly resource: ServedResource
  readonly matches: (object: KubeObject) => boolean
  readonly response: ServerResponse
}

export async function startKubeServer(): Promise<KubeServer> {
  const objects = new Map<ServedResource, Map<string, KubeObject>>((Object.keys(paths) as ServedResource[]).map((r) => [r, new Map()]))
  const history: Event[] = []
  const watches = new Set<Watch>()
  const requests: KubeRequest[] = []
  const answers: { readonly pick: (request: KubeRequest) => boolean; readonly answer: (response: ServerResponse) => void }[] = []
  const snapshots = new Map<string, { readonly items: readonly KubeObject[]; readonly revision: number }>()
  const lookers = new Set<() => void>()
  let revision = 10
  let floor = 0
  let expiry: 'status' | 'event' = 'status'
  let token: string | undefined
  let within: number | undefined

  const look = (): void => {
    for (const one of lookers) one()
  }
  const until = <T>(find: () => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      const one = (): void => {
        const found = find()
        if (found === undefined) return
        lookers.delete(one)
        resolve(found)
      }
      lookers.add(one)
      one()
    })

  const ca = makeCa(Date.now())
  const key = makeKey()
  const cert = issue(ca, { subject: { commonName: 'kube-apiserver' }, purpose: { kind: 'server', names: ['127.0.0.1', 'localhost', 'api.test'] }, publicKey: createPublicKey(key) }, Date.now())
  const server = https.createServer({ key, cert }, (request, response) => void serve(request, response))
  await once(server.listen(0, '127.0.0.1'), 'listening')

  const record = (resource: ServedResource, name: string, after: KubeObject | undefined): void => {
    const table = objects.get(resource)!
    const event: Event = { revision, resource, before: table.get(name), after }
    if (after) table.set(name, after)
    else table.delete(name)
    history.push(event)
    for (const watch of watches) tell(watch, event)
  }
  const tell = (watch: Watch, event: Event): void => {
    const text = event.resource === watch.resource ? lineOf(event, watch.matches) : undefined
    if (text === undefined) return
    if (within === undefined) return void watch.response.write(text)
    watch.response.write(text.slice(0, within), () => watch.response.destroy())
    watches.delete(watch)
    within = undefined
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = ''
    for await (const part of request) body += String(part)
    const url = new URL(request.url!, 'https://localhost')
    const asked: KubeRequest = { method: request.method!, path: url.pathname, query: url.searchParams, authorization: request.headers.authorization, body }
    requests.push(asked)
    look()
    const special = answers.findIndex((a) => a.pick(asked))
    if (special >= 0) return answers.splice(special, 1)[0]!.answer(response)
    if (token !== undefined && asked.authorization !== `Bearer ${token}`) return status(response, 401, 'Unauthorized')
    const resource = (Object.keys(paths) as ServedResource[]).find((r) => paths[r] === asked.path)
    if (!resource) return status(response, 404, 'NotFound')
    if (asked.query.get('watch') === 'true') watch(resource, asked.query, response)
    else list(resource, asked.query, response)
  }

  const list = (resource: ServedResource, query: URLSearchParams, response: ServerResponse): void => {
    const limit = Number(query.get('limit') ?? 0)
    const [id, offset] = (query.get('continue') ?? '').split(' ')
    const all = id ? snapshots.get(id) : { items: [...objects.get(resource)!.values()].filter(filterOf(query, resource)).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)), revision }
    if (!all || all.revision < floor) return status(response, 410, 'Expired')
    const from = Number(offset ?? 0)
    const to = limit > 0 ? from + limit : all.items.length
    const name = id || `${resource}-${requests.length}`
    snapshots.set(name, all)
    const metadata = { resourceVersion: String(all.revision), ...(to < all.items.length && { continue: `${name} ${to}` }) }
    const items = all.items.slice(from, to)
    json(response, 200, { kind: 'List', apiVersion: 'v1', metadata, items: items.length > 0 ? items : null })
  }

  const watch = (resource: ServedResource, query: URLSearchParams, response: ServerResponse): void => {
    const from = Number(query.get('resourceVersion'))
    const gone = from < floor
    if (gone && expiry === 'status') return status(response, 410, 'Expired')
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    if (gone) return void response.end(`${JSON.stringify({ type: 'ERROR', object: statusObject(410, 'Expired') })}\n`)
    const one: Watch = { resource, matches: filterOf(query, resource), response }
    for (const event of history) if (event.revision > from) tell(one, event)
    if (response.destroyed) return
    watches.add(one)
    response.on('close', () => watches.delete(one))
    look()
  }

  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: ca.certificate,
    requests,
    put(resource, object) {
      revision++
      const name = keyOf(object)
      const before = objects.get(resource)!.get(name)
      const metadata = {
        uid: before?.metadata.uid ?? `uid-${revision}`,
        creationTimestamp: before?.metadata.creationTimestamp ?? '2026-01-01T00:00:00Z',
        ...object.metadata,
        resourceVersion: String(revision),
      }
      const after = { ...(object as unknown as KubeObject), metadata }
      record(resource, name, after)
      return after
    },
    remove(resource, name) {
      if (!objects.get(resource)!.has(name)) return
      revision++
      record(resource, name, undefined)
    },
    matching: (resource, selectors) => new Map([...objects.get(resource)!].filter(([, o]) => filterOf(new URLSearchParams(selectors), resource)(o))),
    revision: () => revision,
    watches: (resource) => [...watches].filter((w) => w.resource === resource).length,
    cut() {
      for (const one of watches) one.response.destroy()
      watches.clear()
    },
    finish() {
      for (const one of watches) one.response.end()
      watches.clear()
    },
    cutWithinNext: (bytes) => void (within = bytes),
    say(resource, text) {
      for (const one of watches) if (one.resource === resource) one.response.write(text)
    },
    bookmark() {
      const object = { kind: 'Bookmark', metadata: { resourceVersion: String(revision), creationTimestamp: null } }
      for (const one of watches) one.response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
    },
    compact() {
      revision++
      floor = revision
      history.length = 0
    },
    expireAs: (how) => void (expiry = how),
    answerNext: (pick, answer) => void answers.push({ pick, answer }),
    requireToken: (only) => void (token = only),
    watched: async (resource, count = 1) => {
      await until(() => ([...watches].filter((w) => w.resource === resource).length >= count ? true : undefined))
    },
    asked: (pick) => until(() => requests.find(pick)),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
    },
  }
}

/** An event as this watch sees it: what comes into view is ADDED, what leaves it DELETED. */
function lineOf({ before, after, revision: at }: Event, matches: Watch['matches']): string | undefined {
  const [had, has] = [before !== undefined && matches(before), after !== undefined && matches(after)]
  if (!had && !has) return undefined
  const last = after ?? before!
  const object = has ? after : { ...last, metadata: { ...last.metadata, resourceVersion: String(at) } }
  return `${JSON.stringify({ type: !had ? 'ADDED' : has ? 'MODIFIED' : 'DELETED', object })}\n`
}

function filterOf(query: URLSearchParams, resource: ServedResource): (object: KubeObject) => boolean {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '')
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '', kindOf(resource))
  return (object) => matchesLabels(labels, object.metadata.labels) && matchesFields(fields, object)
}

export function json(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

const statusObject = (code: number, reason: string): object => ({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: `because: ${reason}`, reason, code })

export function status(response: ServerResponse, code: number, reason: string): void {
  json(response, code, statusObject(code, reason))
}
