/** What nodes report becomes objects, through the registry; of one node in its order. */
import type { Clock } from '../../api/clock.ts'
import { isWherryError } from '../../api/errors.ts'
import type { NodeReport } from '../../api/frames.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import { StatusError } from '../../api/status.ts'
import type { Registry } from '../registry/registry.ts'
import type { Store } from '../store/store.ts'
import { createEventKeeper } from './event-report.ts'
import { createNodeKeeper } from './node-report.ts'
import { keepPod } from './pod-report.ts'
import { createReportQueue, type ReportQueue } from './report-queue.ts'

export interface ReportsDeps {
  readonly store: Store
  readonly registry: Registry
  readonly clock: Clock
  readonly log: Log
}

export interface Reports {
  /** @param refused called when the hub does not want this node, with the reason */
  of(node: string, refused: (reason: string) => void): ReportQueue
}

export function createReports(deps: ReportsDeps): Reports {
  const nodes = createNodeKeeper(deps)
  const events = createEventKeeper(deps)

  const keep = (node: string, report: NodeReport): Promise<void> => {
    switch (report.kind) {
      case 'node':
        return nodes.node(node, report)
      case 'lease':
        return nodes.lease(node)
      case 'pod':
      case 'podGone':
        return keepPod(deps, node, report)
      case 'event':
        return events.keep(node, report.event)
      case 'usage':
      case 'podUsage':
        // Never stored: the hub keeps the last one in memory.
        return Promise.resolve()
    }
  }

  const refuse = async (node: string, reason: string): Promise<void> => {
    const about = { kind: 'Node', name: node, uid: '' } as const
    await events.keep(node, { type: 'Warning', reason: 'AgentRefused', message: reason, about })
  }

  return {
    of(node, refused) {
      const log = deps.log.with({ node })
      const queue = createReportQueue({
        log,
        async keep(report) {
          try {
            await keep(node, report)
          } catch (e) {
            const level = isExpected(e, report) ? 'debug' : 'warn'
            log[level]('a report of a node was not kept', { report: report.kind, ...keysOf(e) })
            if (!isWherryError(e, 'LINK_REFUSED')) return
            queue.clear()
            refused(e.message)
            await refuse(node, e.message).catch((why: unknown) => log.warn('an event was not recorded', keysOf(why)))
          }
        },
      })
      return queue
    },
  }
}

/** A pod, or the namespace of an event, may be gone when the node still tells of it. */
function isExpected(e: unknown, report: NodeReport): boolean {
  if (!(e instanceof StatusError) || e.status.reason === undefined) return false
  if (report.kind === 'event') return ['NotFound', 'Forbidden'].includes(e.status.reason)
  return (report.kind === 'pod' || report.kind === 'podGone') && ['NotFound', 'Conflict'].includes(e.status.reason)
}

const keysOf = (e: unknown) => ({ ...errorKeys(e), ...(e instanceof StatusError && { reason: e.status.reason }) })
