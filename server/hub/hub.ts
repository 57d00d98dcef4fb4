/** The agents' side of the hub: who is connected, what each has, and questions to them. */
import type { WebSocket } from 'ws'
import { rfc3339, type Clock } from '../../api/clock.ts'
import { closeCodes, limits, type AckFrame, type HubFrame, type NodeReport, type NodeUsage } from '../../api/frames.ts'
import type { NodeLink } from '../../api/hub.ts'
import type { Log } from '../../api/log.ts'
import { writingAs } from '../registry/writing.ts'
import type { Registry } from '../registry/registry.ts'
import type { Store } from '../store/store.ts'
import { unreachable } from './exchanges.ts'
import { createEncoder } from './encoder.ts'
import { createFanout } from './fanout.ts'
import type { Line } from './outflow.ts'
import type { ReportQueue } from './report-queue.ts'
import { createReports, type Reports } from './reports.ts'
import { openSession, type Session, type SessionBounds, type SessionDeps } from './session.ts'
import type { PodLoad, Sessions } from './sessions.ts'

export interface HubDeps {
  readonly store: Store
  readonly registry: Registry
  readonly log: Log
  readonly clock: Clock
  /** The hub's own, e.g. `0.1.0`. */
  readonly version: string
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
/** A measurement says nothing after this time. */
const usageMs = 30_000
/** What a closing socket may take when the hub stops. */
const closingMs = 2_000

export function createHub(deps: HubDeps): Hub {
  const { store, log, clock, version } = deps
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
    const session = members.get(node)?.session()
    if (!session) throw unreachable(node)
    return session.open(call, signal)
  }

  return {
    accept(socket, node, line) {
      if (closed) return socket.close(closeCodes.leaving, 'the hub is stopping')
      const events: SessionDeps['events'] = {
        greeted: (session) => memberOf(node).enter(session),
        ack: (frame) => memberOf(node).ack(frame),
        report: (report) => memberOf(node).report(report),
        ended(session) {
          sessions.delete(session)
          members.get(node)?.leave(session)
        },
      }
      sessions.add(openSession(socket, node, { store, fanout, encoder, clock, log, version, bounds: { ...bounds, line }, events }))
    },
    nodes: () => [...members.values()].map((m) => m.link()).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
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

/** What the hub knows of one agent, across its sessions. */
interface Member {
  enter(session: Session): void
  leave(session: Session): void
  session(): Session | undefined
  ack(frame: AckFrame): void
  report(report: NodeReport): void
  link(): NodeLink
  usage(): NodeUsage | undefined
  podLoad(): PodLoad | undefined
  idle(): Promise<void>
}

interface MemberDeps {
  readonly reports: Reports
  readonly clock: Clock
  readonly log: Log
}

function createMember(node: string, { reports, clock, log }: MemberDeps): Member {
  let session: Session | undefined
  let since = clock.now()
  let last: Omit<AckFrame, 'kind'> = { received: 0, applied: 0 }
  let measured: { readonly usage: NodeUsage; readonly at: number } | undefined
  let load: PodLoad | undefined
  const queue: ReportQueue = reports.of(node, (reason) => session?.close(closeCodes.refused, reason))

  const isFresh = ({ at }: { readonly at: number }): boolean => at + usageMs >= clock.now()
  const usage = (): NodeUsage | undefined => (measured && isFresh(measured) ? measured.usage : undefined)
  return {
    enter(newer) {
      session?.close(closeCodes.replaced, 'a newer session of this node took its place')
      session = newer
      since = clock.now()
    },
    leave(which) {
      if (session !== which) return
      session = undefined
      since = clock.now()
    },
    session: () => session,
    ack({ received, applied, failed }) {
      if (failed?.code !== last.failed?.code || failed?.message !== last.failed?.message) {
        if (failed) log.warn('the kernel of a node refuses its rules', { received, applied, failed })
        else log.info('the kernel of a node accepts its rules again', { received, applied })
      }
      last = { received, applied, ...(failed && { failed }) }
    },
    report(report) {
      if (report.kind === 'usage') measured = { usage: report.usage, at: clock.now() }
      else if (report.kind === 'podUsage') load = { at: clock.now(), windowMs: report.windowMs, pods: report.pods }
      else queue.add(report)
    },
    link() {
      const used = usage()
      return { name: node, connected: session !== undefined, since: rfc3339(since), ...last, ...(used && { usage: used }) }
    },
    usage,
    podLoad: () => (load && isFresh(load) ? load : undefined),
    idle: () => queue.idle(),
  }
}

/** Waits no longer than that. */
async function withDeadline(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const cancel = clock.after(ms, resolve)
  await Promise.race([work, promise])
  cancel()
}
