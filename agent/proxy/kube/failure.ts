/** What can go wrong with a request to the Kubernetes API, read from its answer in this file and nowhere else. */
import type { IncomingMessage } from 'node:http'
import { ProxyError } from '../error.ts'
import type { Question } from './client.ts'

/** What the server said. */
export interface Said {
  readonly status: number | undefined
  readonly reasons: readonly string[]
  readonly retryAfterMs: number
}

/** A request that failed. `retryAfterMs`: what the server asked for. */
export class ApiFailure extends ProxyError {
  readonly status: number | undefined
  /** Of a Status: `Expired`, `Forbidden`, and the reason of its first cause. */
  readonly reasons: readonly string[]
  readonly retryAfterMs: number

  constructor(code: 'API_REFUSED' | 'API_EXPIRED' | 'API_LOST' | 'API_UNREADABLE', message: string, more: ErrorOptions & Partial<Said> = {}) {
    super(code, message, more.cause === undefined ? undefined : { cause: more.cause })
    this.status = more.status
    this.reasons = more.reasons ?? []
    this.retryAfterMs = more.retryAfterMs ?? 0
  }
}

export const lost = (message: string, options?: ErrorOptions): ApiFailure => new ApiFailure('API_LOST', message, options)

export function notReached(server: URL, cause: Error): ApiFailure {
  const code = (cause as NodeJS.ErrnoException).code ?? ''
  return lost(`the API server at ${server.host} is not reached: ${cause.message || code}`, { cause })
}

/** What an answer other than 2xx means. */
export function refusalOf(response: IncomingMessage, question: Question, text: string): ApiFailure {
  const status = response.statusCode ?? 0
  const said = statusOf(text)
  const words = said?.message ?? text.trim().slice(0, 300)
  const message = `${question.method} ${question.path.split('?')[0]}: ${status} ${response.statusMessage ?? ''}${words && `: ${words}`}`
  const seconds = Number(response.headers['retry-after'] ?? 0)
  const more = { status, reasons: said?.reasons ?? [], retryAfterMs: Number.isFinite(seconds) ? seconds * 1_000 : 0 }
  return failureOf(more, message)
}

/** A Status (meta/v1) of the server as an error; also the one in a watch event of type ERROR. */
export function failureOf(said: { readonly status: number; readonly reasons: readonly string[]; readonly retryAfterMs?: number }, message: string): ApiFailure {
  // A revision from the future: the server was set back to an older state.
  const expired = said.status === 410 || said.reasons.some((r) => r === 'Expired' || r === 'Gone' || r === 'ResourceVersionTooLarge')
  return new ApiFailure(expired ? 'API_EXPIRED' : 'API_REFUSED', message, said)
}

function statusOf(text: string): { readonly message: string; readonly reasons: readonly string[] } | undefined {
  try {
    return readStatus(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** The words of a Status; undefined where a value is none. */
export function readStatus(value: unknown): { readonly message: string; readonly reasons: readonly string[]; readonly code: number } | undefined {
  const status = value as { kind?: unknown; message?: unknown; reason?: unknown; code?: unknown; details?: { causes?: unknown } } | null
  if (typeof status !== 'object' || status === null || status.kind !== 'Status') return undefined
  const causes = Array.isArray(status.details?.causes) ? (status.details.causes as readonly { reason?: unknown }[]) : []
  const reasons = [status.reason, ...causes.map((c) => c?.reason)].filter((r) => typeof r === 'string')
  return { message: typeof status.message === 'string' ? status.message : '', reasons, code: Number(status.code ?? 0) }
}
