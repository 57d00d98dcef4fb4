/** One agent's connection, from its `hello` to its end. */
import { Buffer } from 'node:buffer'
import type { WebSocket } from 'ws'
import type { Clock } from '../../api/clock.ts'
import { decodeAgentFrame } from '../../api/codec.ts'
import { closeCodes, protocolVersion } from '../../api/frames.ts'
import type { AckFrame, AgentFrame, HelloFrame, NodeCall, NodeReport } from '../../api/frames.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import type { Store } from '../store/store.ts'
import { misplaced } from './aside.ts'
import type { Encoder } from './encoder.ts'
import type { Fanout } from './fanout.ts'
import { createExchanges, type Exchange, type Exchanges } from './exchanges.ts'
import { createFeed, type Feed } from './feed.ts'
import { createOutflow, type Outflow, type OutflowBounds } from './outflow.ts'
import { startPulse } from '../../api/pulse.ts'

export interface SessionBounds {
  readonly pingMs: number
  /** What may wait for one agent before it is cut off. */
  readonly queueBytes: number
  /** How long an agent has for its `hello`, and the hub to get ready for it. */
  readonly helloMs: number
}

export interface SessionEvents {
  /** The agent may come in; nothing has been sent to it yet. */
  greeted(session: Session): void
  /** The same for a side link. */
  greetedAside(session: Session): void
  /** No call is open any more, or the side link stands and none is open yet. */
  idle(): void
  ack(frame: AckFrame): void
  report(report: NodeReport): void
  /** Told once. After it, nothing is sent or told any more. */
  ended(session: Session): void
}

export interface SessionDeps {
  readonly store: Store
  readonly fanout: Fanout
  readonly encoder: Encoder
  readonly clock: Clock
  readonly log: Log
  /** The hub's own, e.g. `0.1.0`. */
  readonly version: string
  /** The hub's, as `welcome.hub`. */
  readonly name?: string | undefined
  readonly bounds: SessionBounds & OutflowBounds
  readonly events: SessionEvents
}

export interface Session {
  readonly node: string
  /** A question to the node, as `Sessions.open`. */
  open(call: NodeCall, signal: AbortSignal): Exchange
  /** Whether no question is open. */
  isIdle(): boolean
  /** Ends the session; the agent is told why. */
  close(code: number, reason: string): void
  /** Ends the connection without a word. */
  cut(why: string): void
  /** Resolves when the socket is closed. */
  readonly gone: Promise<void>
}

/** Clocks that differ by more are worth a warning. */
const skewMs = 60_000

/** @param node the name in the agent's certificate */
export function openSession(socket: WebSocket, node: string, deps: SessionDeps): Session {
  const { clock, bounds, encoder, events } = deps
  const log = deps.log.with({ node })
  const ended = new AbortController()
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))

  const end = (): void => {
    ended.abort()
    events.ended(session)
  }
  const close = (code: number, reason: string): void => {
    if (ended.signal.aborted) return
    log.info('a session is closed', { closeCode: code, reason })
    socket.close(code, clipped(reason))
    end()
  }
  const cut = (why: string): void => {
    if (ended.signal.aborted) return
    log.warn('a session is cut off', { why })
    socket.terminate()
    end()
  }

  const outflow = createOutflow(socket, bounds, () => cut(`more than ${bounds.queueBytes} bytes wait for the agent`))
  const onIdle = (): void => void (ended.signal.aborted || events.idle())
  const exchanges = createExchanges(node, (frame) => outflow.push(encoder.frame(frame)), onIdle)
  const feed = createFeed({ ...deps, node, outflow })
  const session: Session = { node, open: (call, signal) => exchanges.open(call, signal), isIdle: () => exchanges.isIdle(), close, cut, gone }
  const beat = (): void => {
    socket.ping()
    feed.catchUp()
  }
  const silent = (): void => cut('nothing was heard from the agent for two beats')
  const pulse = startPulse({ clock, everyMs: bounds.pingMs, beat, silent })
  const cancelDeadline = clock.after(bounds.helloMs, () => close(closeCodes.malformed, `no hello within ${bounds.helloMs} ms`))
  let isAside = false
  const greetedAside = (side: Session): void => {
    isAside = true
    events.greetedAside(side)
  }
  const take = conversation({ deps: { ...deps, events: { ...events, greetedAside }, log }, session, feed, outflow, exchanges, ended: ended.signal, begun: cancelDeadline })

  ended.signal.addEventListener('abort', () => {
    pulse.stop()
    cancelDeadline()
    feed.stop()
    exchanges.close()
  })
  socket.on('message', (data, isBinary) => {
    if (ended.signal.aborted) return
    pulse.heard()
    take(bytesOf(data, isBinary))
  })
  socket.on('ping', () => pulse.heard())
  socket.on('pong', () => pulse.heard())
  socket.on('error', (e) => log.debug('the socket of an agent failed', errorKeys(e)))
  socket.on('close', (code, reason) => {
    if (ended.signal.aborted) return
    log.info(isAside ? 'a side link is gone' : 'an agent is gone', { closeCode: code, reason: reason.toString() })
    end()
  })
  return session
}

