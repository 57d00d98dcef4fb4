/**
 * Containers with a terminal. `ctr run` gives one only where it has one itself, so such a container is made by
 * `ctr containers create`, completed, and started through containerd's own API.
 */
import type { Containers, OciSpec } from './containers.ts'
import { createArgs, type RunSurroundings } from './ctr-args.ts'
import * as output from './ctr-output.ts'
import { RuntimeError } from './error.ts'
import { GrpcError } from './grpc.ts'
import type { ContainerSpec } from './runtime.ts'
import type { Tasks } from './tasks.ts'

export interface TerminalsDeps {
  readonly containers: Containers
  readonly tasks: Tasks
  /** Runs `ctr` with these arguments. @throws RuntimeError CONTAINER_CREATE */
  readonly make: (args: readonly string[]) => Promise<void>
  readonly signal: AbortSignal
}

export interface TerminalSurroundings extends RunSurroundings {
  /** Path of the named pipe that is its stdin; undefined for none. */
  readonly stdin?: string
}

/** Creates and starts a container with a terminal. What a failure leaves is the caller's to remove. @throws RuntimeError CONTAINER_CREATE */
export async function runWithTerminal(spec: ContainerSpec, around: TerminalSurroundings, { containers, tasks, make, signal }: TerminalsDeps): Promise<void> {
  await make(['containers', 'create', ...createArgs(spec, around)])
  try {
    const kept = await containers.get(spec.id, signal)
    await containers.setSpec(spec.id, completed(kept.spec, spec), signal)
    const { stdin, runcRoot, logUri } = around
    await tasks.create({ container: spec.id, mounts: await containers.mounts(kept, signal), stdin, output: logUri, runcRoot }, signal)
    await tasks.start({ container: spec.id }, signal)
  } catch (e) {
    if (!(e instanceof GrpcError)) throw e
    throw new RuntimeError('CONTAINER_CREATE', output.lastWords(e.message), { cause: e })
  }
}

/** With what `ctr containers create` has no flags for. */
function completed(spec: OciSpec, { cgroup, cpuShares }: ContainerSpec): OciSpec {
  const { resources } = spec.linux ?? {}
  const cpu = { ...resources?.cpu, ...(cpuShares && { shares: cpuShares }) }
  return { ...spec, linux: { ...spec.linux, cgroupsPath: cgroup, resources: { ...resources, cpu } } }
}
