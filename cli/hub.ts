/** Asks a hub over HTTPS with a client certificate. */
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { Status } from '../api/status.ts'
import { CliError } from './error.ts'
import type { HubAccess } from './kubeconfig.ts'

export interface HubClient {
  readonly server: string
  /** GET, answer as text. @throws CliError LINK_LOST if nobody answers, LINK_REFUSED with the hub's words if it says no */
  text(path: string, signal: AbortSignal): Promise<string>
  /** GET, answer as JSON. Errors as in `text`. */
  json<T>(path: string, signal: AbortSignal): Promise<T>
  /** GET, answer as bytes. Errors as in `text`; the stream fails where the answer is not whole. */
  stream(path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** POST of an object as JSON, answer as JSON. Errors as in `text`. */
  post<T>(path: string, object: unknown, signal: AbortSignal): Promise<T>
  close(): void
}

const timeoutMs = 10_000
const longestAnswer = 256 * 1024 * 1024

export function createHubClient(access: HubAccess): HubClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 4, ca: access.ca, cert: access.certificate, key: access.key })
  const text = (path: string, signal: AbortSignal): Promise<string> => textOf({ server: access.server, path, agent, signal })
  return {
    server: access.server,
    text,
    json: async <T>(path: string, signal: AbortSignal) => JSON.parse(await text(path, signal)) as T,
    stream: (path, signal) => ask({ server: access.server, path, agent, signal }, (answer, resolve) => resolve(answer)),
    post: async <T>(path: string, object: unknown, signal: AbortSignal) =>
      JSON.parse(await textOf({ server: access.server, path, agent, signal, body: JSON.stringify(object) })) as T,
    close: () => agent.destroy(),
  }
}

interface Question {
  readonly server: string
  readonly path: string
  readonly agent: Agent
  readonly signal: AbortSignal
  /** JSON: the request is a POST. */
  readonly body?: string
}

type Taker<T> = (answer: IncomingMessage, resolve: (value: T) => void, fail: (error: Error) => void) => void

const textOf = (question: Question): Promise<string> =>
  ask(question, (answer, resolve, fail) => whole(answer, (body) => resolve(body.toString('utf8')), fail))

/** @param take what becomes of an answer that is no refusal */
function ask<T>({ server, path, agent, signal, body: sent }: Question, take: Taker<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = request(new URL(path, server), {
      method: sent === undefined ? 'GET' : 'POST',
      agent,
      signal,
      timeout: timeoutMs,
      headers: { accept: 'application/json, text/plain, */*', ...(sent !== undefined && { 'content-type': 'application/json' }) },
    })
    const lost = (error: Error): void => reject(signal.aborted ? (signal.reason as Error) : notReached(server, error))
    call.on('timeout', () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
    call.on('error', lost)
    call.on('response', (answer) => {
      const code = answer.statusCode ?? 0
      const fail = (error: Error): void => {
        call.destroy()
        lost(error)
      }
      if (code >= 200 && code < 300) take(answer, resolve, fail)
      else whole(answer, (body) => reject(refused(code, body.toString('utf8'), path)), fail)
    })
    call.end(sent)
  })
}

function whole(answer: IncomingMessage, take: (body: Buffer) => void, fail: (error: Error) => void): void {
  const parts: Buffer[] = []
  let size = 0
  answer.on('error', fail)
  answer.on('data', (part: Buffer) => {
    size += part.length
    if (size > longestAnswer) fail(new Error('the answer is longer than 256 MiB'))
    else parts.push(part)
  })
  answer.on('end', () => take(Buffer.concat(parts)))
}

export function notReached(server: string, cause: Error): CliError {
  return new CliError(
    'LINK_LOST',
    `the hub at ${server} does not answer (${cause.message || (cause as NodeJS.ErrnoException).code})`,
    'start the lab with `wherry up`; if it runs, read logs/hub.log in its state directory',
    { cause },
  )
}

/** The hub's own words, from a Kubernetes Status where it sends one. */
export function refused(code: number, body: string, path: string): CliError {
  let words = body.trim().slice(0, 300)
  try {
    words = (JSON.parse(body) as Partial<Status>).message ?? words
  } catch {
    // not a Status: the text itself
  }
  const advice = code === 401 || code === 403 ? 'use the kubeconfig that `wherry up` wrote' : "the hub's log tells more"
  return new CliError('LINK_REFUSED', `the hub answered ${code} to ${path}: ${words || 'no reason given'}`, advice)
}
