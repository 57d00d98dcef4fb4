/** The supervisor's hands: real processes, records, cgroups and the listening socket. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Clock, sleep } from '../../api/clock.ts'
import type { Log } from '../../api/log.ts'
import type { Exec } from '../exec.ts'
import { type CgroupLayout, enterGroup, parseLayout, planCgroup, takeCgroupSteps } from './cgroups.ts'
import { type Charge, type ChildSpec, readCharge } from './children.ts'
import { createListener, type Listener } from './listener.ts'
import { createProcesses, endProcess, type Identity, type Processes } from './process.ts'
import { createRecords, type ProcessRecord, type Records } from './records.ts'
import { type Farewell, type Running, supervise, type SupervisorDeps } from './supervisor.ts'

export interface SuperviseDeps {
  readonly exec: Exec
  readonly clock: Clock
  readonly log: Log
}

export const supervisorName = 'supervisor'

export function recordsOf(runDir: string): Records {
  return createRecords(join(runDir, 'processes'))
}

/** Runs the supervisor of the lab whose charge lies in `runDir`, until `farewell`. Does nothing if one runs already. */
export async function superviseLab(runDir: string, deps: SuperviseDeps, farewell: Promise<Farewell>): Promise<void> {
  const charge = readCharge(runDir)
  const processes = createProcesses()
  const records = recordsOf(runDir)
  const other = records.read(supervisorName)
  if (other && other.pid !== process.pid && processes.isAlive(other))
    return deps.log.warn('a supervisor runs already', { pid: other.pid })
  // Whoever reads the record may count on us: that a hub's end closes nothing.
  const hands = createHands(charge, { ...deps, processes, records })
  records.write({ ...self(processes), name: supervisorName, argv: process.argv })
  try {
    await supervise(charge.children, hands, farewell)
  } finally {
    if (records.read(supervisorName)?.pid === process.pid) records.drop(supervisorName)
  }
}

interface HandsDeps extends SuperviseDeps {
  readonly processes: Processes
  readonly records: Records
}

function createHands(charge: Charge, deps: HandsDeps): SupervisorDeps {
  const { clock, log, processes, records } = deps
  const layout = parseLayout(readFileSync('/proc/self/mountinfo', 'utf8'))
  const listener = createListener(charge.port)
  const alive = (child: ChildSpec): ProcessRecord | undefined => {
    const record = records.read(child.name)
    return record && processes.isAlive(record) ? record : undefined
  }
  for (const child of charge.children) {
    const record = child.listens ? alive(child) : undefined
    if (record) listener.takeFrom(record.pid)
  }
  return {
    clock,
    log,
    exists: existsSync,
    launch: (child) => launch(child, { ...deps, layout, listener }),
    adopt(child, signal) {
      const record = alive(child)
      return record && { identity: record, ended: watch(record, processes, clock, signal) }
    },
    async end(child, running) {
      const how = await endProcess(running.identity, {
        processes,
        clock,
        signal: AbortSignal.timeout(child.graceMs + 10_000),
        graceMs: child.graceMs,
      })
      if (how === 'kill') log.warn('child had to be killed', { child: child.name, graceMs: child.graceMs })
      records.drop(child.name)
    },
  }
}

async function launch(child: ChildSpec, deps: HandsDeps & { layout: CgroupLayout; listener: Listener }): Promise<Running> {
  mkdirSync(dirname(child.log), { recursive: true, mode: 0o700 })
  // The group is `.../system`; its parent is the node's.
  takeCgroupSteps(planCgroup(deps.layout, dirname(child.cgroup)))
  const descriptor = child.listens ? deps.listener.descriptor() : undefined
  const started = await deps.exec.detach(child.argv, { log: child.log, ...(descriptor !== undefined && { descriptor }) })
  const identity = deps.processes.identify(started.pid)
  if (!identity) return { identity: { pid: started.pid, startTicks: 0, boot: '' }, ended: started.ended }
  deps.records.write({ ...identity, name: child.name, argv: child.argv })
  try {
    enterGroup(deps.layout, child.cgroup, started.pid)
  } catch (error) {
    // It may have ended in this very moment; then there is nothing to put anywhere.
    if (deps.processes.isAlive(identity)) throw error
  }
  return { identity, ended: started.ended }
}

/** Somebody else's child sends us no signal when it ends, so we look. */
async function watch(identity: Identity, processes: Processes, clock: Clock, signal: AbortSignal): Promise<string> {
  try {
    while (processes.isAlive(identity)) await sleep(clock, 200, signal)
    return 'gone'
  } catch {
    return 'not watched any more'
  }
}

function self(processes: Processes): Identity {
  return processes.identify(process.pid) ?? { pid: process.pid, startTicks: 0, boot: '' }
}
