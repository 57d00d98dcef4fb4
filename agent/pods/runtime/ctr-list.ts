/** What containers there are, by way of `ctr`; also takes the tasks of ended ones away, whose shims would stay otherwise. */
import { rfc3339, type Clock } from '../../../api/clock.ts'
import type { Log } from '../../../api/log.ts'
import { imageDigestLabel } from './ctr-args.ts'
import type { Ctr } from './ctr-command.ts'
import * as output from './ctr-output.ts'
import { RuntimeError } from './error.ts'
import type { Exits } from './exits.ts'
import type { ContainerState } from './runtime.ts'

export interface CtrListOptions {
  readonly ctr: Ctr
  readonly exits: Exits
  readonly clock: Clock
  readonly log: Log
  /** Told once of all containers that there are, so that what is left of others can go. */
  readonly onFirst: (ids: readonly string[]) => void
}

export interface CtrList {
  /** One at a time, each begun after it was asked for. The first one forgets records of containers that are gone. */
  list(signal: AbortSignal): Promise<readonly ContainerState[]>
  has(id: string, signal: AbortSignal): Promise<boolean>
  forget(id: string): void
}

/** What a container that ended unseen is said to have ended with. */
const lostCode = 255

export function createCtrList({ ctr, exits, clock, log, onFirst }: CtrListOptions): CtrList {
  const infos = new Map<string, output.ContainerInfo>()
  let last: Promise<unknown> = Promise.resolve()
  let isFirst = true

  /** Undefined when there is no such container (any more). What is known of one does not change. */
  async function infoOf(id: string, signal: AbortSignal): Promise<output.ContainerInfo | undefined> {
    const known = infos.get(id)
    if (known) return known
    const { exitCode, stdout, stderr } = await ctr(['containers', 'info', id], signal)
    if (exitCode !== 0 && output.saysNotFound(stderr)) return undefined
    if (exitCode !== 0) throw new RuntimeError('CONTAINER_CREATE', `containerd: ${output.lastWords(stderr)}`)
    const info = output.parseContainerInfo(stdout)
    infos.set(id, info)
    if (info.cgroup) exits.expect(id, info.cgroup)
    return info
  }

  /** Takes an ended container's task away, keeping what it ended with. */
  async function reap(id: string, signal: AbortSignal): Promise<void> {
    // The cgroup goes with the task, so its counters are read before.
    const cause = exits.cause(id)
    const { exitCode, stderr } = await ctr(['tasks', 'rm', id], signal)
    if (exitCode === 0) exits.ended(id, output.parseExitCode(stderr), { at: rfc3339(clock.now()), ...(cause && { cause }) })
    else if (!output.saysNotFound(stderr)) log.warn('an ended task could not be taken away', { container: id, stderr })
  }

  type Task = output.TaskLine | undefined

  async function stateOf(info: output.ContainerInfo, task: Task, signal: AbortSignal): Promise<ContainerState> {
    const { id } = info
    const { [imageDigestLabel]: imageId, ...labels } = info.labels
    const about = { id, image: info.image, labels, createdAt: info.createdAt, ...(imageId && { imageId }) }
    if (task?.status === 'STOPPED') await reap(id, signal)
    else if (task && task.status !== 'CREATED') return { ...about, phase: 'running', pid: task.pid }
    const { exit, startedAt } = exits.read(id)
    if (exit) {
      const { code: exitCode, at, why } = exit
      return { ...about, phase: 'exited', exitCode, ...(at && { finishedAt: at }), ...(why && { why }) }
    }
    // It was started, its task is gone and nobody saw the end: the machine went down under it.
    if (startedAt && !task) return { ...about, phase: 'exited', exitCode: lostCode, why: 'lost' }
    return { ...about, phase: 'created' }
  }

  async function listNow(signal: AbortSignal): Promise<readonly ContainerState[]> {
    const [containers, tasks] = [await ctr.ok(['containers', 'ls', '--quiet'], signal), await ctr.ok(['tasks', 'ls'], signal)]
    const ids = containers.split('\n').filter((id) => id !== '')
    const byId = new Map(output.parseTasks(tasks).map((t) => [t.id, t]))
    const states: ContainerState[] = []
    for (const id of ids) {
      const info = await infoOf(id, signal)
      if (info) states.push(await stateOf(info, byId.get(id), signal))
    }
    for (const id of infos.keys()) if (!ids.includes(id)) infos.delete(id)
    if (isFirst) {
      exits.keepOnly(ids)
      onFirst(ids)
    }
    isFirst = false
    return states
  }

  return {
    list(signal) {
      const next = last.then(() => listNow(signal))
      last = next.catch(() => {})
      return next
    },
    has: async (id, signal) => (await infoOf(id, signal)) !== undefined,
    forget: (id) => void infos.delete(id),
  }
}
