/**
 * The part of containerd's API that runs further processes in a container (containerd.services.tasks.v1 and containers.v1).
 * The numbers are those of its fields.
 */
import protobuf from 'protobufjs'
import { GrpcError, grpcCodes, type Grpc } from './grpc.ts'

/** A further process of a container, by names of ours. */
export interface ProcessId {
  readonly container: string
  readonly exec: string
}

export interface ProcessPlan {
  readonly command: readonly string[]
  readonly tty: boolean
  /** Paths of named pipes; undefined for none. */
  readonly stdin?: string
  readonly stdout: string
  readonly stderr?: string
}

export interface Tasks {
  /** Makes the process known, in the surroundings that the container's own has; nothing runs yet. */
  make(id: ProcessId, plan: ProcessPlan, signal: AbortSignal): Promise<void>
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
const processType = 'types.containerd.io/opencontainers/runtime-spec/1/Process'
const sigkill = 9

/** What is changed in the container's own process (OCI runtime spec). */
interface OciProcess {
  readonly env?: readonly string[]
  readonly [field: string]: unknown
}

export function createTasks(grpc: Grpc): Tasks {
  const ask = (method: string, fields: Fields, signal: AbortSignal): Promise<Message> =>
    grpc.ask(`${service}/${method}`, written(fields), signal).then(read)
  const named = ({ container, exec }: ProcessId): Fields => ({ 1: container, 2: exec })
  const unlessGone = async (work: Promise<unknown>): Promise<void> => {
    await work.catch((e: unknown) => {
      if (!(e instanceof GrpcError && e.grpcCode === grpcCodes.notFound)) throw e
    })
  }

  async function processOf(container: string, signal: AbortSignal): Promise<OciProcess> {
    const answer = read(await grpc.ask('/containerd.services.containers.v1.Containers/Get', written({ 1: container }), signal))
    const spec = read(bytesOf(read(bytesOf(answer[1]))[5]))
    const { process = {} } = JSON.parse(Buffer.from(bytesOf(spec[2])).toString()) as { readonly process?: OciProcess }
    return process
  }

  return {
    async make({ container, exec }, plan, signal) {
      const own = await processOf(container, signal)
      const env = plan.tty && !own.env?.some((e) => e.startsWith('TERM=')) ? [...(own.env ?? []), 'TERM=xterm'] : own.env
      const process = { ...own, args: plan.command, terminal: plan.tty, ...(env && { env }) }
      const spec = written({ 1: processType, 2: Buffer.from(JSON.stringify(process)) })
      await ask('Exec', { 1: container, 2: plan.stdin ?? '', 3: plan.stdout, 4: plan.stderr ?? '', 5: plan.tty, 6: spec, 7: exec }, signal)
    },
    start: async (id, signal) => void (await ask('Start', named(id), signal)),
    wait: async (id, signal) => Number((await ask('Wait', named(id), signal))[1] ?? 0),
    resize: async (id, { width, height }, signal) => void (await ask('ResizePty', { ...named(id), 3: width, 4: height }, signal)),
    closeStdin: async (id, signal) => void (await ask('CloseIO', { ...named(id), 3: true }, signal)),
    kill: (id, signal) => unlessGone(ask('Kill', { ...named(id), 3: sigkill }, signal)),
    remove: (id, signal) => unlessGone(ask('DeleteProcess', named(id), signal)),
  }
}

type Fields = Readonly<Record<number, string | Uint8Array | boolean | number>>
type Message = Readonly<Record<number, Uint8Array | number>>

/** A protobuf message; what is empty or zero is left out, as protobuf has it. */
function written(fields: Fields): Uint8Array {
  const writer = protobuf.Writer.create()
  for (const [key, value] of Object.entries(fields)) {
    if (value === '' || value === false || value === 0) continue
    const number = Number(key) << 3
    if (typeof value === 'string') writer.uint32(number | 2).string(value)
    else if (typeof value === 'number') writer.uint32(number).uint32(value)
    else if (typeof value === 'boolean') writer.uint32(number).bool(value)
    else writer.uint32(number | 2).bytes(value)
  }
  return writer.finish()
}

/** Its fields; of those that are lists, the last item. Numbers and bytes are all that is needed here. */
function read(bytes: Uint8Array): Message {
  const reader = protobuf.Reader.create(bytes)
  const message: Record<number, Uint8Array | number> = {}
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if ((tag & 7) === 2) message[tag >>> 3] = reader.bytes()
    else if ((tag & 7) === 0) message[tag >>> 3] = reader.uint32()
    else reader.skipType(tag & 7)
  }
  return message
}

const bytesOf = (value: Uint8Array | number | undefined): Uint8Array => (value instanceof Uint8Array ? value : new Uint8Array())
