/** The agents' side of the hub: who is connected, what each has, and questions to them. */
import type { WebSocket } from 'ws'
import type { Clock } from '../../api/clock.ts'
import { closeCodes, limits, type HubFrame } from '../../api/frames.ts'
import type { Log } from '../../api/log.ts'
import { writingAs } from '../registry/writing.ts'
import type { Registry } from '../registry/registry.ts'
import type { Store } from '../store/store.ts'
import { unreachable } from './exchanges.ts'
import { createEncoder } from './encoder.ts'
import { createFanout } from './fanout.ts'
import { createMember, type Member } from './member.ts'
import type { Line } from './outflow.ts'
import { createReports } from './reports.ts'
import { openSession, type Session, type SessionBounds, type SessionDeps } from './session.ts'
import type { Sessions } from './sessions.ts'

export interface HubDeps {
  readonly store: Store
  readonly registry: Registry
  readonly log: Log
  readonly clock: Clock
  /** The hub's own, e.g. `0.1.0`. */
  readonly version: string
  /** Tells it from the other hubs on its store, as `welcome.hub`; absent where there can be none. */
  readonly name?: string | undefined
  readonly bounds?: Partial<SessionBounds>
  /** How frames become bytes; the codec, unless a test counts. */
  readonly encode?: (frame: HubFrame) => Uint8Array
}

export interface Hub extends Sessions {
  /** Takes the WebSocket of an agent whose certificate has this name. `line` is the connection under it. */
  accept(socket: WebSocket, node: string, line?: Line): void
  /** Sends the agents away, and resolves when their sockets are closed and their reports kept. */
  close(): Promise<void>
}

const defaults: SessionBounds = { pingMs: limits.pingMs, queueBytes: limits.queueBytes, helloMs: 10_000 }
/** What a closing socket may take when the hub stops. */
const closingMs = 2_000

export function createHub(deps: HubDeps): Hub {
  const { store, log, clock, version, name } = deps
  const encoder = createEncoder({ clock, log, ...(deps.encode && { toBytes: deps.encode }) })
  const fanout = createFanout(store, encoder)
  const reports = createReports({ ...deps, registry: writingAs(deps.registry, 'wherry-agent') })
  const bounds = { ...defaults, ...deps.bounds }
  const members = new Map<string, Member>()
  /** Every session that has not ended, greeted or not. */
  const sessions = new Set<Session>()
  let closed = false

  const memberOf = (node: string): Member => {
    let member = members.get(node)
    if (!member) members.set(node, (member = createMember(node, { reports, clock, log: log.with({ node }) })))
    return member
  }

  const open: Hub['open'] = (node, call, signal) => {
    const session = members.get(node)?.reachable()
    if (!session) throw unreachable(node)
    return session.open(call, signal)
  }

  return {
    accept(socket, node, line) {
      if (closed) return socket.close(closeCodes.leaving, 'the hub is stopping')
      const events: SessionDeps['events'] = {
        greeted: (session) => memberOf(node).enter(session),
        greetedAside: (session) => memberOf(node).enterAside(session),
        ack: (frame) => memberOf(node).ack(frame),
        report: (report) => memberOf(node).report(report),
        idle: () => members.get(node)?.tidy(),
        ended(session) {
          sessions.delete(session)
          members.get(node)?.leave(session)
        },
      }
      sessions.add(openSession(socket, node, { store, fanout, encoder, clock, log, version, name, bounds: { ...bounds, line }, events }))
    },
    nodes: () => [...members.values()].flatMap((m) => m.link() ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    usage: (node) => members.get(node)?.usage(),
    podLoad: (node) => members.get(node)?.podLoad(),
    open,
    async *call(node, call, signal) {
      for await (const part of open(node, call, signal).parts) if (part.kind !== 'exit') yield part.bytes
    },
    async close() {
      closed = true
      fanout.close()
      encoder.close()
      const leaving = [...sessions]
      for (const session of leaving) session.close(closeCodes.leaving, 'the hub is stopping')
      const kept = [...members.values()].map((member) => member.idle())
      await withDeadline(clock, closingMs, Promise.all([...leaving.map((session) => session.gone), ...kept]))
    },
  }
}

/** Waits no longer than that. */
async function withDeadline(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const cancel = clock.after(ms, resolve)
  await Promise.race([work, promise])
  cancel()
}
