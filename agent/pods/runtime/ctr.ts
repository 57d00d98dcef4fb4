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
import { attachTo } from './attach.ts'
import { createCommands } from './commands.ts'
import { createContainers } from './containers.ts'
import { runArgs } from './ctr-args.ts'
import { createCtr, type Ctr, type CtrResult } from './ctr-command.ts'
import { followCtrEvents } from './ctr-events.ts'
import { createCtrImages, type CtrImages } from './ctr-images.ts'
import { createCtrList, type CtrList } from './ctr-list.ts'
import * as output from './ctr-output.ts'
import { RuntimeError } from './error.ts'
import { createExits, type Exits } from './exits.ts'
import { createGrpc } from './grpc.ts'
import { createHostNames, type HostNames } from './host-name.ts'
import { livePath } from './live.ts'
import { loggerUri } from './logger-plan.ts'
import { createRecords } from './records.ts'
import type { ContainerSpec, Runtime } from './runtime.ts'
import { createStdinPipes, type StdinPipes } from './stdin-pipes.ts'
import { createTasks } from './tasks.ts'
import { runWithTerminal, type TerminalsDeps, type TerminalSurroundings } from './terminals.ts'

export interface CtrOptions {
  readonly exec: Exec
  readonly clock: Clock
  readonly log: Log
  /** containerd's socket. */
  readonly address: string
  /** containerd's own kind of namespace. */
  readonly namespace?: string
  /** Records of exits, pinned host names, pipes and sockets; nobody else writes there. */
  readonly stateDir: string
  /**
   * Where runc keeps its containers. It has to be forgotten when the machine goes down, and be no other node's: several
   * containerds on one machine would otherwise meet in one folder. By default a folder of this socket's own below /run.
   */
  readonly runcRoot?: string
  /** Node and its cache, to run `logger.ts` with. */
  readonly node: string
  readonly compileCache?: string | undefined
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
  readonly stdinPipes: StdinPipes
}

const runMs = 120_000
/** For tidying up after something failed, even when the caller has gone away. */
const tidyMs = 30_000

export function createCtrRuntime(options: CtrOptions): Runtime {
  const { exec, clock, log, address, namespace = 'wherry', stateDir } = options
  const target = { exec, address, namespace }
  const ctr = createCtr(target)
  const grpc = createGrpc(address, namespace)
  const containers = createContainers(grpc)
  const tasks = createTasks(grpc, containers)
  const commands = createCommands({ ...options, tasks, dir: join(stateDir, 'exec') })
  const exits = createExits(createRecords(join(stateDir, 'records')))
  const stdinPipes = createStdinPipes(exec, join(stateDir, 'stdin'))
  const parts: Parts = {
    ctr,
    exits,
    stdinPipes,
    images: createCtrImages(ctr, options.architecture),
    containers: createCtrList({ ctr, exits, clock, log, onFirst: (ids) => stdinPipes.keepOnly(ids) }),
    hostNames: createHostNames(exec, join(stateDir, 'uts')),
  }
  return {
    run: (spec, signal) => run(spec, { ...parts, options, terminals: { containers, tasks } }, signal),
    remove: (id, signal) => remove(id, parts, signal),
    attach: (spec, input, signal) =>
      attachTo(livePath(stateDir, spec.id), spec, input, { clock, log, signal, resize: (size) => tasks.resize({ container: spec.id }, size, signal) }),
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
        grpc,
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

interface Making extends Parts {
  readonly options: CtrOptions
  readonly terminals: Pick<TerminalsDeps, 'containers' | 'tasks'>
}

async function run(spec: ContainerSpec, parts: Making, signal: AbortSignal): Promise<void> {
  const { exits, options } = parts
  const image = await parts.images.config(spec.image, signal)
  if (await parts.containers.has(spec.id, signal)) {
    throw new RuntimeError('CONTAINER_CREATE', `there is a container ${spec.id} already`)
  }
  exits.forget(spec.id)
  exits.expect(spec.id, spec.cgroup)
  try {
    const around = { image, ...(await surroundings(spec, parts, signal)) }
    const soon = AbortSignal.any([signal, AbortSignal.timeout(runMs)])
    const make = (args: readonly string[]): Promise<void> => made(parts.ctr(args, signal, runMs))
    if (spec.tty) await runWithTerminal(spec, around, { ...parts.terminals, make, signal: soon })
    else await make(['run', ...runArgs(spec, around)])
    exits.started(spec.id, rfc3339(options.clock.now()))
  } catch (e) {
    await takeAway(spec.id, ['--force'], parts, AbortSignal.timeout(tidyMs)).catch((untidy: unknown) => {
      options.log.warn('a container that did not start was left behind', { container: spec.id, ...errorKeys(untidy) })
    })
    throw e
  }
}

/** What a container has around it, made anew. */
async function surroundings(spec: ContainerSpec, { hostNames, stdinPipes, options }: Making, signal: AbortSignal): Promise<Omit<TerminalSurroundings, 'image'>> {
  const { id, stdin: reads = false, stdinOnce = false, tty = false } = spec
  const uts = spec.netns === undefined ? undefined : await hostNames.make(id, spec.hostname, signal)
  const pipe = reads ? await stdinPipes.make(id, signal) : undefined
  const stdin = pipe === undefined ? {} : { stdin: { pipe, once: stdinOnce && !tty } }
  const logger = { node: options.node, script: join(import.meta.dirname, 'logger.ts'), compileCache: options.compileCache }
  return {
    logUri: loggerUri(logger, { log: spec.logPath, live: livePath(options.stateDir, id), tty, ...stdin }),
    runcRoot: options.runcRoot ?? defaultRuncRoot(options.address),
    ...(uts !== undefined && { uts }),
    ...(pipe !== undefined && { stdin: pipe, runc: stdinPipes.launcher(id) }),
  }
}

async function made(result: Promise<CtrResult>): Promise<void> {
  const { exitCode, stderr } = await result
  if (exitCode !== 0) throw new RuntimeError('CONTAINER_CREATE', output.lastWords(stderr))
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
  parts.stdinPipes.drop(id)
  parts.containers.forget(id)
  parts.exits.forget(id)
}

/** What is gone already counts as done. */
function expectDone({ exitCode, stderr }: CtrResult, failure: string): void {
  if (exitCode === 0 || output.saysNotFound(stderr)) return
  throw new RuntimeError('CONTAINER_CREATE', `${failure}: ${output.lastWords(stderr)}`)
}
