/** The `ip` program (iproute2), as a function. */
import { ExecError, type Exec } from '../kernel/exec.ts'
import { NetError } from './error.ts'

export interface Ip {
  /** @returns stdout. @throws NetError KERNEL_REFUSED with the tool's own words */
  (args: readonly string[], signal: AbortSignal): Promise<string>
}

const timeoutMs = 10_000

export function createIp(exec: Exec): Ip {
  return async (args, signal) => {
    try {
      return (await exec.run({ command: 'ip', args, timeoutMs }, signal)).stdout
    } catch (cause) {
      if (!(cause instanceof ExecError)) throw cause
      throw new NetError('KERNEL_REFUSED', `ip ${args.join(' ')}: ${cause.stderr.trim() || cause.message}`, { cause })
    }
  }
}

/** Reads what `ip -json` prints; where there is nothing to tell it prints nothing at all. */
export function readJson<T>(text: string): readonly T[] {
  return text.trim() === '' ? [] : (JSON.parse(text) as T[])
}
