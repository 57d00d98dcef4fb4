/**
 * Host names for containers. `ctr run` has no flag for one, but it can join namespaces: so each container that has a network
 * of its own gets a UTS namespace (uts_namespaces(7)) that was made beforehand, pinned to a file and named.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ExecError, type Exec } from '../../kernel/exec.ts'
import { RuntimeError } from './error.ts'

export interface HostNames {
  /** @returns path of the namespace. @throws RuntimeError CONTAINER_CREATE */
  make(id: string, hostname: string, signal: AbortSignal): Promise<string>
  /** No error if there is none. */
  drop(id: string, signal: AbortSignal): Promise<void>
}

const timeoutMs = 10_000

export function createHostNames(exec: Exec, dir: string): HostNames {
  const path = (id: string): string => join(dir, id)

  const drop = async (id: string, signal: AbortSignal): Promise<void> => {
    if (!existsSync(path(id))) return
    // That it fails means that nothing is mounted there, as after a restart of the machine.
    await exec.run({ command: 'umount', args: [path(id)], timeoutMs }, signal).catch((e: unknown) => {
      if (!(e instanceof ExecError) || e.exitCode === undefined) throw e
    })
    rmSync(path(id), { force: true })
  }

  return {
    drop,
    async make(id, hostname, signal) {
      await drop(id, signal)
      mkdirSync(dir, { recursive: true })
      writeFileSync(path(id), '')
      try {
        await exec.run({ command: 'unshare', args: [`--uts=${path(id)}`, 'hostname', hostname], timeoutMs }, signal)
      } catch (cause) {
        signal.throwIfAborted()
        const { message } = cause as Error
        throw new RuntimeError('CONTAINER_CREATE', `the host name ${hostname} could not be set: ${message}`, { cause })
      }
      return path(id)
    },
  }
}
