/** The one door to other processes: argument arrays, never a shell, always a deadline. */
import { closeSync, openSync } from 'node:fs'
import { execa } from 'execa'
import { CliError } from './error.ts'

export interface RunOptions {
  readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly input?: string | Uint8Array
}

export interface RunResult {
  readonly stdout: string
  readonly stderr: string
  /** 128 + n for a process that a signal ended, as shells count. */
  readonly exitCode: number
}

/** A process that outlives us. */
export interface Detached {
  readonly pid: number
  /** How it ended, in words: `exit code 1`, `SIGKILL`. Never rejects. */
  readonly ended: Promise<string>
  /** From now on it does not keep our own process from ending. */
  readonly release: () => void
}

export interface DetachOptions {
  /** Both outputs are appended to this file. */
  readonly log: string
  /** Becomes descriptor 3 of the process. */
  readonly descriptor?: number
}

export interface Exec {
  /** Runs a program to its end. @throws CliError EXEC_FAILED with the tool's words, EXEC_TIMEOUT, SETUP if there is no such program */
  run(argv: readonly string[], options: RunOptions): Promise<RunResult>
  /** The same, but a failing exit code is an answer and not an error. */
  tryRun(argv: readonly string[], options: RunOptions): Promise<RunResult>
  /** Lends the program our terminal until it ends, Ctrl-C included; resolves with its exit code. */
  lend(argv: readonly string[]): Promise<number>
  /** Starts a program in a process group of its own that goes on when we end. */
  detach(argv: readonly string[], options: DetachOptions): Promise<Detached>
}

/** @param path the search path that every program gets, beside nothing else of our environment but the language and terminal */
export function createExec(path: string, extra: Readonly<Record<string, string>> = {}): Exec {
  const env = { PATH: path, LANG: 'C.UTF-8', ...extra }

  async function tryRun(argv: readonly string[], options: RunOptions): Promise<RunResult> {
    const [file, ...args] = argv as [string, ...string[]]
    const result = await execa(file, args, {
      env,
      extendEnv: false,
      reject: false,
      stripFinalNewline: false,
      timeout: options.timeoutMs,
      cancelSignal: options.signal,
      forceKillAfterDelay: 1_000,
      ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
    })
    if (result.isCanceled) throw options.signal.reason as Error
    if (result.timedOut) {
      throw new CliError(
        'EXEC_TIMEOUT',
        `\`${argv.join(' ')}\` did not end within ${options.timeoutMs / 1000} s`,
        "look at the machine's load, then try again",
      )
    }
    if (result.exitCode === undefined && result.signal === undefined) throw notStarted(file, result.cause)
    return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode ?? 128 }
  }

  return {
    tryRun,
    async run(argv, options) {
      const result = await tryRun(argv, options)
      if (result.exitCode === 0) return result
      const words = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-3).join('; ')
      throw new CliError(
        'EXEC_FAILED',
        `\`${argv.join(' ')}\` ended with ${result.exitCode}${words && `: ${words}`}`,
        "the text after the colon is the tool's own; `wherry up` may be run again, it repairs what is missing",
      )
    },
    lend: (argv) => lend(argv, env),
    detach: (argv, options) => detach(argv, options, env),
  }
}

async function lend(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const [file, ...args] = argv as [string, ...string[]]
  // The terminal sends it to both; what it means is the program's to say.
  const ignore = (): void => {}
  process.on('SIGINT', ignore)
  try {
    const result = await execa(file, args, { env, extendEnv: true, reject: false, stdio: 'inherit' })
    if (result.exitCode === undefined && result.signal === undefined) throw notStarted(file, result.cause)
    return result.exitCode ?? 128 + signalNumber(result.signal)
  } finally {
    process.off('SIGINT', ignore)
  }
}

async function detach(argv: readonly string[], options: DetachOptions, env: Readonly<Record<string, string>>): Promise<Detached> {
  const [file, ...args] = argv as [string, ...string[]]
  const log = openSync(options.log, 'a', 0o600)
  try {
    // execa passes any descriptor on; its types know the numbers up to 9.
    const stdio = ['ignore', log, log, ...(options.descriptor === undefined ? [] : [options.descriptor])] as unknown as [
      'ignore',
      1,
      2,
    ]
    const child = execa(file, args, {
      env,
      extendEnv: false,
      reject: false,
      detached: true,
      cleanup: false,
      buffer: false,
      stdio,
    })
    if (child.pid === undefined) throw notStarted(file, (await child).cause)
    const ended = child.then((result) => result.signal ?? `exit code ${result.exitCode}`)
    return { pid: child.pid, ended, release: () => child.nodeChildProcess.unref() }
  } finally {
    closeSync(log)
  }
}

function notStarted(file: string, cause: unknown): CliError {
  const missing = (cause as { code?: unknown } | undefined)?.code === 'ENOENT'
  return new CliError(
    'SETUP',
    missing ? `there is no \`${file}\` on this machine` : `\`${file}\` could not be started`,
    'run `sh bin/setup`, which installs what is missing',
    { cause },
  )
}

function signalNumber(name: string | undefined): number {
  const numbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 }
  return numbers[name ?? ''] ?? 0
}
