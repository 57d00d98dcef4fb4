/**
 * The service half of the agent: frames of the hub, or of an API server, to rules in the kernel; connection tracking after
 * them, acks back. One lane for each IP family, which have nothing to do with each other but the objects that they read.
 */
import { sleep, type Clock } from '../api/clock.ts'
import type { AckFrame } from '../api/frames.ts'
import { errorKeys, type Log } from '../api/log.ts'
import type { Family, NodeConfig, Problem, ServiceKey } from '../rules/model.ts'
import type { Conntrack } from './kernel/flows/conntrack.ts'
import { createTallies, type HealthCheck, type Unserved } from './state/tallies.ts'
import type { Batch, Tables } from './state/tables.ts'
import { createViewBuilder } from './state/view.ts'
import type { Dataplane } from './sync/dataplane.ts'
import { createFlows } from './sync/flows.ts'
import { createSyncLoop, type Pass, type PassKind } from './sync/loop.ts'

/** What serves one IP family. */
export interface LaneDeps {
  readonly dataplane: Dataplane
  readonly conntrack: Conntrack
  readonly config: NodeConfig
  /** Where it is known: ranges of which every address is a virtual IP, also one of a service that went while nobody looked. */
  readonly virtualRanges?: readonly string[]
}

export interface ServicesDeps {
  readonly node: string
  readonly tables: Tables
  /** At least one, each of another family. */
  readonly lanes: readonly LaneDeps[]
  readonly onAck: (ack: AckFrame) => void
  /** What somebody should know who looks at the service; each once, until it was gone. */
  readonly onProblem?: (problem: Problem) => void
  /** After each pass. @param triggers when the changes happened that it brought, ms since 1970 */
  readonly onPass?: (pass: Pass, triggers: readonly number[]) => void
  /** After a pass that failed. */
  readonly onFailure?: (pass: PassKind) => void
  /** Something is to be brought to the kernel. */
  readonly onQueued?: (batch: Batch) => void
  /** Services for which load balancers ask, whenever one of them changes. */
  readonly onHealthChecks?: (checks: readonly HealthCheck[]) => void
  /** Service ports whose policy leaves them without an endpoint here, whenever their number changes. */
  readonly onUnserved?: (unserved: Unserved) => void
  readonly onFlowsDeleted?: (count: number) => void
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
}

export interface Services {
  /** Takes what a `sync` completed. */
  take(batch: Batch): void
  /** The node's own circumstances are others now: its addresses, its pod ranges. */
  configure(family: Dataplane['family'], config: NodeConfig): void
  /** Runs until the signal aborts; the rules stay in the kernel. */
  run(signal: AbortSignal): Promise<void>
}

/** How often the kernel is read back although nothing happened, to find what other hands changed unseen. */
const auditMs = 10 * 60_000

export function createServices(deps: ServicesDeps): Services {
  const { tables, log } = deps
  const report = createProblemReport(deps)
  const tallies = createTallies()
  /** What the lanes say, put together: the slowest counts. */
  const applied = deps.lanes.map(() => 0)
  const acknowledge = (lane: number, revision: number, failed: AckFrame['failed']): void => {
    applied[lane] = revision
    deps.onAck({ kind: 'ack', received: tables.revision() ?? 0, applied: Math.min(...applied), ...(failed && { failed }) })
  }
  const lanes = deps.lanes.map((lane, i) => createLane(deps, lane, { report, acknowledge: (revision, failed) => acknowledge(i, revision, failed) }))
  return {
    take(batch) {
      if (batch.first) log.info('first sync', { revision: batch.revision, objects: batch.changes.length })
      deps.onQueued?.(batch)
      for (const lane of lanes) {
        const { services, view } = lane.take(batch)
        tallies.take(lane.family, services, view.services)
      }
      const told = tallies.changes()
      if (told.healthChecks) deps.onHealthChecks?.(told.healthChecks)
      if (told.unserved) deps.onUnserved?.(told.unserved)
    },
    configure(family, config) {
      for (const lane of lanes) if (lane.family === family) lane.configure(config)
    },
    async run(signal) {
      await Promise.all(lanes.map((lane) => lane.run(signal)))
    },
  }
}

interface LaneParts {
  readonly report: ReturnType<typeof createProblemReport>
  readonly acknowledge: (revision: number, failed: AckFrame['failed']) => void
}

