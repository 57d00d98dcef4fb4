/**
 * The real runtime: containerd through its `ctr` program.
 *
 * Invariants:
 * - An exit code is written to the container's record before its task is taken away, or as the very next thing.
 * - A container whose `run` failed is gone, unless it was there before.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { rfc3339, type Clock } from '../../../api/clock.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import type { Exec } from '../../kernel/exec.ts'
import { createCommands } from './commands.ts'
import { loggerUri, runArgs } from './ctr-args.ts'
import { createCtr, type Ctr, type CtrResult } from './ctr-command.ts'
import { followCtrEvents } from './ctr-events.ts'
import { createCtrImages, type CtrImages } from './ctr-images.ts'
import { createCtrList, type CtrList } from './ctr-list.ts'
import * as output from './ctr-output.ts'
import { RuntimeError } from './error.ts'
import { createExits, type Exits } from './exits.ts'
import { createGrpc } from './grpc.ts'
import { createHostNames, type HostNames } from './host-name.ts'
import { follow, livePath } from './live.ts'
import { createRecords } from './records.ts'
import type { ContainerSpec, Runtime } from './runtime.ts'
import { createTasks } from './tasks.ts'

export interface CtrOptions {
  readonly exec: Exec
  readonly clock: Clock
  readonly log: Log
  /** containerd's socket. */
  readonly address: string
  /** containerd's own kind of namespace. */
  readonly namespace?: string
  /** Records of exits and pinned host names; nobody else writes there. */
  readonly stateDir: string
  /**
   * Where runc keeps its containers. It has to be forgotten when the machine goes down, and be no other node's: several
   * containerds on one machine would otherwise meet in one folder. By default a folder of this socket's own below /run.
   */
  readonly runcRoot?: string
  /** What runs `logger.ts`: a program, whose first argument is a script. */
  readonly node: string
  /** As Go names it: amd64, arm64. */
  readonly architecture: string
}

/** The parts that the verbs share. */
interface Parts {
  readonly ctr: Ctr
  readonly images: CtrImages
  readonly containers: CtrList
  readonly exits: Exits
  readonly hostNames: HostNames
}

const runMs = 120_000
/** For tidying up after something failed, even when the caller has gone away. */
const tidyMs = 30_000

export function createCtrRuntime(options: CtrOptions): Runtime {
  const { exec, clock, log, address, namespace = 'wherry', stateDir } = options
  const target = { exec, address, namespace }
  const ctr = createCtr(target)
  const commands = createCommands({ ...options, tasks: createTasks(createGrpc(address, namespace)), dir: join(stateDir, 'exec') })
  const exits = createExits(createRecords(join(stateDir, 'records')))
  const parts: Parts = {
    ctr,
    exits,
    images: createCtrImages(ctr, options.architecture),
    containers: createCtrList({ ctr, exits, clock, log }),
    hostNames: createHostNames(exec, join(stateDir, 'uts')),
  }
  return {
    run: (spec, signal) => run(spec, { ...parts, options }, signal),
    remove: (id, signal) => remove(id, parts, signal),
    attach: (id, signal) => follow(livePath(stateDir, id), signal),
    exec: (spec, input, signal) => commands.run(spec, input, signal),
    list: (signal) => parts.containers.list(signal),
    hasImage: (image, signal) => parts.images.has(image, signal),
    pullImage: (image, signal) => parts.images.pull(image, signal),
    async version(signal) {
      return `containerd://${output.parseServerVersion(await ctr.ok(['version'], signal)) ?? 'unknown'}`
    },
    async kill(id, posixSignal, signal) {
      const sent = await ctr(['tasks', 'kill', '--signal', posixSignal, id], signal)
      expectDone(sent, `${posixSignal} could not be sent to ${id}`)
    },
    watch(onChange) {
      return followCtrEvents({
        ...target,
        clock,
        log,
        onGap: onChange,
        onEvent(event) {
          if (event.kind === 'oom') exits.sawOom(event.id)
          if (event.kind === 'exit') exits.ended(event.id, event.code, { at: event.at })
          onChange()
        },
      })
    },
  }
}

async function run(spec: ContainerSpec, parts: Parts & { readonly options: CtrOptions }, signal: AbortSignal): Promise<void> {
  const { ctr, exits, hostNames, options } = parts
  const image = await parts.images.config(spec.image, signal)
  if (await parts.containers.has(spec.id, signal)) {
    throw new RuntimeError('CONTAINER_CREATE', `there is a container ${spec.id} already`)
  }
  exits.forget(spec.id)
  exits.expect(spec.id, spec.cgroup)
  try {
    const uts = spec.netns === undefined ? undefined : await hostNames.make(spec.id, spec.hostname, signal)
    const logUri = loggerUri(options.node, join(import.meta.dirname, 'logger.ts'), `${spec.logPath}\n${livePath(options.stateDir, spec.id)}`)
    const runcRoot = options.runcRoot ?? defaultRuncRoot(options.address)
    const args = runArgs(spec, { image, logUri, runcRoot, ...(uts && { uts }) })
    const { exitCode, stderr } = await ctr(['run', ...args], signal, runMs)
    if (exitCode !== 0) throw new RuntimeError('CONTAINER_CREATE', output.lastWords(stderr))
    exits.started(spec.id, rfc3339(options.clock.now()))
  } catch (e) {
    await takeAway(spec.id, ['--force'], parts, AbortSignal.timeout(tidyMs)).catch((untidy: unknown) => {
      options.log.warn('a container that did not start was left behind', { container: spec.id, ...errorKeys(untidy) })
    })
    throw e
  }
}

function defaultRuncRoot(address: string): string {
  return `/run/wherry/runc-${createHash('sha256').update(address).digest('hex').slice(0, 12)}`
}

async function remove(id: string, parts: Parts, signal: AbortSignal): Promise<void> {
  const task = output.parseTasks(await parts.ctr.ok(['tasks', 'ls'], signal)).find((t) => t.id === id)
  if (task && (task.status === 'RUNNING' || task.status === 'PAUSED')) {
    throw new RuntimeError('CONTAINER_CREATE', `the container ${id} runs; it has to be ended before it is removed`)
  }
  await takeAway(id, task?.status === 'CREATED' ? ['--force'] : [], parts, signal)
}

async function takeAway(id: string, force: readonly string[], parts: Parts, signal: AbortSignal): Promise<void> {
  const failure = `the container ${id} could not be removed`
  expectDone(await parts.ctr(['tasks', 'rm', ...force, id], signal), failure)
  expectDone(await parts.ctr(['containers', 'rm', id], signal), failure)
  await parts.hostNames.drop(id, signal)
  parts.containers.forget(id)
  parts.exits.forget(id)
}

/** What is gone already counts as done. */
function expectDone({ exitCode, stderr }: CtrResult, failure: string): void {
  if (exitCode === 0 || output.saysNotFound(stderr)) return
  throw new RuntimeError('CONTAINER_CREATE', `${failure}: ${output.lastWords(stderr)}`)
}
