/**
 * Commands in containers that run (`kubectl exec`).
 *
 * Invariants: a process whose caller goes away is ended; nothing of a command is left behind, neither in containerd nor on
 * disk; what it said before its end is read before its exit code is told.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { CallInput, CallPart } from '../../../api/call-flow.ts'
import type { Clock } from '../../../api/clock.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import type { Exec } from '../../kernel/exec.ts'
import { GrpcError, grpcCodes } from './grpc.ts'
import { RuntimeError } from './error.ts'
import { makePipes, type PipeEnds } from './pipes.ts'
import type { ExecSpec } from './runtime.ts'
import type { ProcessId, Tasks } from './tasks.ts'

export interface CommandsDeps {
  readonly tasks: Tasks
  readonly exec: Exec
  readonly clock: Clock
  readonly log: Log
  /** Of our own: named pipes. What an earlier agent left there is removed with the first command. */
  readonly dir: string
}

export interface Commands {
  /** As `Runtime.exec`. */
  run(spec: ExecSpec, input: AsyncIterable<CallInput>, signal: AbortSignal): AsyncIterable<CallPart>
}

/** For one question to containerd. Milliseconds. */
const askMs = 30_000
/** Children that a process left behind may hold its outputs open; when it has ended and nothing came for so long, that is all. */
const quietMs = 1_000
/** 128 and the number of SIGKILL: how a process ends whose container ends. */
const killedCode = 137

export function createCommands(deps: CommandsDeps): Commands {
  const { tasks, exec, clock, dir } = deps
  let started = 0

  return {
    async *run(spec, input, signal) {
      if (started === 0) rmSync(dir, { recursive: true, force: true })
      const id = { container: spec.id, exec: `exec-${clock.now().toString(36)}-${++started}` }
      const soon = (): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(askMs)])
      const pipes = await makePipes(exec, { dir: join(dir, id.exec), stdin: spec.stdin, stderr: !spec.tty }, soon())
      const over = new AbortController()
      const either = AbortSignal.any([signal, over.signal])
      try {
        await tasks.make(id, { ...pipes.paths, command: spec.command, tty: spec.tty }, soon())
        await tasks.start(id, soon()).catch((e: unknown) => Promise.reject(startFailure(e)))
        const exited = tasks.wait(id, either).catch((e: unknown) => (isGone(e) ? killedCode : Promise.reject(e as Error)))
        // It is looked at below; were it to fail before, nobody would have listened yet.
        exited.catch(() => {})
        const ends = pipes.attach()
        void feed({ id, spec, input, ends, tasks }, either).catch((e: unknown) => {
          if (!either.aborted) deps.log.debug('the input of a command broke off', errorKeys(e))
        })
        yield* outputs(ends, { exited, clock, signal })
        yield { kind: 'exit', code: await exited }
      } finally {
        over.abort()
        pipes.close()
        await tidy(id, deps)
      }
    },
  }
}

const isGone = (e: unknown): boolean => e instanceof GrpcError && e.grpcCode === grpcCodes.notFound

/** containerd's words stand behind the names of the rooms that they came through. */
function startFailure(e: unknown): unknown {
  if (!(e instanceof GrpcError)) return e
  const why = e.message.replace(/^.*unable to start container process: /, '').replace(/: unknown$/, '')
  return new RuntimeError('CONTAINER_EXEC', `the command could not be started: ${why}`, { cause: e })
}

/** Ends the process, if it still runs, and has containerd forget it. */
async function tidy(id: ProcessId, { tasks, log }: CommandsDeps): Promise<void> {
  const signal = AbortSignal.timeout(askMs)
  try {
    // One that has ended is removed at once; one that runs is refused.
    await tasks.remove(id, signal).catch(async () => {
      await tasks.kill(id, signal)
      await tasks.wait(id, signal)
      await tasks.remove(id, signal)
    })
  } catch (e) {
    log.debug('a command was left behind', { container: id.container, exec: id.exec, ...errorKeys(e) })
  }
}

interface Feed {
  readonly id: ProcessId
  readonly spec: ExecSpec
  readonly input: AsyncIterable<CallInput>
  readonly ends: PipeEnds
  readonly tasks: Tasks
}

/** Input goes to the process as fast as it reads; what comes after it closed its stdin is dropped. */
async function feed({ id, spec, input, ends: { stdin }, tasks }: Feed, signal: AbortSignal): Promise<void> {
  for await (const part of input) {
    if (signal.aborted) return
    if (part.kind === 'bytes') await (stdin && taken(stdin, part.bytes))
    else if (spec.tty) await tasks.resize(id, part, signal).catch(() => {})
  }
  if (!stdin || signal.aborted) return
  await new Promise<void>((resolve) => stdin.once('close', resolve).end(() => resolve()))
  await tasks.closeStdin(id, signal)
}

function taken(stdin: Writable, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (stdin.destroyed) return resolve()
    stdin.once('close', resolve)
    stdin.write(bytes, () => {
      stdin.off('close', resolve)
      resolve()
    })
  })
}

interface Ending {
  readonly exited: Promise<number>
  readonly clock: Clock
  readonly signal: AbortSignal
}

type Output = { readonly kind: 'out' | 'err'; readonly bytes: Uint8Array }

/** What the process says on both outputs, until both have ended, or it has and is quiet. */
async function* outputs({ stdout, stderr }: PipeEnds, { exited, clock, signal }: Ending): AsyncGenerator<Output> {
  const sources = [['out', stdout], ...(stderr ? [['err', stderr] as const] : [])] as const
  const pending = new Map<'out' | 'err', Promise<() => Output | undefined>>()
  const ask = (kind: 'out' | 'err', from: AsyncIterator<Uint8Array>): void => {
    const coming = from.next().then(({ done, value }) => () => {
      pending.delete(kind)
      if (done) return undefined
      ask(kind, from)
      return { kind, bytes: value }
    })
    // Nobody waits for it any more when the caller leaves between two outputs.
    coming.catch(() => {})
    pending.set(kind, coming)
  }
  for (const [kind, stream] of sources) ask(kind, (stream as Readable)[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>)
  const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))
  aborted.catch(() => {})
  let hasExited = false
  const exit = exited.then(() => void (hasExited = true))
  exit.catch(() => {})
  while (pending.size > 0) {
    const quiet = hasExited ? silence(clock) : { done: exit.then(() => 'exited' as const), cancel: () => {} }
    const first = await Promise.race([...pending.values(), quiet.done, aborted]).finally(() => quiet.cancel())
    if (first === 'quiet') return
    if (first === 'exited') continue
    const output = first()
    if (output) yield output
  }
}

function silence(clock: Clock): { readonly done: Promise<'quiet'>; readonly cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<'quiet'>()
  return { done: promise, cancel: clock.after(quietMs, () => resolve('quiet')) }
}
