/**
 * The agent's one door to processes: argument arrays, never a shell, text on stdin, a deadline on every run.
 * Whoever needs a process takes an `Exec` and hands it on; tests hand in their own.
 */
import type { Options } from 'execa'
import { WherryError } from '../../api/errors.ts'
import type { Log } from '../../api/log.ts'

/** One process to be run. */
export interface Command {
  /** A name to be found in PATH, or a path. */
  readonly command: string
  readonly args: readonly string[]
  /** Text for stdin, which is closed after it; without it stdin is empty. */
  readonly input?: string
  /** Milliseconds after which the process is ended; 10,000 by default for `run`, none for `stream`. */
  readonly timeoutMs?: number
  /** How many characters of stdout `run` takes before it ends the process; 16 Mi by default. */
  readonly maxStdout?: number
  /** Variables that are added to the agent's own environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Told once by `run` before the process can have done anything, unless it could not be started. */
  readonly onStart?: (pid: number) => void
}

export interface Output {
  readonly stdout: string
  /** Its beginning: what is beyond 64 Ki characters is dropped. */
  readonly stderr: string
}

export interface Exec {
  /**
   * Runs a process to its end.
   * @throws ExecError EXEC_FAILED (not started, ended with another code than 0, or said too much), EXEC_TIMEOUT
   * @throws the signal's reason after an abort; the process has ended by then
   */
  run(command: Command, signal: AbortSignal): Promise<Output>
  /**
   * Runs a long-lived process and hands on each line of its stdout, without the line break. Resolves when the process ends
   * with code 0; ends it, and rejects, as `run` does, and also when `onLine` throws.
   */
  stream(command: Command, onLine: (line: string) => void, signal: AbortSignal): Promise<void>
}

/** Why a process counts as failed. `absent`: there is no such program; `output`: it said more than was allowed. */
export type ExecFailure = 'absent' | 'start' | 'exit' | 'signal' | 'output' | 'timeout'

/** The error of the process door: EXEC_FAILED, or EXEC_TIMEOUT for the reason `timeout`. */
export class ExecError extends WherryError {
  readonly reason: ExecFailure
  readonly command: string
  readonly args: readonly string[]
  /** Undefined if the process did not start or was ended by a signal. */
  readonly exitCode: number | undefined
  /** What it said on stderr, or its beginning. */
  readonly stderr: string
  /** What it said on stdout before it failed; some tools (CNI plugins) put their errors there. Empty for a stream. */
  readonly stdout: string

  constructor(
    reason: ExecFailure,
    command: Command,
    end: { exitCode?: number; stderr: string; stdout?: string; what: string; cause?: unknown },
  ) {
    const said = end.stderr.trim()
    const message = `${command.command} ${end.what}${said && `: ${said.slice(0, 1000)}`}`
    super(reason === 'timeout' ? 'EXEC_TIMEOUT' : 'EXEC_FAILED', message, { cause: end.cause })
    this.reason = reason
    this.command = command.command
    this.args = command.args
    this.exitCode = end.exitCode
    this.stderr = end.stderr
    this.stdout = end.stdout ?? ''
  }
}

const defaults = { timeoutMs: 10_000, maxStdout: 16 << 20, maxStderr: 64 << 10, killAfterMs: 500 } as const

/** A hundred modules, not needed before the first process is: an agent that finds its rules in the kernel serves without any. */
const load = () => import('execa')

