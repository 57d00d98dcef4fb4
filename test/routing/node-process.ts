/**
 * The service half of an agent, wired as in production, for one mode; runs in the network namespace of node1. It takes JSON
 * lines: frames of a hub, another configuration, the end; it says how far it is when it has begun, and after each pass and each look at
 * connection tracking. usage: node-process.ts MODE [FAULT]
 */
import { createInterface } from 'node:readline'
import { createConntrack, type Conntrack } from '../../agent/kernel/flows/conntrack.ts'
import { createFlowTable } from '../../agent/kernel/flows/table.ts'
import { createExec } from '../../agent/kernel/exec.ts'
import { openMode } from '../../agent/modes.ts'
import { createServices } from '../../agent/services.ts'
import { createTables } from '../../agent/state/tables.ts'
import type { Dataplane } from '../../agent/sync/dataplane.ts'
import { systemClock } from '../../api/clock.ts'
import type { StreamFrame } from '../../api/frames.ts'
import { createLog } from '../../api/log.ts'
import type { ModeName } from '../../rules/mode.ts'
import type { Family, NodeConfig } from '../../rules/model.ts'
import { configOf } from './addresses.ts'
import { faults, type Fault } from './faults.ts'

export type Order =
  | { readonly kind: 'frames'; readonly frames: readonly StreamFrame[] }
  | { readonly kind: 'configure'; readonly family: Family; readonly config: NodeConfig }
  /** Takes all rules away and ends. */
  | { readonly kind: 'clean-up' }
  | { readonly kind: 'stop' }

/** What the process says: the revision that all lanes have, and how often a pass was made. */
export interface Told {
  readonly applied: number
  readonly passes: number
  /** Connection tracking is being looked at, or about to be. */
  readonly busy: boolean
  readonly failed?: string
}

const families = ['ip', 'ip6'] as const
const [, , mode, faultName] = process.argv as [string, string, ModeName, string?]
const fault: Fault = faultName === undefined ? { rows: '' } : faults[faultName]!
const log = createLog({ level: 'info', write: (line) => process.stderr.write(line), now: Date.now }, {})
const exec = createExec(log)
const stop = new AbortController()
const tables = createTables()
let [applied, passes, looks] = [0, 0, 0]
let failed: string | undefined
/** Whoever was woken by what just happened has begun by then. */
const say = (): void =>
  void setImmediate(() => process.stdout.write(`${JSON.stringify({ applied, passes, busy: looks > 0, ...(failed !== undefined && { failed }) } satisfies Told)}\n`))

function watched(inner: Conntrack): Conntrack {
  return {
    async reconcile(expected, signal) {
      looks++
      try {
        return await inner.reconcile(fault.flows?.(expected) ?? expected, signal)
      } finally {
        looks--
        say()
      }
    },
  }
}

function sabotaged(inner: Dataplane): Dataplane {
  return {
    ...inner,
    async bring(view, changed, signal) {
      const plan = await inner.bring(fault.view?.(view, inner.family) ?? view, fault.view ? 'all' : changed, signal)
      const [command, ...args] = fault.spoils ?? []
      if (command !== undefined) await exec.run({ command, args }, signal)
      return plan
    },
    watch: (tell, signal) => inner.watch(fault.blind ? () => {} : tell, signal),
    remove: (signal) => (fault.leavesRules ? Promise.resolve() : inner.remove(signal)),
  }
}

const dataplanes = await Promise.all(families.map((family) => openMode(mode, { family, exec, log, clock: systemClock, door: 'auto' }, stop.signal)))
const services = createServices({
  node: 'node1',
  tables,
  lanes: dataplanes.map((dataplane) => ({
    dataplane: sabotaged(dataplane),
    conntrack: watched(createConntrack({ table: createFlowTable({ exec, family: dataplane.family }), log })),
    config: configOf(dataplane.family),
  })),
  onAck(ack) {
    applied = ack.applied
    failed = ack.failed?.message
    passes++
    say()
  },
  clock: systemClock,
  random: Math.random,
  log,
})
const running = services.run(stop.signal)
say()

async function end(cleanUp: boolean): Promise<never> {
  stop.abort()
  await running
  for (const dataplane of dataplanes) {
    if (cleanUp || fault.takesAlong) await sabotaged(dataplane).remove(AbortSignal.timeout(20_000))
    dataplane.close()
  }
  process.exit(0)
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order
  if (order.kind === 'configure') services.configure(order.family, order.config)
  else if (order.kind === 'frames') {
    for (const frame of order.frames) {
      const batch = tables.take(frame)
      if (batch) services.take(batch)
    }
  } else await end(order.kind === 'clean-up')
}
await end(false)
