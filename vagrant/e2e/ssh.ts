/** Commands and files over ssh, by the vagrant user, to the machines' private network. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Exec, RunResult } from '../../cli/exec.ts'
import { CheckError } from './error.ts'
import type { Ground } from './ground.ts'

export interface Machine {
  readonly name: string
  readonly address: string
}

export interface Ssh {
  /** A command for the shell of a machine. @throws CheckError if it fails */
  ssh(machine: Machine, command: string): Promise<string>
  trySsh(machine: Machine, command: string): Promise<RunResult>
  /** A file of this host to a machine, where that user may write. */
  send(machine: Machine, file: string, to: string): Promise<void>
  /** A file that everybody on a machine may read, among the logs of this run. @returns its path here */
  fetch(machine: Machine, file: string, name: string): Promise<string>
}

export interface SshDeps {
  readonly machines: readonly Machine[]
  readonly work: string
  readonly logs: string
  /** The file of the private key. */
  readonly key: string
  readonly ground: Ground
  readonly exec: Exec
  readonly signal: AbortSignal
}

export function createSsh(deps: SshDeps): Ssh {
  const { work, logs, ground, exec, signal } = deps
  const file = join(work, 'ssh.config')
  // Once: several commands run at a time, and each reads it.
  writeFileSync(file, settings(deps))
  const inside = (program: string, ...args: readonly string[]): readonly string[] => ground.inside([program, '-F', file, ...args])
  const trySsh: Ssh['trySsh'] = (machine, command) => exec.tryRun(inside('ssh', machine.name, '--', command), { signal, timeoutMs: 600_000 })
  const ssh: Ssh['ssh'] = async (machine, command) => {
    const { exitCode, stdout, stderr } = await trySsh(machine, command)
    if (exitCode !== 0) throw new CheckError(`on ${machine.name}, \`${command}\` ended with ${exitCode}: ${(stderr.trim() || stdout.trim()).slice(-400)}`)
    return stdout
  }
  return {
    ssh,
    trySsh,
    async send(machine, from, to) {
      await exec.run(inside('scp', '-q', from, `${machine.name}:${to}`), { signal, timeoutMs: 1_800_000 })
    },
    async fetch(machine, from, name) {
      const here = join(logs, name)
      writeFileSync(here, await ssh(machine, `cat ${from}`))
      return here
    },
  }
}

/** Machines by their addresses in the private network, each with one connection that its commands share. */
function settings({ machines, work, key }: SshDeps): string {
  return [
    ...machines.map(({ name, address }) => `Host ${name}\n  HostName ${address}\n`),
    'Host *',
    '  User vagrant',
    `  IdentityFile ${key}`,
    '  StrictHostKeyChecking no',
    '  UserKnownHostsFile /dev/null',
    '  LogLevel ERROR',
    '  BatchMode yes',
    '  ConnectTimeout 20',
    '  ServerAliveInterval 5',
    '  ServerAliveCountMax 4',
    '  ControlMaster auto',
    `  ControlPath ${work}/ssh-%n`,
    '  ControlPersist 120',
    '',
  ].join('\n')
}
