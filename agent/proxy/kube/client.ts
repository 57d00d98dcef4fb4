/** Requests to the Kubernetes API: JSON over HTTP/1.1 with connections that are kept, and errors that say what to do next. */
import { Buffer } from 'node:buffer'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP } from 'node:net'
import type { Clock } from '../../../api/clock.ts'
import { version } from '../../../api/version.ts'
import type { Access } from './access.ts'
import { createBodyReader, type Pieces } from './body.ts'
import type { Credentials, Proof } from './credentials.ts'
import { ApiFailure, lost, notReached, refusalOf } from './failure.ts'

export interface Question {
  readonly method: 'GET' | 'POST'
  /** With the query: `/api/v1/services?limit=500`. */
  readonly path: string
  readonly body?: unknown
}

export interface ApiBounds {
  /** Until the head of an answer is there. */
  readonly headMs: number
  /** How long a body may stand still. */
  readonly stallMs: number
  /** Bytes of an answer that is read whole. */
  readonly bodyBytes: number
}

export const apiBounds: ApiBounds = { headMs: 30_000, stallMs: 30_000, bodyBytes: 256 << 20 }

export interface ApiClient {
  /**
   * Asks and reads the whole answer as JSON.
   * @throws ApiFailure API_REFUSED, API_EXPIRED, API_LOST, API_UNREADABLE; the signal's reason after an abort
   */
  ask(question: Question, signal: AbortSignal): Promise<unknown>
  /**
   * Asks, and hands on each piece of a good answer as it comes. Resolves when the server ends it. Throws what `ask`
   * throws, and what `onChunk` throws; the answer is cut off then.
   * @param silentMs how long nothing may come
   */
  follow(question: Question, options: Followed, signal: AbortSignal): Promise<void>
  close(): void
}

export interface Followed extends Pieces {
  /** A good answer begins. */
  readonly onOpen?: () => void
}

export interface ApiClientDeps {
  readonly access: Access
  readonly credentials: Credentials
  readonly clock: Clock
  /** Each answer's status code, or `<error>` for none, for the metrics. */
  readonly onAnswer: (told: { readonly code: string; readonly method: string; readonly host: string }) => void
  readonly bounds?: ApiBounds
}

type Agent = http.Agent | https.Agent

export function createApiClient({ access, credentials, clock, onAnswer, bounds = apiBounds }: ApiClientDeps): ApiClient {
  const agents = createAgents(access)
  const { server } = access
  const bodies = createBodyReader(clock, server)
  const base = server.pathname.replace(/\/$/, '')

  /** One attempt, up to the head of the answer. */
  const attempt = async (question: Question, signal: AbortSignal): Promise<IncomingMessage> => {
    const proof = await credentials.proof(signal)
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const body = question.body === undefined ? undefined : Buffer.from(JSON.stringify(question.body))
    const headers = {
      accept: 'application/json',
      'user-agent': `wherry-proxy/${version}`,
      ...(proof.token !== undefined && { authorization: `Bearer ${proof.token}` }),
      ...(body && { 'content-type': 'application/json', 'content-length': body.length }),
    }
    const request = (server.protocol === 'https:' ? https : http).request({
      host: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port || (server.protocol === 'https:' ? 443 : 80),
      method: question.method,
      path: base + question.path,
      headers,
      agent: agents.of(proof),
      signal,
    })
    const cancel = clock.after(bounds.headMs, () => request.destroy(lost(`no answer within ${bounds.headMs} ms`)))
    // After the head a request's errors arrive at its answer as well.
    request.on('error', reject)
    request.once('response', resolve)
    request.end(body)
    const told = { method: question.method, host: server.host }
    try {
      const response = await promise
      onAnswer({ code: String(response.statusCode), ...told })
      return response
    } catch (cause) {
      signal.throwIfAborted()
      onAnswer({ code: '<error>', ...told })
      throw cause instanceof ApiFailure ? cause : notReached(server, cause as Error)
    } finally {
      cancel()
    }
  }

  /** A second attempt where the server does not know us: a token may have been renewed meanwhile. */
  const open = async (question: Question, signal: AbortSignal): Promise<IncomingMessage> => {
    const first = await attempt(question, signal)
    if (first.statusCode !== 401) return good(first, question, signal)
    first.resume()
    credentials.refused()
    return good(await attempt(question, signal), question, signal)
  }

  const good = async (response: IncomingMessage, question: Question, signal: AbortSignal): Promise<IncomingMessage> => {
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) return response
    if (status === 401) credentials.refused()
    const text = await bodies.whole(response, { stallMs: bounds.stallMs, most: 64 << 10 }, signal).catch(() => '')
    throw refusalOf(response, question, text)
  }

  return {
    async ask(question, signal) {
      const text = await bodies.whole(await open(question, signal), { stallMs: bounds.stallMs, most: bounds.bodyBytes }, signal)
      try {
        return JSON.parse(text) as unknown
      } catch (cause) {
        throw new ApiFailure('API_UNREADABLE', `the answer to ${question.method} ${question.path} is no JSON`, { cause })
      }
    },
    async follow(question, options, signal) {
      const response = await open(question, signal)
      options.onOpen?.()
      await bodies.pieces(response, options, signal)
    },
    close: () => agents.close(),
  }
}

/** One agent as long as the certificates stay the same. */
function createAgents(access: Access): { of(proof: Proof): Agent; close(): void } {
  let held: { readonly key: string; readonly agent: Agent } | undefined
  const common = { keepAlive: true, keepAliveMsecs: 15_000, maxSockets: 16, maxFreeSockets: 2 }
  const make = ({ ca, certificate }: Proof): Agent => {
    if (access.server.protocol === 'http:') return new http.Agent(common)
    const host = access.server.hostname
    // An address is no server name (RFC 6066); Node leaves it out by itself.
    const name = access.serverName ?? (isIP(host.replace(/^\[|\]$/g, '')) === 0 ? host : undefined)
    return new https.Agent({
      ...common,
      ...(ca !== undefined && { ca }),
      ...(certificate && { cert: certificate.cert, key: certificate.key }),
      ...(name !== undefined && { servername: name }),
      rejectUnauthorized: !access.insecure,
    })
  }
  return {
    of(proof) {
      const key = JSON.stringify([proof.ca, proof.certificate])
      if (held?.key !== key) {
        // Watches that run go on over the old one until they end.
        const agent = make(proof)
        held = { key, agent }
      }
      return held.agent
    },
    close: () => held?.agent.destroy(),
  }
}
