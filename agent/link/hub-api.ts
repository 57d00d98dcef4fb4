/** Requests of the node to a hub's Kubernetes API: JSON over HTTPS with the node's certificate, each with a deadline and a bound. */
import https from 'node:https'
import type { Clock } from '../../api/clock.ts'
import type { LinkTls } from './connection.ts'
import { LinkError } from './error.ts'

export interface Question {
  /** With the query. */
  readonly path: string
  /** Posted where there is one. */
  readonly body?: object
}

export interface Answer {
  /** HTTP status code. */
  readonly code: number
  readonly body: unknown
}

export interface AskDeps {
  readonly tls: LinkTls
  readonly clock: Clock
}

/** Milliseconds until an answer is there in full. */
const answerMs = 15_000
/** Larger than what the hub stores as one object. */
const mostBytes = 4 << 20

/** Whether another hub, or the same one later, may well answer otherwise. */
const isPassing = ({ code }: Answer): boolean => code === 429 || code >= 500

/** The words of an answer that is not 2xx. */
export function refusalIn({ code, body }: Answer): LinkError {
  const { message } = (body ?? {}) as { readonly message?: unknown }
  const words = typeof message === 'string' ? message : 'it does not say why'
  return new LinkError(isPassing({ code, body }) ? 'LINK_LOST' : 'LINK_REFUSED', `the hub answered ${code}: ${words}`)
}

/**
 * Asks one hub.
 * @param agent keeps connections; `false` makes one for this question
 * @throws LinkError LINK_LOST: no answer in time, or one that is no JSON or too large
 * @throws the signal's reason after an abort
 */
export function askHub({ tls, clock }: AskDeps, question: Question & { readonly hub: string; readonly agent: https.Agent | false }, signal: AbortSignal): Promise<Answer> {
  const { hub, path, body, agent } = question
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const text = body && JSON.stringify(body)
  const headers = { accept: 'application/json', ...(text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }) }
  const request = https.request(new URL(path, hub), { method: text ? 'POST' : 'GET', headers, signal, agent, ...tls })
  const lost = (cause: unknown): void =>
    reject(signal.aborted ? (signal.reason as Error) : new LinkError('LINK_LOST', `${hub} does not answer: ${(cause as Error).message}`, { cause }))
  const cancel = clock.after(answerMs, () => request.destroy(new LinkError('LINK_LOST', `no answer within ${answerMs / 1000} s`)))
  request.on('error', lost)
  request.on('close', cancel)
  request.once('response', (response) => {
    const parts: Buffer[] = []
    let size = 0
    response.on('data', (part: Buffer) => {
      parts.push(part)
      size += part.length
      if (size > mostBytes) request.destroy(new LinkError('LINK_LOST', `an answer of more than ${mostBytes} bytes`))
    })
    response.on('error', lost)
    response.on('end', () => {
      try {
        resolve({ code: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown })
      } catch (e) {
        lost(e)
      }
    })
  })
  request.end(text)
  return promise
}

export interface HubApi {
  /**
   * Asks the hub that answered last, and where that one is not reached or busy the next one.
   * @throws LinkError LINK_LOST where none answers; the signal's reason
   */
  ask(question: Question, signal: AbortSignal): Promise<Answer>
  close(): void
}

/** @param deps `hubs`: https URLs of hubs on one store */
export function createHubApi(deps: AskDeps & { readonly hubs: readonly string[] }): HubApi {
  const { hubs } = deps
  // Its key has the certificates in it, so a renewed one gets connections of its own.
  const agent = new https.Agent({ keepAlive: true, maxSockets: 8, maxFreeSockets: 1 })
  let first = 0
  return {
    async ask(question, signal) {
      let why: unknown
      for (let i = 0; i < hubs.length; i++) {
        signal.throwIfAborted()
        const at = (first + i) % hubs.length
        try {
          const answer = await askHub(deps, { ...question, hub: hubs[at]!, agent }, signal)
          first = at
          if (!isPassing(answer)) return answer
          why = refusalIn(answer)
        } catch (e) {
          signal.throwIfAborted()
          why = e
        }
      }
      throw why
    },
    close: () => agent.destroy(),
  }
}
