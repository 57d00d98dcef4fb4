/** What the name server did since it started, for metrics. */
import type { Rcode } from './query.ts'

export interface DnsCounters {
  /** Messages that came, of whatever kind. */
  readonly received: { udp: number; tcp: number }
  /** Those that made no question: dropped, or refused by a header alone. */
  malformed: number
  /** Where answers came from; an alias that leads out of the cluster counts as `cluster` and as what answered the rest. */
  readonly source: { cluster: number; cache: number; upstream: number }
  /** Replies by what they say. `OTHER`: what an upstream said. */
  readonly replies: Record<Rcode | 'OTHER', number>
  /** Answers that did not fit, so that the client had to ask again over TCP. */
  truncated: number
  /** Questions that waited for an equal one that was under way. */
  joined: number
  /** Messages to upstreams, tries and TCP included. */
  asked: number
  /** Of those, the ones without a useful answer. */
  failed: number
  /** Questions turned away because too many were under way. */
  overloaded: number
}

export function createCounters(): DnsCounters {
  return {
    received: { udp: 0, tcp: 0 },
    malformed: 0,
    source: { cluster: 0, cache: 0, upstream: 0 },
    replies: { NOERROR: 0, FORMERR: 0, SERVFAIL: 0, NXDOMAIN: 0, NOTIMP: 0, REFUSED: 0, BADVERS: 0, OTHER: 0 },
    truncated: 0,
    joined: 0,
    asked: 0,
    failed: 0,
    overloaded: 0,
  }
}