interface Conversation {
  readonly deps: SessionDeps
  readonly session: Session
  readonly feed: Feed
  readonly outflow: Outflow
  readonly exchanges: Exchanges
  readonly ended: AbortSignal
  /** Called when the opening is ready to be sent. */
  readonly begun: () => void
}

/** Takes the agent's frames, each in its turn. */
function conversation({ deps, session, feed, outflow, exchanges, ended, begun }: Conversation): (bytes: Uint8Array) => void {
  const { store, clock, log, events } = deps
  let turn: 'hello' | 'greeting' | 'live' | 'aside' = 'hello'

  const greet = async (hello: HelloFrame): Promise<void> => {
    const refusal = unwelcome(hello, session.node)
    if (refusal) return session.close(closeCodes.refused, refusal)
    if (hello.for === 'calls') return greetAside(hello)
    await store.fresh(ended)
    if (ended.aborted) return
    events.greeted(session)
    // What it holds of another history, as a store that was put back to an older copy has one, says nothing here.
    const held = hello.history === store.history ? hello.revision : undefined
    const opening = await feed.start(held)
    if (ended.aborted) return feed.stop()
    turn = 'live'
    begun()
    const { resumed, revision } = opening
    const { agent } = hello
    log.info('an agent is welcome', { agent, held, resumed, revision })
    if (agent !== deps.version) log.info('the agent is of another version than the hub', { agent, hub: deps.version })
    const apart = hello.time - clock.now()
    if (Math.abs(apart) > skewMs) log.warn('the clocks of hub and node differ', { seconds: Math.round(apart / 1000) })
    await opening.send()
  }
  /** Of the store nothing is needed here, nor waited for. */
  const greetAside = async ({ agent }: HelloFrame): Promise<void> => {
    turn = 'aside'
    begun()
    events.greetedAside(session)
    log.info('a side link of an agent is welcome', { agent })
    const { history, revision } = store
    const welcome = { kind: 'welcome', version: protocolVersion, node: session.node, history, revision, resumed: false, time: clock.now() } as const
    await outflow.open([deps.encoder.frame({ ...welcome, ...(deps.name !== undefined && { hub: deps.name }) })])
    if (!ended.aborted && exchanges.isIdle()) events.idle()
  }
  const take = (frame: AgentFrame): void => {
    if (frame.kind === 'hello') {
      if (turn !== 'hello') return session.close(closeCodes.malformed, 'a second hello')
      turn = 'greeting'
      greet(frame).catch((e: unknown) => {
        if (ended.aborted) return
        log.error('an agent could not be sent its state', errorKeys(e))
        session.cut('its state could not be sent')
      })
      return
    }
    if (turn !== 'live' && turn !== 'aside') return session.close(closeCodes.malformed, `${frame.kind} came before the welcome`)
    const fault = turn === 'aside' ? misplaced(frame) : undefined
    if (fault !== undefined) return session.close(closeCodes.malformed, fault)
    switch (frame.kind) {
      case 'ack':
        return events.ack(frame)
      case 'report':
        return events.report(frame.report)
      case 'data':
      case 'end':
      case 'room':
        return exchanges.take(frame)
    }
  }

  return (bytes) => {
    let frame: AgentFrame
    try {
      frame = decodeAgentFrame(bytes)
    } catch (e) {
      log.warn('an agent sent what is no frame', errorKeys(e))
      return session.close(closeCodes.malformed, e instanceof Error ? e.message : String(e))
    }
    take(frame)
  }
}

/** Why an agent may not come in; undefined if it may. */
function unwelcome(hello: HelloFrame, node: string): string | undefined {
  const { version } = hello
  if (version !== protocolVersion) return `the agent speaks version ${version} of the protocol, the hub ${protocolVersion}`
  if (hello.node !== node) return `the agent says that it is ${hello.node}, its certificate that it is ${node}`
  return undefined
}

/** Text, which no agent sends, becomes bytes that are no frame. */
function bytesOf(data: Buffer | ArrayBuffer | readonly Buffer[], isBinary: boolean): Uint8Array {
  if (!isBinary) return new Uint8Array()
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  return Array.isArray(data) ? Buffer.concat(data) : (data as Buffer)
}

/** A close frame has room for 123 bytes of reason (RFC 6455, 5.5). */
export function clipped(reason: string): string {
  const bytes = new TextEncoder().encode(reason)
  if (bytes.length <= 123) return reason
  // A character that is cut in two is decoded as a replacement character.
  return `${new TextDecoder().decode(bytes.subarray(0, 119)).replace(/\uFFFD$/, '')}…`
}
