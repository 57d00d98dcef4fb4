/**
 * The real runtime: containerd through its `ctr` program.
 *
 * Invariants:
 * - An exit code is written to the container's record before its task is taken away.
 * - One `list` runs at a time and begins after it was asked for; it also takes away the tasks of containers that have
 *   ended, whose shims would stay otherwise. The first one, before any `run`, drops the records of containers that are gone.
 * - A container whose `run` failed is gone, unless it was there before.
 */
import { join } from 'node:path'
import { rfc3339, type Clock } from '../../../api/clock.ts'
import type { Log } from '../../../api/log.ts'
import type { Exec } from '../../kernel/exec.ts'
import { imageDigestLabel, loggerUri, runArgs } from './ctr-args.ts'
import { createCtr } from './ctr-command.ts'
import { followCtrEvents } from './ctr-events.ts'
import * as output from './ctr-output.ts'
import { RuntimeError } from './error.ts'
import { createHostNames } from './host-name.ts'
import { readImageConfig, type ImageConfig } from './image-config.ts'
import { wasOomKilled } from './oom.ts'
import { createRecords, type ContainerRecord } from './records.ts'
import type { ContainerSpec, ContainerState, Runtime } from './runtime.ts'

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
  /** What runs `logger.ts`: a program, whose first argument is a script. */
  readonly node: string
  /** As Go names it: amd64, arm64. */
  readonly architecture: string
}

const runMs = 120_000
const pullMs = 15 * 60_000
/** For tidying up after something failed, even when the caller has gone away. */
const tidyMs = 30_000

