/** What the hub knows of one agent, across its connections: its session, side links, how far it is, and what it measured. */
import { rfc3339, type Clock } from '../../api/clock.ts'
import { closeCodes, type AckFrame, type NodeReport, type NodeUsage } from '../../api/frames.ts'
import type { NodeLink } from '../../api/hub.ts'
import type { Log } from '../../api/log.ts'
import type { ReportQueue } from './report-queue.ts'
import type { Reports } from './reports.ts'
import type { Session } from './session.ts'
import type { PodLoad } from './sessions.ts'

export interface Member {
  /** The node's session is with this hub from now on; an older one ends. */
  enter(session: Session): void
  /** A side link, beside the session that the node has with another hub. */
  enterAside(side: Session): void
  leave(which: Session): void
  /** A call has ended: side links that are not needed may go. */
  tidy(): void
  /** Where to ask the node; undefined where it is not connected. */
  reachable(): Session | undefined
  ack(frame: AckFrame): void
  report(report: NodeReport): void
  /** Undefined for a node that never had its session here, and has no side link either. */
  link(): NodeLink | undefined
  usage(): NodeUsage | undefined
  podLoad(): PodLoad | undefined
  idle(): Promise<void>
}

export interface MemberDeps {
  readonly reports: Reports
  readonly clock: Clock
  readonly log: Log
}

/** A measurement says nothing after this time. */
const usageMs = 30_000

export function createMember(node: string, { reports, clock, log }: MemberDeps): Member {
  let session: Session | undefined
  let wasHere = false
  /** The newest is the last. There is more than one while an older one is still busy. */
  let sides: readonly Session[] = []
  let since = clock.now()
  let last: Omit<AckFrame, 'kind'> = { received: 0, applied: 0 }
  let measured: { readonly usage: NodeUsage; readonly at: number } | undefined
  let load: PodLoad | undefined
  const queue: ReportQueue = reports.of(node, (reason) => session?.close(closeCodes.refused, reason))

  const isFresh = ({ at }: { readonly at: number }): boolean => at + usageMs >= clock.now()
  const usage = (): NodeUsage | undefined => (measured && isFresh(measured) ? measured.usage : undefined)
  const reachable = (): Session | undefined => session ?? sides.at(-1)
  /** Only the hub begins calls, so only the hub can end a connection without cutting one off that has just begun. */
  const tidy = (): void => {
    const kept = reachable()
    for (const side of sides) if (side !== kept && side.isIdle()) side.close(closeCodes.needless, 'the hub has another connection to this node')
  }
  return {
    enter(newer) {
      session?.close(closeCodes.replaced, 'a newer session of this node took its place')
      session = newer
      wasHere = true
      since = clock.now()
      tidy()
    },
    enterAside(side) {
      sides = [...sides, side]
    },
    leave(which) {
      sides = sides.filter((side) => side !== which)
      if (session !== which) return
      session = undefined
      since = clock.now()
    },
    tidy,
    reachable,
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
      const isAside = !session && sides.length > 0
      if (!wasHere && !isAside) return undefined
      const used = usage()
      // Whether its kernel still refuses, the hub of its session knows.
      const known = isAside ? { aside: true as const, received: last.received, applied: last.applied } : last
      return { name: node, connected: session !== undefined, since: rfc3339(since), ...known, ...(used && { usage: used }) }
    },
    usage,
    podLoad: () => (load && isFresh(load) ? load : undefined),
    idle: () => queue.idle(),
  }
}
