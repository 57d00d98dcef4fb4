/** One call of the `ctr` program, with the words that every call shares. */
import { ExecError, type Command, type Exec } from '../../kernel/exec.ts'
import { lastWords } from './ctr-output.ts'
import { RuntimeError } from './error.ts'

export interface CtrResult {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

export interface Ctr {
  /** Runs to the end; a failing exit code is an answer. @throws ExecError if it did not start, or not end in time */
  (args: readonly string[], signal: AbortSignal, timeoutMs?: number): Promise<CtrResult>
  /** The same for what has to work. @returns stdout. @throws RuntimeError CONTAINER_CREATE */
  ok(args: readonly string[], signal: AbortSignal): Promise<string>
}

/** The usual deadline of a call. Milliseconds. */
const quickMs = 30_000

export interface CtrTarget {
  readonly exec: Exec
  /** containerd's socket. */
  readonly address: string
  readonly namespace: string
}

export function ctrCommand(target: Pick<CtrTarget, 'address' | 'namespace'>, args: readonly string[]): Command {
  return { command: 'ctr', args: ['--address', target.address, '--namespace', target.namespace, ...args] }
}

export function createCtr(target: CtrTarget): Ctr {
  const run = async (args: readonly string[], signal: AbortSignal, timeoutMs = quickMs): Promise<CtrResult> => {
    try {
      return { ...(await target.exec.run({ ...ctrCommand(target, args), timeoutMs }, signal)), exitCode: 0 }
    } catch (e) {
      if (e instanceof ExecError && e.exitCode !== undefined) return { stdout: e.stdout, stderr: e.stderr, exitCode: e.exitCode }
      throw e
    }
  }
  const ok = async (args: readonly string[], signal: AbortSignal): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(args, signal)
    if (exitCode !== 0) throw new RuntimeError('CONTAINER_CREATE', `containerd at ${target.address}: ${lastWords(stderr)}`)
    return stdout
  }
  return Object.assign(run, { ok })
}
