/**
 * The agent's link to its hub, one of several: connects, says what it holds, hands frames on in order, and comes back for ever.
 * Beside that session it keeps side links to the other hubs.
 */
import { sleep } from '../../api/clock.ts'
import type { ErrorCode } from '../../api/errors.ts'
import { limits, type AckFrame, type ReportFrame, type StreamFrame } from '../../api/frames.ts'
import { errorKeys } from '../../api/log.ts'
import { createBackoff } from './backoff.ts'
import type { CallHandlers } from './calls.ts'
import { holdConnection, type LinkBounds, type LinkTls } from './connection.ts'
import { createConversation, type Speaker } from './conversation.ts'
import { createSides, isMeasured } from './sides.ts'

export type { CallHandlers, LinkBounds, LinkTls }

export interface LinkDeps extends Speaker {
  /** https URLs of hubs on one store, in any order; http where somebody else guards the way. */
  readonly urls: readonly string[]
  /** Takes `reset`, `set`, `delete`, `sync` in order, none twice. Throwing ends the connection; the next starts from a reset. */
  readonly onFrame: (frame: StreamFrame) => void
  /** The last revision that is held in full; undefined for none. */
  readonly lastRevision: () => number | undefined
  readonly bounds?: Partial<LinkBounds>
}

export interface Link {
  /** Connects, and again after each loss, until the signal aborts; resolves then. To be called once. */
  run(signal: AbortSignal): Promise<void>
  /**
   * Tells the hub. The latest ack, node status and word about each pod are told again after every welcome, since what is on
   * its way when a connection breaks is lost. Events wait for a connection; load and lease are dropped without one.
   * Load is told to every hub to which a connection stands, all else to the one hub of the session.
   */
  send(frame: AckFrame | ReportFrame): void
  /** The hubs that the store names, as https URLs: with each, and each of `urls`, the agent keeps a side link besides. */
  others(urls: readonly string[]): void
  /** Whether the hub has welcomed the agent on the connection that stands. */
  readonly connected: boolean
}

const defaults: LinkBounds = { pingMs: limits.pingMs, queueBytes: limits.queueBytes, connectMs: 15_000 }

export function createLink(deps: LinkDeps): Link {
  const { clock, log } = deps
  const bounds = { ...defaults, ...deps.bounds }
  const backoff = createBackoff(deps.random)
  /** Agents begin at different hubs, and go on to the next one when theirs is lost. */
  let turn = Math.floor(deps.random() * deps.urls.length)
  const url = (): string => deps.urls[turn % deps.urls.length]!
  const sides = createSides({ ...deps, bounds })
  const conversation = createConversation({ ...deps, url, onWelcome: (frame) => sides.session(url(), frame.hub) })
  const events = {
    onOpen: conversation.open.bind(conversation),
    onFrame: conversation.take.bind(conversation),
  }

  /** @returns how long to wait before the next connection, ms */
  const connectOnce = async (signal: AbortSignal): Promise<number> => {
    const why = await holdConnection({ ...deps, ...events, url: url(), bounds }, signal)
    const { welcomed } = conversation
    backoff.stood(conversation.end() ?? 0)
    const waitMs = Math.round(backoff.next(why.code === 'LINK_REFUSED' ? 'refused' : 'lost'))
    if (!signal.aborted) log.warn(sentence(why.code, welcomed), { hub: url(), waitMs, ...errorKeys(why) })
    turn++
    return waitMs
  }

  return {
    async run(signal) {
      const aside = sides.run(signal)
      while (!signal.aborted) {
        const waitMs = await connectOnce(signal)
        // Rejects only when the signal aborts, which ends the loop.
        await sleep(clock, waitMs, signal).catch(() => undefined)
      }
      await aside
    },
    send(frame) {
      conversation.tell(frame)
      if (isMeasured(frame)) sides.tell(frame)
    },
    others: (urls) => sides.named(urls),
    get connected() {
      return conversation.welcomed
    },
  }
}

function sentence(code: ErrorCode, welcomed: boolean): string {
  if (code === 'LINK_REFUSED') return 'the hub refuses this agent'
  if (code !== 'LINK_LOST') return 'the hub sent what cannot be followed'
  return welcomed ? 'the connection to the hub is lost' : 'the hub is not reached'
}
