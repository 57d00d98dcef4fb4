/** One message in, one message out: where a question goes, and what becomes of everything that is none. */
import { decode } from 'dns-packet'
import { errorKeys, type Log } from '../../api/log.ts'
import type { DnsCounters } from './counters.ts'
import type { Forwarder } from './forwarder.ts'
import { rcodeOf } from './message.ts'
import { lowerCase } from './names.ts'
import { queryFor, rcode, readQuery, type Query, type Rcode } from './query.ts'
import { adoptReply, encodeRefusal, encodeReply, fit, refusal, type DnsRecord, type Reply } from './reply.ts'
import type { Zone, ZoneAnswer } from './zone.ts'

export type Via = 'udp' | 'tcp'

export interface Responder {
  /** Never rejects. @returns undefined for what deserves no answer */
  respond(message: Buffer, via: Via, signal: AbortSignal): Promise<Buffer | undefined>
}

export interface ResponderDeps {
  readonly zone: Zone
  readonly forwarder: Forwarder
  readonly counters: DnsCounters
  readonly log: Log
}

/** Questions that wait for upstreams; more are told to come again. */
const mostWaiting = 2_048

export function createResponder(deps: ResponderDeps): Responder {
  const { counters, log } = deps
  let waiting = 0

  const forward = async (query: Query, signal: AbortSignal): Promise<Buffer | undefined> => {
    if (waiting >= mostWaiting) {
      counters.overloaded++
      return undefined
    }
    waiting++
    try {
      return await deps.forwarder.ask(query, signal)
    } finally {
      waiting--
    }
  }

  const find = async (query: Query, signal: AbortSignal): Promise<Buffer> => {
    const told = (code: Rcode): Buffer => encodeReply(query, refusal(code))
    // Zone transfers and the like (RFC 6895 3.1), and other classes than that of the Internet, are not served.
    if (query.class !== 'IN' || isMeta(query.typeNumber)) return told('REFUSED')
    const found = deps.zone.answer(query)
    if (found.kind === 'elsewhere') {
      const answer = await forward(query, signal)
      return answer ? adoptReply(query, answer) : told('SERVFAIL')
    }
    counters.source.cluster++
    if (found.kind === 'reply') return encodeReply(query, found.reply)
    const whole = found.kind === 'alias' ? await followed(query, found, (target) => forward(target, signal)) : undefined
    return whole ?? told('SERVFAIL')
  }

  const answer = async (message: Buffer, via: Via, signal: AbortSignal): Promise<Buffer | undefined> => {
    counters.received[via]++
    const reading = readQuery(message)
    if (reading.kind === 'silence' || reading.kind === 'refusal') {
      counters.malformed++
      if (reading.kind === 'silence') return undefined
      counters.replies[reading.rcode]++
      return encodeRefusal(message, reading.rcode)
    }
    const { query } = reading
    if (reading.kind === 'version') {
      counters.replies.BADVERS++
      return fit(query, encodeReply(query, refusal('BADVERS')), { via, extendedRcode: rcode.BADVERS >> 4 }).message
    }
    const whole = await find(query, signal)
    const fitted = fit(query, whole, { via })
    if (fitted.truncated) counters.truncated++
    counters.replies[rcodeName(rcodeOf(whole))]++
    return fitted.message
  }

  return {
    respond: (message, via, signal) =>
      answer(message, via, signal).catch((e: unknown) => {
        log.error('a question could not be answered', errorKeys(e))
        return undefined
      }),
  }
}

/** An alias of the cluster, and then what the world says of the name that it leads to; undefined where that is not to be had. */
async function followed(
  query: Query,
  { answers, target }: ZoneAnswer & { readonly kind: 'alias' },
  forward: (query: Query) => Promise<Buffer | undefined>,
): Promise<Buffer | undefined> {
  const message = await forward(queryFor(query, target))
  const code = message && rcodeName(rcodeOf(message))
  if (!message || (code !== 'NOERROR' && code !== 'NXDOMAIN')) return undefined
  const world = recordsOf(message)
  return world && encodeReply(query, { ...world, rcode: code, authoritative: false, answers: [...answers, ...world.answers] })
}

/** The records of an upstream unpacked, as they go into another message; undefined where dns-packet cannot read one. */
function recordsOf(message: Buffer): Pick<Reply, 'answers' | 'authorities' | 'additionals'> | undefined {
  try {
    const { answers = [], authorities = [] } = decode(message)
    const plain = (records: readonly { readonly name: string }[]): DnsRecord[] =>
      records.map((record) => ({ ...(record as DnsRecord), name: record.name === '.' ? '' : lowerCase(record.name) }))
    return { answers: plain(answers), authorities: plain(authorities), additionals: [] }
  } catch {
    return undefined
  }
}

const isMeta = (type: number): boolean => type === 0 || type === 41 || (type >= 128 && type < 255)

function rcodeName(code: number): Rcode | 'OTHER' {
  return (Object.keys(rcode) as Rcode[]).find((name) => rcode[name] === code) ?? 'OTHER'
}
