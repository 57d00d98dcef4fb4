/** The reports of one node on their way to the store: one after the other, and never more than a bounded number. */
import type { NodeReport } from '../../api/frames.ts'
import type { Log } from '../../api/log.ts'

export interface ReportQueue {
  add(report: NodeReport): void
  /** Forgets what waits. */
  clear(): void
  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void>
}

export interface ReportQueueDeps {
  /** Keeps one report; must not reject. */
  readonly keep: (report: NodeReport) => Promise<void>
  readonly log: Log
  readonly bound?: number
}

const waitingReports = 2_000

/**
 * A newer report of the same thing takes the place of one that waits. Over the bound the oldest event goes first, then the
 * oldest of all; how many went is logged when the queue has run empty.
 */
export function createReportQueue({ keep, log, bound = waitingReports }: ReportQueueDeps): ReportQueue {
  const waiting = new Map<string, NodeReport>()
  let running: Promise<void> | undefined
  let events = 0
  let dropped = 0

  const run = async (): Promise<void> => {
    for (;;) {
      const next = waiting.entries().next()
      if (next.done) break
      const [key, report] = next.value
      waiting.delete(key)
      await keep(report)
    }
    running = undefined
    if (dropped > 0) log.warn('reports of a node came too fast and were dropped', { dropped })
    dropped = 0
  }
  const drop = (): void => {
    const keys = [...waiting.keys()]
    waiting.delete(keys.find((key) => key.startsWith('event ')) ?? keys[0]!)
    dropped++
  }

  return {
    add(report) {
      const key = aboutWhat(report) ?? `event ${++events}`
      waiting.set(key, report)
      if (waiting.size > bound) drop()
      running ??= run()
    },
    clear: () => waiting.clear(),
    async idle() {
      while (running) await running
    },
  }
}

/** Undefined for an event: each is a fact of its own. */
function aboutWhat(report: NodeReport): string | undefined {
  switch (report.kind) {
    case 'node':
    case 'usage':
    case 'podUsage':
    case 'lease':
      return report.kind
    case 'pod':
    case 'podGone':
      return `${report.kind} ${report.key} ${report.uid}`
    case 'event':
      return undefined
  }
}
