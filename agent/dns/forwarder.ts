/**
 * Questions about the rest of the world: to one upstream after the other until one answers, once for all clients that ask
 * the same at the same time, and kept as long as the answer holds.
 *
 * A circle through servers that nobody knows of ends by itself: the question that comes back joins the one under way, and
 * both end with its deadline.
 */
import type { Clock } from '../../api/clock.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import { createCache } from './cache.ts'
import type { DnsCounters } from './counters.ts'
import {
  cut, flag, flagsOf, foldQuestion, headerBytes, idOf, layoutOf, opcodeOf, questionsOf, rcodeOf, recordType,
} from './message.ts'
import { rcode, type Query } from './query.ts'
import { optionRecord } from './reply.ts'
import { askTcp, askUdp } from './sockets.ts'
import { upstreamText, type Upstream, type Upstreams } from './upstreams.ts'

export interface Forwarder {
  /**
   * The message of an upstream, without EDNS, whole (as over TCP), with TTLs as of now and a question in anybody's letters.
   * Undefined: nobody gave a useful answer within the deadline, or there is nobody to ask.
   */
  ask(query: Query, signal: AbortSignal): Promise<Buffer | undefined>
}

export interface ForwarderDeps {
  readonly upstreams: Upstreams
  readonly counters: DnsCounters
  readonly clock: Clock
  /** From 0 to 1, and not to be guessed: query ids come from it (RFC 5452). */
  readonly random: () => number
  readonly log: Log
}

/** For one try with one server, over UDP or TCP. */
const tryMs = 1_500
/** A server that did not answer comes last for so long. */
const restMs = 10_000
const mostCached = 8_192
/** Different questions under way; each has a socket. */
const mostAtOnce = 256

export function createForwarder(deps: ForwarderDeps): Forwarder {
  const { upstreams, counters, clock } = deps
  const cache = createCache({ most: mostCached, now: () => clock.now() })
  const underWay = new Map<string, Promise<Buffer | undefined>>()
  const order = createOrder(deps)
  let asked: readonly Upstream[] | undefined

  const find = async (query: Query, servers: readonly Upstream[], signal: AbortSignal): Promise<Buffer | undefined> => {
    const ranked = order.ranked(servers)
    let last: Buffer | undefined
    for (let i = 0; i < Math.max(2, ranked.length); i++) {
      const server = ranked[i % ranked.length]!
      const answer = await tryOne(deps, query, server, signal)
      if (signal.aborted) return undefined
      order.tell(server, answer !== undefined)
      if (answer && isUseful(answer)) return answer
      counters.failed++
      last = answer ?? last
    }
    // What upstreams say of themselves is passed on: their refusal is no failure of ours.
    return last
  }

  return {
    async ask(query, signal) {
      const servers = upstreams.list()
      // Other servers, another world.
      if (asked !== undefined && asked !== servers) cache.clear()
      asked = servers
      const key = `${foldQuestion(query.question)} ${query.edns?.dnssec ?? false} ${query.checkingDisabled}`
      const known = cache.get(key)
      if (known) {
        counters.source.cache++
        return known
      }
      const same = underWay.get(key)
      if (same) {
        counters.joined++
        return same
      }
      if (servers.length === 0) return undefined
      if (underWay.size >= mostAtOnce) {
        counters.overloaded++
        return undefined
      }
      const asking = find(query, servers, signal).finally(() => underWay.delete(key))
      underWay.set(key, asking)
      const answer = await asking
      if (answer) {
        counters.source.upstream++
        cache.put(key, answer)
      }
      return answer
    },
  }
}

/** Servers that fail come last; when that begins and when it ends is told, once. */
function createOrder({ clock, log }: Pick<ForwarderDeps, 'clock' | 'log'>) {
  const failedAt = new Map<string, number>()
  return {
    ranked(servers: readonly Upstream[]): readonly Upstream[] {
      const rests = (server: Upstream): boolean => clock.now() - (failedAt.get(upstreamText(server)) ?? -Infinity) < restMs
      return servers.toSorted((a, b) => Number(rests(a)) - Number(rests(b)))
    },
    tell(server: Upstream, answered: boolean): void {
      const text = upstreamText(server)
      if (answered && failedAt.delete(text)) log.info('a name server answers again', { server: text })
      if (answered) return
      if (!failedAt.has(text)) log.warn('a name server does not answer', { server: text })
      failedAt.set(text, clock.now())
    },
  }
}

