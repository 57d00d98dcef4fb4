/** One side link: a connection to a hub that is not the one of the agent's session. It carries calls, and what was measured. */
import { sleep } from '../../api/clock.ts'
import { protocolVersion, type HubFrame, type ReportFrame } from '../../api/frames.ts'
import { errorKeys } from '../../api/log.ts'
import { createBackoff } from './backoff.ts'
import { createCalls, type Calls } from './calls.ts'
import { holdConnection, type Connection, type LinkBounds } from './connection.ts'
import { checkWelcome, deliver, type Speaker } from './conversation.ts'
import { LinkError } from './error.ts'

export interface SideDeps extends Speaker {
  readonly url: string
  readonly bounds: LinkBounds
  /** Whether a connection is to be made, asked before each. One that stands is left to the hub, which knows who is using it. */
  readonly isWanted: () => boolean
  /** It stands from now on, with the hub of this name, or it stands no more. */
  readonly onChange: (hub: string | undefined) => void
}

export interface Side {
  /** Connects, and again after each loss, until it is not wanted any more or the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void>
  /** Tells the hub now, or never. */
  tell(frame: ReportFrame): void
}

/** Milliseconds over which the agents of a cluster spread their first connection to a hub of which all hear in the same moment. */
const spreadMs = 3_000

interface Standing {
  readonly connection: Connection
  readonly calls: Calls
  /** Milliseconds since 1970; undefined before the welcome. */
  welcomedAt?: number
}

export function createSide(deps: SideDeps): Side {
  const { url, node, clock, log, handlers, isWanted, onChange } = deps
  const backoff = createBackoff(deps.random)
  let standing: Standing | undefined
  /** The log has heard of it since it stood last. */
  let complained = false

  const open = (connection: Connection): void => {
    standing = { connection, calls: createCalls({ handlers, log, send: (frame) => connection.sent(frame) }) }
    connection.send({ kind: 'hello', version: protocolVersion, node, agent: deps.version, time: clock.now(), for: 'calls' })
  }
  const take = (frame: HubFrame): void => {
    const at = standing!
    deliver(frame, at, {
      welcome(first) {
        checkWelcome(first, node, undefined)
        at.welcomedAt = clock.now()
        complained = false
        log.info('a side link to a hub stands', { hub: url })
        onChange(first.hub ?? url)
      },
      calls: (part) => at.calls.take(part),
      stream({ kind }) {
        throw new LinkError('FRAME_MALFORMED', `${kind} does not belong on a side link`)
      },
    })
  }
  /** @returns how long to wait before the next connection, ms */
  const connectOnce = async (signal: AbortSignal): Promise<number> => {
    const why = await holdConnection({ ...deps, onOpen: open, onFrame: take }, signal)
    const stoodMs = standing?.welcomedAt === undefined ? 0 : clock.now() - standing.welcomedAt
    standing?.calls.close()
    standing = undefined
    onChange(undefined)
    backoff.stood(stoodMs)
    if (!complained && !signal.aborted && isWanted()) {
      complained = true
      log.warn('there is no side link to a hub; it is tried again', { hub: url, ...errorKeys(why) })
    }
    return Math.round(backoff.next(why.code === 'LINK_REFUSED' ? 'refused' : 'lost'))
  }

  return {
    async run(signal) {
      let waitMs = deps.random() * spreadMs
      for (;;) {
        // Rejects only when the signal aborts, which ends the loop.
        await sleep(clock, waitMs, signal).catch(() => undefined)
        if (signal.aborted || !isWanted()) return
        waitMs = await connectOnce(signal)
      }
    },
    tell(frame) {
      if (standing?.welcomedAt !== undefined) standing.connection.send(frame)
    },
  }
}