export function createCtrRuntime(options: CtrOptions): Runtime {
  const { exec, clock, log, address, namespace = 'wherry', stateDir } = options
  const ctr = createCtr({ exec, address, namespace })
  const records = createRecords(join(stateDir, 'records'))
  const hostNames = createHostNames(exec, join(stateDir, 'uts'))
  const infos = new Map<string, output.ContainerInfo>()
  const configs = new Map<string, ImageConfig>()
  const cgroups = new Map<string, string>()
  const oomSeen = new Set<string>()
  let lastList: Promise<unknown> = Promise.resolve()
  let pruned = false

  const ok = async (args: readonly string[], signal: AbortSignal): Promise<string> => {
    const { exitCode, stdout, stderr } = await ctr(args, signal)
    if (exitCode !== 0) throw new RuntimeError('CONTAINER_CREATE', `containerd at ${address}: ${output.lastWords(stderr)}`)
    return stdout
  }

  async function imageConfig(image: string, signal: AbortSignal): Promise<ImageConfig> {
    const digest = output.parseImageDigest(await ok(['images', 'ls', `name==${image}`], signal), image)
    if (!digest) throw new RuntimeError('IMAGE_ABSENT', `the image ${image} is not on this node`)
    const known = configs.get(digest)
    if (known) return known
    const config = await readImageConfig(digest, options.architecture, (blob) => ok(['content', 'get', blob], signal))
    configs.set(digest, config)
    return config
  }

  /** Undefined when the container went away meanwhile. */
  async function infoOf(id: string, signal: AbortSignal): Promise<output.ContainerInfo | undefined> {
    const known = infos.get(id)
    if (known) return known
    const { exitCode, stdout, stderr } = await ctr(['containers', 'info', id], signal)
    if (exitCode !== 0 && output.saysNotFound(stderr)) return undefined
    if (exitCode !== 0) throw new RuntimeError('CONTAINER_CREATE', `containerd at ${address}: ${output.lastWords(stderr)}`)
    const info = output.parseContainerInfo(stdout)
    infos.set(id, info)
    if (info.cgroup) cgroups.set(id, info.cgroup)
    return info
  }

  function exitOf(id: string, code: number, at?: string): ContainerRecord['exit'] {
    const cgroup = cgroups.get(id)
    const oom = code === 137 && (oomSeen.has(id) || (cgroup !== undefined && wasOomKilled(cgroup)))
    return { code, ...(at && { at }), ...(oom && { why: 'oom' }) }
  }

  /** Takes an ended container's task away, keeping what it ended with. */
  async function reap(id: string, signal: AbortSignal): Promise<void> {
    const oom = exitOf(id, 137)?.why
    const { exitCode, stderr } = await ctr(['tasks', 'rm', id], signal)
    if (exitCode !== 0) {
      if (output.saysNotFound(stderr)) return
      log.warn('an ended task could not be taken away', { container: id, stderr })
      return
    }
    const code = output.parseExitCode(stderr)
    records.merge(id, { exit: { code, at: rfc3339(clock.now()), ...(oom && code === 137 && { why: oom }) } })
  }

  async function stateOf(id: string, task: output.TaskLine | undefined, signal: AbortSignal): Promise<ContainerState | undefined> {
    const info = await infoOf(id, signal)
    if (!info) return undefined
    if (task?.status === 'STOPPED') await reap(id, signal)
    const { [imageDigestLabel]: imageId, ...labels } = info.labels
    const about = { id, image: info.image, labels, createdAt: info.createdAt, ...(imageId && { imageId }) }
    if (task && task.status !== 'STOPPED' && task.status !== 'CREATED') return { ...about, phase: 'running', pid: task.pid }
    const { exit, startedAt } = records.read(id)
    if (exit) {
      return { ...about, phase: 'exited', exitCode: exit.code, ...(exit.at && { finishedAt: exit.at }), ...(exit.why && { why: exit.why }) }
    }
    // It was started, its task is gone and nobody saw the end: the machine went down under it.
    if (startedAt && !task) return { ...about, phase: 'exited', exitCode: 255, why: 'lost' }
    return { ...about, phase: 'created' }
  }

  async function listNow(signal: AbortSignal): Promise<readonly ContainerState[]> {
    const ids = (await ok(['containers', 'ls', '--quiet'], signal)).split('\n').filter((id) => id !== '')
    const tasks = new Map(output.parseTasks(await ok(['tasks', 'ls'], signal)).map((t) => [t.id, t]))
    const states: ContainerState[] = []
    for (const id of ids) {
      const state = await stateOf(id, tasks.get(id), signal)
      if (state) states.push(state)
    }
    for (const id of infos.keys()) if (!ids.includes(id)) infos.delete(id)
    if (!pruned) for (const id of records.ids()) if (!ids.includes(id)) records.drop(id)
    pruned = true
    return states
  }

  async function takeAway(id: string, force: readonly string[], signal: AbortSignal): Promise<void> {
    const task = await ctr(['tasks', 'rm', ...force, id], signal)
    if (task.exitCode !== 0 && !output.saysNotFound(task.stderr)) {
      throw new RuntimeError('CONTAINER_CREATE', `the container ${id} could not be removed: ${output.lastWords(task.stderr)}`)
    }
    const container = await ctr(['containers', 'rm', id], signal)
    if (container.exitCode !== 0 && !output.saysNotFound(container.stderr)) {
      throw new RuntimeError('CONTAINER_CREATE', `the container ${id} could not be removed: ${output.lastWords(container.stderr)}`)
    }
    await hostNames.drop(id, signal)
    records.drop(id)
    infos.delete(id)
    cgroups.delete(id)
    oomSeen.delete(id)
  }

  async function run(spec: ContainerSpec, signal: AbortSignal): Promise<void> {
    const image = await imageConfig(spec.image, signal)
    if (await infoOf(spec.id, signal)) throw new RuntimeError('CONTAINER_CREATE', `there is a container ${spec.id} already`)
    records.drop(spec.id)
    cgroups.set(spec.id, spec.cgroup)
    try {
      const uts = spec.netns === undefined ? undefined : await hostNames.make(spec.id, spec.hostname, signal)
      const logUri = loggerUri(options.node, join(import.meta.dirname, 'logger.ts'), spec.logPath)
      const { exitCode, stderr } = await ctr(['run', ...runArgs(spec, { image, logUri, ...(uts && { uts }) })], signal, runMs)
      if (exitCode !== 0) throw new RuntimeError('CONTAINER_CREATE', output.lastWords(stderr))
      records.merge(spec.id, { startedAt: rfc3339(clock.now()) })
    } catch (e) {
      await takeAway(spec.id, ['--force'], AbortSignal.timeout(tidyMs)).catch((untidy: unknown) => {
        log.warn('a container that did not start was left behind', { container: spec.id, error: String(untidy) })
      })
      throw e
    }
  }

  return {
    run,
    async version(signal) {
      return `containerd://${output.parseServerVersion(await ok(['version'], signal)) ?? 'unknown'}`
    },
    async hasImage(image, signal) {
      return output.parseImageDigest(await ok(['images', 'ls', `name==${image}`], signal), image) !== undefined
    },
    async pullImage(image, signal) {
      const { exitCode, stderr } = await ctr(['images', 'pull', image], signal, pullMs)
      if (exitCode !== 0) throw new RuntimeError('IMAGE_PULL', output.lastWords(stderr))
    },
    list(signal) {
      const next = lastList.then(() => listNow(signal))
      lastList = next.catch(() => {})
      return next
    },
    async kill(id, posixSignal, signal) {
      const { exitCode, stderr } = await ctr(['tasks', 'kill', '--signal', posixSignal, id], signal)
      if (exitCode !== 0 && !output.saysNotFound(stderr)) {
        throw new RuntimeError('CONTAINER_CREATE', `${posixSignal} could not be sent to ${id}: ${output.lastWords(stderr)}`)
      }
    },
    async remove(id, signal) {
      const task = output.parseTasks(await ok(['tasks', 'ls'], signal)).find((t) => t.id === id)
      if (task && (task.status === 'RUNNING' || task.status === 'PAUSED')) {
        throw new RuntimeError('CONTAINER_CREATE', `the container ${id} runs; it has to be ended before it is removed`)
      }
      await takeAway(id, task?.status === 'CREATED' ? ['--force'] : [], signal)
    },
    watch(onChange) {
      return followCtrEvents({
        exec,
        address,
        namespace,
        clock,
        log,
        onGap: onChange,
        onEvent(event) {
          if (event.kind === 'oom') oomSeen.add(event.id)
          if (event.kind === 'exit') records.merge(event.id, { exit: exitOf(event.id, event.code, event.at) })
          onChange()
        },
      })
    },
  }
}
