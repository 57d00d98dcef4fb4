/**
 * Half an agent, until it is killed: starts a container, attaches to it, says a line to it, and prints what it hears. Its one
 * argument says all of it in JSON.
 */
import { argv, execPath } from 'node:process'
import { writeSync } from 'node:fs'
import { createInbox, type CallInput } from '../../api/call-flow.ts'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { createExec } from '../../agent/kernel/exec.ts'
import { goArchitecture } from '../../agent/metrics/node-facts.ts'
import { createCtrRuntime } from '../../agent/pods/runtime/ctr.ts'
import type { ContainerSpec } from '../../agent/pods/runtime/runtime.ts'

export interface AttachedPlan {
  readonly address: string
  readonly namespace: string
  readonly stateDir: string
  readonly runcRoot: string
  readonly spec: ContainerSpec
  readonly line: string
}

const { spec, line, ...where } = JSON.parse(argv[2] ?? '') as AttachedPlan
const runtime = createCtrRuntime({ ...where, exec: createExec(silentLog), clock: systemClock, log: silentLog, node: execPath, architecture: goArchitecture() })
const signal = AbortSignal.timeout(60_000)
// The connection to containerd keeps nobody awake.
setInterval(() => {}, 60_000)
await runtime.run(spec, signal)
const input = createInbox<CallInput>({ give: () => {}, room: Infinity })
input.put({ kind: 'bytes', bytes: Buffer.from(line) }, 0)
for await (const part of runtime.attach(spec, input, signal)) if (part.kind !== 'exit') writeSync(1, part.bytes)
