/** A small HTTP client for tests that speak to the hub as its users do: over a socket, in JSON. */
import http from 'node:http'
import https from 'node:https'
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { KubeObject } from '../../api/objects.ts'
import type { Status } from '../../api/status.ts'

export interface ApiOptions {
  /** e.g. `http://127.0.0.1:8080` */
  readonly url: string
  /** PEM texts, for https. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly headers?: OutgoingHttpHeaders
  /** A request without an answer fails after this time. 10 s unless told. */
  readonly timeoutMs?: number
}

export interface SendOptions {
  /** Sent as JSON; text and bytes as they are. */
  readonly body?: unknown
  readonly headers?: OutgoingHttpHeaders
  readonly signal?: AbortSignal
}

export interface Answer<T> {
  readonly code: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  /** The parsed text; undefined where it is not JSON. */
  readonly body: T
}

export interface WatchEvent<T = KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: T
}

export type PatchKind = 'json' | 'merge' | 'strategic'

const patchTypes: Readonly<Record<PatchKind, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
}

export interface Api {
  readonly url: string
  send<T = unknown>(method: string, path: string, options?: SendOptions): Promise<Answer<T>>
  /** The verbs. Each rejects with an ApiFailure where the answer is not 2xx. */
  get<T = KubeObject>(path: string): Promise<T>
  list<T = KubeObject>(path: string): Promise<readonly T[]>
  create<T = KubeObject>(path: string, object: unknown): Promise<T>
  update<T = KubeObject>(path: string, object: unknown): Promise<T>
  patch<T = KubeObject>(path: string, kind: PatchKind, patch: unknown): Promise<T>
  delete<T = KubeObject | Status>(path: string, options?: unknown): Promise<T>
  /**
   * Opens a watch. Resolves when its head has arrived, so that every later change is seen; yields events until the
   * server ends the watch, the loop is left or `signal` aborts.
   */
  watch<T = KubeObject>(path: string, signal?: AbortSignal): Promise<AsyncGenerator<WatchEvent<T>>>
  /** Closes kept connections. */
  close(): void
}

/** An answer that is not 2xx. */
export class ApiFailure extends Error {
  readonly status: Status

  constructor(what: string, answer: Answer<unknown>) {
    const status = answer.body as Status | undefined
    super(`${what}: ${answer.code} ${status?.message ?? answer.text}`)
    this.name = 'ApiFailure'
    this.status = status ?? { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: answer.text, code: answer.code }
  }
}

/** @returns the failure that a promise rejects with; rejects itself where there is none */
export async function failureOf(promise: Promise<unknown>): Promise<Status> {
  try {
    await promise
  } catch (e) {
    if (e instanceof ApiFailure) return e.status
    throw e
  }
  throw new Error('the request was answered with success')
}

export function createApi(options: ApiOptions): Api {
  const base = new URL(options.url)
  const secure = base.protocol === 'https:'
  const agent = secure ? new https.Agent({ keepAlive: true, ...options.tls }) : new http.Agent({ keepAlive: true })

  const start = (method: string, path: string, { body, headers, signal }: SendOptions): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const asIs = body === undefined || typeof body === 'string' || body instanceof Uint8Array
      const sent = asIs ? body : JSON.stringify(body)
      const req = (secure ? https : http).request(new URL(path, base), {
        method,
        agent,
        headers: {
          accept: 'application/json',
          ...(sent !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) }),
          ...options.headers,
          ...headers,
        },
        timeout: options.timeoutMs ?? 10_000,
        ...(signal && { signal }),
      })
      req.on('timeout', () => req.destroy(new Error(`no answer to ${method} ${path} in time`)))
      req.on('error', reject)
      req.on('response', resolve)
      req.end(sent)
    })

  const send = async <T>(method: string, path: string, sent: SendOptions = {}): Promise<Answer<T>> => {
    const res = await start(method, path, sent)
    const chunks: Buffer[] = []
    for await (const chunk of res as AsyncIterable<Buffer>) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    return { code: res.statusCode!, headers: res.headers, text, body: parsed(text) as T }
  }

  const ask = async <T>(method: string, path: string, sent?: SendOptions): Promise<T> => {
    const answer = await send<T>(method, path, sent)
    if (answer.code >= 300) throw new ApiFailure(`${method} ${path}`, answer)
    return answer.body
  }

  return {
    url: options.url,
    send,
    get: (path) => ask('GET', path),
    list: async <T>(path: string) => (await ask<{ items: readonly T[] }>('GET', path)).items,
    create: (path, body) => ask('POST', path, { body }),
    update: (path, body) => ask('PUT', path, { body }),
    patch: (path, kind, body) => ask('PATCH', path, { body, headers: { 'content-type': patchTypes[kind] } }),
    delete: (path, body) => ask('DELETE', path, body === undefined ? {} : { body }),
    async watch<T>(path: string, signal?: AbortSignal) {
      const full = `${path}${path.includes('?') ? '&' : '?'}watch=1`
      const res = await start('GET', full, signal ? { signal } : {})
      if (res.statusCode !== 200) {
        res.setEncoding('utf8')
        const text = (await res.toArray()).join('')
        throw new ApiFailure(`GET ${full}`, { code: res.statusCode!, headers: res.headers, text, body: parsed(text) })
      }
      return events<T>(res)
    },
    close: () => agent.destroy(),
  }
}

async function* events<T>(res: IncomingMessage): AsyncGenerator<WatchEvent<T>> {
  res.setEncoding('utf8')
  let rest = ''
  for await (const chunk of res as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    for (const line of lines) yield JSON.parse(line) as WatchEvent<T>
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
