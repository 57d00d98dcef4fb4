/** The part of containerd's API that runs processes (containerd.services.tasks.v1). The numbers are those of its fields. */
import type { Containers } from './containers.ts'
import { GrpcError, grpcCodes, type Grpc } from './grpc.ts'
import { numberOf, read, written, type Fields, type Message } from './messages.ts'

/** A process of a container: a further one by a name of ours, or the container's own. */
export interface ProcessId {
  readonly container: string
  readonly exec?: string
}

export interface ProcessPlan {
  readonly command: readonly string[]
  readonly tty: boolean
  /** Paths of named pipes; undefined for none. */
  readonly stdin?: string
  readonly stdout: string
  readonly stderr?: string
}

/** The container's own process, with a terminal. */
export interface TaskPlan {
  readonly container: string
  /** Where its file system comes from, as `Containers.mounts` gives it. */
  readonly mounts: readonly Uint8Array[]
  /** Path of a named pipe; undefined for none. */
  readonly stdin?: string
  /** URI of what the shim hands the output to. */
  readonly output: string
  /** Where runc keeps its containers. */
  readonly runcRoot: string
}

export interface Tasks {
  /** Makes the container's own process, which waits to be started. */
  create(plan: TaskPlan, signal: AbortSignal): Promise<void>
  /** Makes a further process known, in the surroundings that the container's own has; nothing runs yet. */
  make(id: Required<ProcessId>, plan: ProcessPlan, signal: AbortSignal): Promise<void>
  start(id: ProcessId, signal: AbortSignal): Promise<void>
  /** Resolves to the exit code. */
  wait(id: ProcessId, signal: AbortSignal): Promise<number>
  resize(id: ProcessId, size: { readonly width: number; readonly height: number }, signal: AbortSignal): Promise<void>
  closeStdin(id: ProcessId, signal: AbortSignal): Promise<void>
  /** No error if it has ended. */
  kill(id: ProcessId, signal: AbortSignal): Promise<void>
  /** Forgets a process that has ended, or was never started. No error if it is gone. */
  remove(id: ProcessId, signal: AbortSignal): Promise<void>
}

const service = '/containerd.services.tasks.v1.Tasks'
const runcOptionsType = 'containerd.runc.v1.Options'
const processType = 'types.containerd.io/opencontainers/runtime-spec/1/Process'
const sigkill = 9

export function createTasks(grpc: Grpc, containers: Containers): Tasks {
  const ask = (method: string, fields: Fields, signal: AbortSignal): Promise<Message> =>
    grpc.ask(`${service}/${method}`, written(fields), signal).then(read)
  const named = ({ container, exec = '' }: ProcessId): Fields => ({ 1: container, 2: exec })
  const unlessGone = async (work: Promise<unknown>): Promise<void> => {
    await work.catch((e: unknown) => {
      if (!(e instanceof GrpcError && e.grpcCode === grpcCodes.notFound)) throw e
    })
  }

  return {
    async create({ container, mounts, stdin = '', output, runcRoot }, signal) {
      const options = written({ 1: runcOptionsType, 2: written({ 7: runcRoot }) })
      await ask('Create', { 1: container, 3: mounts, 4: stdin, 5: output, 7: true, 9: options }, signal)
    },
    async make({ container, exec }, plan, signal) {
      const { process: own = {} } = (await containers.get(container, signal)).spec
      const env = plan.tty && !own.env?.some((e) => e.startsWith('TERM=')) ? [...(own.env ?? []), 'TERM=xterm'] : own.env
      const process = { ...own, args: plan.command, terminal: plan.tty, ...(env && { env }) }
      const spec = written({ 1: processType, 2: Buffer.from(JSON.stringify(process)) })
      await ask('Exec', { 1: container, 2: plan.stdin ?? '', 3: plan.stdout, 4: plan.stderr ?? '', 5: plan.tty, 6: spec, 7: exec }, signal)
    },
    start: async (id, signal) => void (await ask('Start', named(id), signal)),
    wait: async (id, signal) => numberOf(await ask('Wait', named(id), signal), 1),
    resize: async (id, { width, height }, signal) => void (await ask('ResizePty', { ...named(id), 3: width, 4: height }, signal)),
    closeStdin: async (id, signal) => void (await ask('CloseIO', { ...named(id), 3: true }, signal)),
    kill: (id, signal) => unlessGone(ask('Kill', { ...named(id), 3: sigkill }, signal)),
    remove: (id, signal) => unlessGone(ask('DeleteProcess', named(id), signal)),
  }
}
