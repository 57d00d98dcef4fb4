/** What is said to the containers of the runtime in memory, and what they say. */
import { createInbox, type CallInput, type CallPart, type Inbox } from '../../../api/call-flow.ts'
import { RuntimeError } from './error.ts'
import type { AttachSpec, ContainerSpec, ExecSpec, Runtime } from './runtime.ts'

export type FakeProgram = (spec: ExecSpec, input: AsyncIterable<CallInput>, signal: AbortSignal) => AsyncIterable<CallPart>

export interface FakeTalk extends Pick<Runtime, 'exec' | 'attach'> {
  /** What `exec` runs in any container, by the name of the program; another name cannot be started. */
  readonly programs: Map<string, FakeProgram>
  /** What containers run themselves, by the name of the program; they end with it. Others say what `outputs` says. */
  readonly mains: Map<string, FakeProgram>
  /** What `attach` tells of any container that runs none of those. */
  readonly outputs: { parts: AsyncIterable<CallPart> }
}

export interface FakeTalkDeps {
  readonly isRunning: (id: string) => boolean
  /** A container's program has ended. */
  readonly exit: (id: string, code: number) => void
}

interface Conversation {
  readonly spec: ContainerSpec
  readonly stdin: Inbox<CallInput>
  readonly listeners: Set<Inbox<CallPart>>
  readonly over: AbortController
}

/** In memory nobody is slow. */
const endless = { give: () => {}, room: Infinity }

export interface FakeTalkEnds {
  /** A container was started. */
  began(spec: ContainerSpec): void
  /** It has ended. */
  ended(id: string): void
}

export function createFakeTalk({ isRunning, exit }: FakeTalkDeps): FakeTalk & FakeTalkEnds {
  const programs: FakeTalk['programs'] = new Map()
  const mains: FakeTalk['mains'] = new Map()
  const outputs: FakeTalk['outputs'] = { parts: ReadableStream.from<CallPart>([]) }
  const conversations = new Map<string, Conversation>()

  const expectRunning = (id: string): void => {
    if (!isRunning(id)) throw new RuntimeError('CONTAINER_UNKNOWN', `no container ${id} is running`)
  }
  const run = async ({ spec, stdin, listeners, over: { signal } }: Conversation, main: FakeProgram): Promise<void> => {
    const { id, command = [], stdin: reads = false, tty = false } = spec
    for await (const part of main({ id, command, stdin: reads, tty }, stdin, signal)) {
      if (signal.aborted) return
      if (part.kind === 'exit') return exit(id, part.code)
      for (const listener of listeners) listener.put(part, 0)
    }
  }
  return {
    programs,
    mains,
    outputs,
    began(spec) {
      const main = mains.get(spec.command?.[0] ?? '')
      if (!main) return
      const conversation = { spec, stdin: createInbox<CallInput>(endless), listeners: new Set<Inbox<CallPart>>(), over: new AbortController() }
      if (!spec.stdin && !spec.tty) conversation.stdin.end()
      conversations.set(spec.id, conversation)
      void run(conversation, main)
    },
    ended(id) {
      const conversation = conversations.get(id)
      conversations.delete(id)
      conversation?.over.abort()
      for (const listener of conversation?.listeners ?? []) listener.end()
    },
    async *attach(spec, input, signal) {
      await Promise.resolve()
      expectRunning(spec.id)
      const conversation = conversations.get(spec.id)
      if (conversation) yield* converse(conversation, spec, input, signal)
      else yield* outputs.parts
    },
    async *exec(spec, input, signal) {
      await Promise.resolve()
      signal.throwIfAborted()
      const [name = ''] = spec.command
      expectRunning(spec.id)
      const program = programs.get(name)
      if (!program) throw new RuntimeError('CONTAINER_EXEC', `the command could not be started: exec: "${name}": executable file not found in $PATH`)
      yield* program(spec, input, signal)
    },
  }
}

async function* converse({ stdin, listeners }: Conversation, spec: AttachSpec, input: AsyncIterable<CallInput>, signal: AbortSignal): AsyncGenerator<CallPart> {
  const listener = createInbox<CallPart>(endless)
  const once = spec.stdin && spec.stdinOnce && !spec.tty
  listeners.add(listener)
  const abort = (): void => listener.end(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  const hear = async (): Promise<void> => {
    for await (const part of input) if (part.kind === 'bytes' ? spec.stdin : spec.tty) stdin.put(part, 0)
    if (once) stdin.end()
    else if (spec.stdin) setImmediate(() => listener.end())
  }
  void hear()
  try {
    signal.throwIfAborted()
    yield* listener
  } finally {
    signal.removeEventListener('abort', abort)
    listeners.delete(listener)
    if (once) stdin.end()
  }
}