function createLane(deps: ServicesDeps, { dataplane, conntrack, config: initial, virtualRanges }: LaneDeps, { report, acknowledge }: LaneParts) {
  const { tables, clock, log } = deps
  const { family } = dataplane
  const views = createViewBuilder({ node: deps.node, family })
  const flows = createFlows({ family, virtualRanges })
  const sweep = createSweep(conntrack, flows.expected, deps)
  let config = initial
  let triggers: number[] = []
  const loop = createSyncLoop({
    dataplane,
    clock,
    random: deps.random,
    log,
    wish: () => ({ view: views.view(config), revision: tables.revision() ?? 0 }),
    onProgress({ applied, failed, pass }) {
      if (pass) deps.onFailure?.(pass)
      acknowledge(applied, failed)
    },
    onApplied(pass) {
      if (flows.take(pass.view, pass.changed)) sweep.wake()
      report.take(family, pass)
      deps.onPass?.(pass, triggers)
      triggers = []
    },
  })
  return {
    family,
    take(batch: Batch) {
      const changes = views.take(batch)
      report.objects(changes.problems)
      triggers.push(...changes.triggers)
      loop.wake(changes.services)
      return { services: changes.services, view: views.view(config) }
    },
    configure(next: NodeConfig): void {
      config = next
      // Before the first sync the loop sleeps; it will ask for the configuration then.
      if (tables.revision() !== undefined) loop.wake('all')
    },
    async run(signal: AbortSignal): Promise<void> {
      if (tables.revision() === undefined) dataplane.prepare(signal)
      let cancel = (): void => {}
      const audit = (): void => {
        cancel = clock.after(auditMs, () => {
          loop.audit()
          audit()
        })
      }
      audit()
      const watching = dataplane.watch((change) => {
        log.warn('somebody else changed our rules; they are being put back', { family, change: change.what, ...change.by })
        loop.audit()
      }, signal)
      await Promise.all([loop.run(signal), sweep.run(signal), watching, dataplane.note(signal)])
      cancel()
    },
  }
}

/** Says what cannot be served, once for each service until it was in order. */
function createProblemReport({ log, onProblem }: ServicesDeps) {
  /** By family and service, what was told and is still wrong. */
  const known = new Map<Family, Map<ServiceKey, ReadonlySet<string>>>([['ip', new Map()], ['ip6', new Map()]])
  const tell = (problem: Problem): void => {
    log.warn('part of a service cannot be served', { ...problem })
    onProblem?.(problem)
  }
  return {
    objects(problems: readonly Problem[]): void {
      for (const problem of problems) tell(problem)
    },
    take(family: Family, { plan, changed }: Pass): void {
      const mine = known.get(family)!
      // The node's own configuration has no name.
      const found = Map.groupBy(plan.problems, ({ service = '' }) => service)
      for (const service of new Set([...found.keys(), ...(changed === 'all' ? mine.keys() : changed)])) {
        const before = mine.get(service)
        const now = new Map((found.get(service) ?? []).map((problem) => [`${problem.what} ${problem.value}`, problem]))
        for (const [text, problem] of now) if (!before?.has(text)) tell(problem)
        if (now.size > 0) mine.set(service, new Set(now.keys()))
        else mine.delete(service)
      }
    },
  }
}

/** After a look that failed, so that it is not given up until something changes again. */
const lookAgainMs = { first: 500, longest: 30_000 } as const

/** One look at the connection tracking table at a time; wishes that come meanwhile make one more. */
function createSweep(conntrack: Conntrack, expected: Parameters<Conntrack['reconcile']>[0], { log, clock, onFlowsDeleted }: ServicesDeps) {
  let wanted = false
  let ring: (() => void) | undefined
  let failures = 0
  return {
    wake(): void {
      wanted = true
      ring?.()
    },
    async run(signal: AbortSignal): Promise<void> {
      signal.addEventListener('abort', () => ring?.(), { once: true })
      while (!signal.aborted) {
        if (!wanted) await new Promise<void>((resolve) => (ring = resolve))
        if (signal.aborted) return
        wanted = false
        try {
          const deleted = await conntrack.reconcile(expected, signal)
          failures = 0
          if (deleted > 0) {
            log.info('stale UDP flows were ended', { deleted })
            onFlowsDeleted?.(deleted)
          }
        } catch (e) {
          if (signal.aborted) return
          wanted = true
          const waitMs = Math.min(lookAgainMs.longest, lookAgainMs.first * 2 ** failures++)
          log.warn('connection tracking could not be looked at; trying again', { ...errorKeys(e), failures, waitMs })
          await sleep(clock, waitMs, signal).catch(() => {})
        }
      }
    },
  }
}