async function tryOne(deps: ForwarderDeps, query: Query, server: Upstream, signal: AbortSignal): Promise<Buffer | undefined> {
  const first = await exchange(deps, query, { server, withOption: true }, signal)
  // Servers from before EDNS take it for an error (RFC 6891 7).
  if (!first || rcodeOf(first) !== rcode.FORMERR) return first && cleaned(first)
  const second = await exchange(deps, query, { server, withOption: false }, signal)
  return second && cleaned(second)
}

interface Try {
  readonly server: Upstream
  readonly withOption: boolean
}

async function exchange(deps: ForwarderDeps, query: Query, how: Try, signal: AbortSignal): Promise<Buffer | undefined> {
  const { server, withOption } = how
  const { counters, clock, random, log } = deps
  const id = Math.floor(random() * 65_536)
  const message = upstreamMessage(query, id, withOption)
  const isAnswer = (bytes: Buffer): boolean => answersTo(query, id, bytes)
  try {
    counters.asked++
    const answer = await within(clock, tryMs, signal, (limit) => askUdp(server, message, isAnswer, limit))
    if ((flagsOf(answer) & flag.truncated) === 0) return answer
    counters.asked++
    return await within(clock, tryMs, signal, (limit) => askTcp(server, message, isAnswer, limit))
  } catch (e) {
    if (!signal.aborted) log.debug('a name server was asked in vain', { server: upstreamText(server), ...errorKeys(e) })
    return undefined
  }
}

async function within<T>(clock: Clock, ms: number, signal: AbortSignal, work: (limit: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new AbortController()
  const cancel = clock.after(ms, () => deadline.abort(new DOMException(`no answer within ${ms} ms`, 'TimeoutError')))
  try {
    return await work(AbortSignal.any([signal, deadline.signal]))
  } finally {
    cancel()
  }
}

function upstreamMessage(query: Query, id: number, withOption: boolean): Buffer {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(flag.recursionDesired | (query.checkingDisabled ? flag.checkingDisabled : 0), 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(withOption ? 1 : 0, 10)
  return Buffer.concat([header, query.question, ...(withOption ? [optionRecord(query.edns?.dnssec ?? false)] : [])])
}

/** Whether a message is what was asked for and can be read; everything else may come from anybody (RFC 5452 9.1). */
function answersTo(query: Query, id: number, bytes: Buffer): boolean {
  const layout = layoutOf(bytes)
  if (!layout || idOf(bytes) !== id || (flagsOf(bytes) & flag.response) === 0 || opcodeOf(bytes) !== 0) return false
  // Who could not read the question need not repeat it.
  if (questionsOf(bytes) === 0) return rcodeOf(bytes) === rcode.FORMERR && layout.records.length === 0
  return foldQuestion(bytes.subarray(headerBytes, layout.questionEnd)) === foldQuestion(query.question)
}

/** What another server might do better is not useful. */
function isUseful(message: Buffer): boolean {
  return rcodeOf(message) === rcode.NOERROR || rcodeOf(message) === rcode.NXDOMAIN
}

/** Without EDNS, which is between two neighbours, and so without what stands behind it. */
function cleaned(message: Buffer): Buffer | undefined {
  const layout = layoutOf(message)
  if (!layout || questionsOf(message) === 0) return undefined
  const option = layout.records.findIndex(({ type }) => type === recordType.OPT)
  // Bytes behind the last record go, too: what is put behind the message later on would not be read.
  if (option < 0) return cut(message, layout, layout.records.length)
  // The upper bits of the response code: there is something that the lower ones do not tell.
  if (message[layout.records[option]!.ttlAt] !== 0) return undefined
  return cut(message, layout, option)
}
