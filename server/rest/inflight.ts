/** How much one user may have under way at once, so that nobody takes the hub from the others. */
import { StatusError } from '../../api/status.ts'
import type { Wish } from '../auth/auth.ts'
import { anonymous } from '../auth/authenticate.ts'
import type { Call } from './call.ts'
import { flag } from './query.ts'

export interface InflightLimits {
  /** Requests that end by themselves: of one user, and of all together. */
  readonly requestsByUser: number
  readonly requests: number
  /** Watches, logs that are followed, and connections to pods: they stay. */
  readonly streamsByUser: number
  /** ms in which a client of a request takes or sends nothing before it is cut off. */
  readonly stallMs: number
}

/** Far above what well-behaved clients have: controllers of Kubernetes open a watch for each kind, and send tens of requests at once. */
export const inflightLimits: InflightLimits = { requestsByUser: 200, requests: 800, streamsByUser: 1000, stallMs: 60_000 }

const retryAfterSeconds = 1

export interface Inflight {
  /**
   * Notes a request as begun. @returns how to note its end, once
   * @throws StatusError TooManyRequests, with the time after which to try again
   */
  begin(user: string, kind: 'request' | 'stream'): () => void
}

export function createInflight(limits: InflightLimits): Inflight {
  const held = { request: new Map<string, number>(), stream: new Map<string, number>() }
  const bounds = { request: limits.requestsByUser, stream: limits.streamsByUser }
  let requests = 0
  return {
    begin(user, kind) {
      const counts = held[kind]
      const count = counts.get(user) ?? 0
      if (count >= bounds[kind]) throw tooMany(`user ${JSON.stringify(user)} has ${count} ${kind === 'stream' ? 'watches, followed logs and connections to pods' : 'requests'} under way, and may not have more`)
      if (kind === 'request' && requests >= limits.requests) throw tooMany(`the hub has ${requests} requests under way, and takes no more`)
      counts.set(user, count + 1)
      if (kind === 'request') requests++
      let begun = true
      return () => {
        if (!begun) return
        begun = false
        if (kind === 'request') requests--
        const left = counts.get(user)! - 1
        if (left === 0) counts.delete(user)
        else counts.set(user, left)
      }
    },
  }
}

function tooMany(why: string): StatusError {
  return new StatusError('TooManyRequests', `too many requests: ${why}; try again after ${retryAfterSeconds} s`, { retryAfterSeconds })
}

/** Whether a request stays until one of the two sides ends it. */
export function isStream({ query }: Call, { verb, subresource = '' }: Wish): boolean {
  return verb === 'watch' || lasting.includes(subresource) || (subresource === 'log' && follows(query))
}

/** Subresources that stay open for as long as their client likes. */
const lasting: readonly string[] = ['exec', 'attach', 'portforward', 'proxy']

/** A follow that is neither true nor false is refused where the log is read. */
function follows(query: URLSearchParams): boolean {
  try {
    return flag(query, 'follow')
  } catch {
    return false
  }
}

/** Notes a call as begun, and cuts off its client if that stands still. @returns how to note its end. @throws StatusError TooManyRequests */
export function beginCall(call: Call, wish: Wish, { inflight, stallMs }: { readonly inflight: Inflight; readonly stallMs: number }): () => void {
  const { req, user } = call
  const stream = isStream(call, wish)
  // Those whom nobody knows are told apart by where they come from.
  const who = user.name === anonymous.name ? `${user.name} at ${req.socket.remoteAddress ?? 'an unknown address'}` : user.name
  const end = inflight.begin(who, stream ? 'stream' : 'request')
  req.socket.setTimeout(stream ? 0 : stallMs)
  return end
}
