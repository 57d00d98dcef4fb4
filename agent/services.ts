/** The service half of the agent: frames of the hub to rules in the kernel, connection tracking after them, acks back. */
import type { Clock } from '../api/clock.ts'
import type { AckFrame } from '../api/frames.ts'
import { errorKeys, type Log } from '../api/log.ts'
import type { Family, NodeConfig } from '../rules/model.ts'
import type { Conntrack } from './kernel/conntrack.ts'
import type { Kernel } from './kernel/kernel.ts'
import type { Batch, Tables } from './state/tables.ts'
import { createViewBuilder } from './state/view.ts'
import { createSyncLoop } from './sync/loop.ts'
import { createUdpServices } from './sync/udp.ts'

export interface ServicesDeps {
  readonly node: string
  readonly family: Family
  readonly tables: Tables
  readonly kernel: Kernel
  readonly conntrack: Conntrack
  readonly serviceCIDR: string
  readonly config: NodeConfig
  readonly onAck: (ack: AckFrame) => void
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
}

export interface Services {
  /** Takes what a `sync` of the hub completed. */
  take(batch: Batch): void
  /** Runs until the signal aborts; the rules stay in the kernel. */
  run(signal: AbortSignal): Promise<void>
}

/** How often the kernel is read back although nothing failed, to find what other hands changed. */
const auditMs = 10 * 60_000

export function createServices(deps: ServicesDeps): Services {
  const { tables, clock, log } = deps
  const views = createViewBuilder(deps)
  const udp = createUdpServices(deps.serviceCIDR)
  const sweep = createSweep(deps, udp.expected)
  const received = (): number => tables.revision() ?? 0
  const loop = createSyncLoop({
    ...deps,
    wish: () => ({ view: views.view(deps.config), revision: received() }),
    onProgress: ({ applied, failed }) => deps.onAck({ kind: 'ack', received: received(), applied, ...(failed && { failed }) }),
    onApplied({ view, changed }) {
      if (udp.take(view, changed)) sweep.wake()
    },
  })
  return {
    take(batch) {
      if (batch.first) log.info('first sync', { revision: batch.revision, objects: batch.changes.length })
      loop.wake(views.take(batch))
    },
    async run(signal) {
      let cancel = (): void => {}
      const audit = (): void => {
        cancel = clock.after(auditMs, () => {
          loop.audit()
          audit()
        })
      }
      audit()
      await Promise.all([loop.run(signal), sweep.run(signal)])
      cancel()
    },
  }
}

/** One look at the connection tracking table at a time; wishes that come meanwhile make one more. */
function createSweep({ conntrack, log }: ServicesDeps, expected: Parameters<Conntrack['reconcile']>[0]) {
  let wanted = false
  let ring: (() => void) | undefined
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
          if (deleted > 0) log.info('stale UDP flows were ended', { deleted })
        } catch (e) {
          if (!signal.aborted) log.warn('connection tracking could not be looked at', errorKeys(e))
        }
      }
    },
  }
}
