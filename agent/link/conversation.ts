/** What is said on the connections to the hub, one after the other: greeting, stream, calls, and what the node tells. */
import type { Clock } from '../../api/clock.ts'
import { protocolVersion, type HubFrame, type StreamFrame, type WelcomeFrame } from '../../api/frames.ts'
import type { Log } from '../../api/log.ts'
import { createCalls, type CallHandlers, type Calls, type CallsFrame } from './calls.ts'
import type { Connection, LinkTls } from './connection.ts'
import { LinkError } from './error.ts'
import { createOrder } from './order.ts'
import { createOutbox, type Told } from './outbox.ts'

/** Who speaks, on whichever connection. */
export interface Speaker {
  readonly node: string
  /** The node's certificate and the CA of the hub. */
  readonly tls?: LinkTls
  /** The agent's own version, e.g. `0.1.0`. */
  readonly version: string
  readonly handlers: CallHandlers
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly log: Log
}

export interface ConversationDeps extends Omit<Speaker, 'tls' | 'random'> {
  /** URL of the hub of the connection that stands, for the log. */
  readonly url: () => string
  readonly onFrame: (frame: StreamFrame) => void
  readonly lastRevision: () => number | undefined
  /** The hub has welcomed the agent. */
  readonly onWelcome: (frame: WelcomeFrame) => void
}

export interface Conversation {
  /** A connection stands: says hello. */
  open(connection: Connection): void
  /** A frame of the connection that stands. @throws LinkError for what cannot be followed; what `onFrame` throws */
  take(frame: HubFrame): void
  /** Tells now, or after the next welcome what is worth it. */
  tell(frame: Told): void
  /** The connection is gone. @returns ms since the welcome; undefined if there was none */
  end(): number | undefined
  readonly welcomed: boolean
}

/** Clocks that differ by more are worth a warning. */
const skewMs = 60_000

/** The connection that stands. */
interface Standing {
  readonly connection: Connection
  readonly calls: Calls
  /** The revision that was said in `hello`. */
  readonly held: number | undefined
  /** Which order of revisions the hub has; '' before the welcome. */
  history: string
  /** Milliseconds since 1970; undefined before the welcome. */
  welcomedAt?: number
}

export function createConversation(deps: ConversationDeps): Conversation {
  const { clock, log, node, handlers } = deps
  const order = createOrder()
  const outbox = createOutbox()
  let standing: Standing | undefined
  /** What the agent holds cannot be trusted: `hello` says that it holds nothing, until the `reset` that follows. */
  let distrusted = false
  /** To which order of revisions the revision belongs that the agent holds. */
  let history: string | undefined

  const welcome = (at: Standing, frame: WelcomeFrame): void => {
    checkWelcome(frame, node, at.held)
    if (frame.resumed && frame.history !== history) throw new LinkError('FRAME_MALFORMED', 'the hub resumes a stream of another history')
    at.history = frame.history
    order.begin(frame.resumed, at.held)
    at.welcomedAt = clock.now()
    log.info('connected to the hub', { hub: deps.url(), resumed: frame.resumed, held: at.held, revision: frame.revision })
    const apart = frame.time - clock.now()
    if (Math.abs(apart) > skewMs) log.warn('the clocks of node and hub differ', { seconds: Math.round(apart / 1000) })
    for (const told of outbox.afterWelcome()) at.connection.send(told)
    deps.onWelcome(frame)
  }

  const stream = (at: Standing, frame: StreamFrame): void => {
    const verdict = order.judge(frame)
    if (verdict.kind === 'repeat') return
    // Until the frame has found its place, and for good if it does not.
    distrusted = true
    if (verdict.kind === 'violation') throw new LinkError('FRAME_MALFORMED', verdict.why)
    if (frame.kind === 'reset') history = at.history
    outbox.heard(frame)
    deps.onFrame(frame)
    distrusted = false
  }

  return {
    open(connection) {
      const held = distrusted || history === undefined ? undefined : deps.lastRevision()
      standing = { connection, held, history: '', calls: createCalls({ handlers, log, send: (frame) => connection.sent(frame) }) }
      const known = held === undefined ? {} : { revision: held, history }
      connection.send({ kind: 'hello', version: protocolVersion, node, agent: deps.version, ...known, time: clock.now() })
    },
    take(frame) {
      const at = standing!
      deliver(frame, at, {
        welcome: (first) => welcome(at, first),
        calls: (part) => at.calls.take(part),
        stream: (part) => stream(at, part),
      })
    },
    tell(frame) {
      const open = standing?.welcomedAt !== undefined
      outbox.tell(frame, open)
      if (open) standing!.connection.send(frame)
    },
    end() {
      const at = standing
      standing = undefined
      at?.calls.close()
      return at?.welcomedAt === undefined ? undefined : clock.now() - at.welcomedAt
    },
    get welcomed() {
      return standing?.welcomedAt !== undefined
    },
  }
}

/** Who takes which frames of a connection. */
export interface Takers {
  readonly welcome: (frame: WelcomeFrame) => void
  readonly calls: (frame: CallsFrame) => void
  readonly stream: (frame: StreamFrame) => void
}

/** Hands a frame to who takes its kind. @throws LinkError FRAME_MALFORMED where the welcome is not the first one, or not the only one */
export function deliver(frame: HubFrame, { welcomedAt }: { readonly welcomedAt?: number }, to: Takers): void {
  const isWelcomed = welcomedAt !== undefined
  if ((frame.kind === 'welcome') === isWelcomed) {
    throw new LinkError('FRAME_MALFORMED', `${frame.kind} came ${isWelcomed ? 'after' : 'before'} the welcome`)
  }
  switch (frame.kind) {
    case 'welcome':
      return to.welcome(frame)
    case 'call':
    case 'cancel':
    case 'input':
    case 'inputEnd':
    case 'resize':
    case 'room':
      return to.calls(frame)
    case 'several':
      return frame.frames.forEach((each) => to.stream(each))
    case 'reset':
    case 'set':
    case 'endpoints':
    case 'delete':
    case 'sync':
      return to.stream(frame)
  }
}

/** @param held the revision that was said in `hello` @throws LinkError LINK_REFUSED, FRAME_MALFORMED */
export function checkWelcome({ version, node, resumed }: WelcomeFrame, own: string, held: number | undefined): void {
  if (version !== protocolVersion) {
    const message = `the hub speaks version ${version} of the protocol, the agent ${protocolVersion}: upgrade the older of them`
    throw new LinkError('LINK_REFUSED', message)
  }
  if (node !== own) throw new LinkError('LINK_REFUSED', `the hub takes this agent for node ${node}, but it is ${own}`)
  if (!resumed || held !== undefined) return
  throw new LinkError('FRAME_MALFORMED', 'the hub resumes a stream of which the agent holds nothing')
}