/** The real door. Every process leaves one trace line with its arguments, its exit code and how long it took. */
export function createExec(log: Log): Exec {
  const tell = (command: Command, end: Ending): void =>
    log.trace('A process ended.', {
      command: command.command,
      args: command.args,
      exitCode: end.exitCode,
      endedBy: end.signal,
      ms: Math.round(end.durationMs),
    })
  return {
    async run(command, signal) {
      const { execa } = await load()
      signal.throwIfAborted()
      const timeout = command.timeoutMs ?? defaults.timeoutMs
      const maxBuffer = { stdout: command.maxStdout ?? defaults.maxStdout }
      const child = execa(command.command, command.args, {
        ...optionsOf(command, signal),
        timeout,
        maxBuffer,
        buffer: { stderr: false },
      })
      if (child.pid !== undefined) command.onStart?.(child.pid)
      const stderr = beginningOf(child.stderr)
      const end = await child
      tell(command, end)
      verdict({ command, end, stderr: stderr(), signal })
      return { stdout: end.stdout ?? '', stderr: stderr() }
    },
    async stream(command, onLine, signal) {
      const { execa } = await load()
      signal.throwIfAborted()
      let broken: { readonly error: unknown } | undefined
      const stop = new AbortController()
      const either = AbortSignal.any([signal, stop.signal])
      const child = execa(command.command, command.args, {
        ...optionsOf(command, either),
        timeout: command.timeoutMs ?? 0,
        buffer: false,
      })
      const stderr = beginningOf(child.stderr)
      try {
        for await (const line of child.iterable()) {
          try {
            onLine(line)
          } catch (error) {
            broken = { error }
            // Before the loop is left: leaving it waits for the end of the process.
            stop.abort()
            break
          }
        }
      } catch {
        // The iteration fails as the process does, and that is told below in our words.
      }
      const end = await child
      tell(command, end)
      if (broken) throw broken.error
      verdict({ command, end, stderr: stderr(), signal })
    },
  }
}

const optionsOf = (command: Command, signal: AbortSignal) =>
  ({
    reject: false,
    stripFinalNewline: false,
    cancelSignal: signal,
    forceKillAfterDelay: defaults.killAfterMs,
    // A child of the child that keeps stdout open would otherwise hold up the end past the deadline.
    killDescendants: true,
    ...(command.input === undefined ? { stdin: 'ignore' } : { input: command.input }),
    ...(command.env && { env: command.env }),
    ...(command.cwd && { cwd: command.cwd }),
  }) as const satisfies Options

/** Reads a stream to its end and keeps its beginning. */
function beginningOf(stream: NodeJS.ReadableStream): () => string {
  let text = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    if (text.length < defaults.maxStderr) text = (text + chunk).slice(0, defaults.maxStderr)
  })
  return () => text
}

/** What execa tells of a process that has ended. */
interface Ending {
  readonly failed: boolean
  readonly timedOut: boolean
  readonly isCanceled: boolean
  readonly isMaxBuffer: boolean
  readonly exitCode?: number
  readonly signal?: string
  /** Of the error that kept the process from starting, e.g. `ENOENT`. */
  readonly code?: string
  readonly durationMs: number
  readonly cause?: unknown
  readonly stdout?: string
}

interface Ended {
  readonly command: Command
  readonly end: Ending
  readonly stderr: string
  readonly signal: AbortSignal
}

/** Throws what the end of a process means, unless it ended well. */
function verdict({ command, end, stderr, signal }: Ended): void {
  if (!end.failed) return
  if (end.isCanceled) signal.throwIfAborted()
  const { exitCode, cause } = end
  const failed = (reason: ExecFailure, what: string): ExecError =>
    new ExecError(reason, command, { exitCode, cause, stderr, stdout: end.stdout, what })
  if (end.timedOut) throw failed('timeout', `did not end within its deadline of ${command.timeoutMs ?? defaults.timeoutMs} ms`)
  if (end.isMaxBuffer) throw failed('output', `wrote more than ${command.maxStdout ?? defaults.maxStdout} characters`)
  if (end.code === 'ENOENT') throw failed('absent', 'is not installed, or not in PATH')
  if (exitCode !== undefined) throw failed('exit', `ended with code ${exitCode}`)
  if (end.signal) throw failed('signal', `was ended by ${end.signal}`)
  throw failed('start', `could not be started (${end.code ?? 'unknown reason'})`)
}
