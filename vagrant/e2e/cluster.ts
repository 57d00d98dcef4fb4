/** The cluster under test, as its user has it: vagrant, kubectl, and commands on the machines. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../api/clock.ts'
import type { Exec } from '../../cli/exec.ts'
import { waitFor } from '../../cli/wait.ts'
import type { RunConfig } from './config.ts'
import { CheckError } from './error.ts'
import type { Ground } from './ground.ts'
import { createSsh, type Machine, type Ssh } from './ssh.ts'

export interface Cluster extends Ssh {
  readonly machines: readonly Machine[]
  readonly hub: Machine
  readonly workers: readonly Machine[]
  readonly kubeconfig: string
  /** Runs vagrant, and keeps what it says in a log. @returns its output */
  vagrant(...argv: readonly string[]): Promise<string>
  /** The same, with variables for the Vagrantfile. */
  vagrantWith(env: Readonly<Record<string, string>>, ...argv: readonly string[]): Promise<string>
  /** Runs a script of the user's on this host, in the namespace. */
  script(text: string): Promise<string>
  kubectl(...argv: readonly string[]): Promise<string>
  kubectlJson<T>(...argv: readonly string[]): Promise<T>
  apply(...objects: readonly object[]): Promise<void>
  /** Parts of the checkout, but for what is left out, in one file of this run. @returns its path */
  pack(name: string, parts: readonly string[], without: readonly string[]): Promise<string>
  /** GET from this host. @returns the body */
  curl(url: string): Promise<string>
  /** Power off, as if the cord was pulled. */
  pullCord(machine: Machine): Promise<void>
  /** Looks until there is an object; a text says what is missing. */
  until<T extends object>(what: string, seconds: number, look: () => Promise<T | string | undefined>): Promise<T>
  /** Journals of all machines that can be reached, for whoever looks at a failure. */
  keepJournals(): Promise<string>
}

export interface ClusterDeps {
  readonly config: RunConfig
  readonly ground: Ground
  readonly exec: Exec
  readonly clock: Clock
  readonly signal: AbortSignal
}

export function createCluster({ config, ground, exec, clock, signal }: ClusterDeps): Cluster {
  const { work, net, folder } = config
  const logs = join(work, 'logs')
  mkdirSync(logs, { recursive: true })
  const hub: Machine = { name: 'hub', address: `${net}.10` }
  const workers = Array.from({ length: config.workers }, (_, i): Machine => ({ name: `worker${i + 1}`, address: `${net}.${11 + i}` }))
  const machines = [hub, ...workers]
  const dotfiles = join(work, 'dot')
  const kubeconfig = join(dotfiles, 'wherry/kubeconfig')
  const variables = {
    VAGRANT_HOME: join(work, 'home'),
    VAGRANT_DOTFILE_PATH: dotfiles,
    VAGRANT_CWD: folder,
    VAGRANT_DEFAULT_PROVIDER: 'libvirt',
    VAGRANT_CHECKPOINT_DISABLE: '1',
    VAGRANT_NO_COLOR: '1',
    WHERRY_BOX: 'wherry/offline',
    WHERRY_NET: net,
    WHERRY_WORKERS: String(config.workers),
    HOME: work,
  }
  const withVariables = (env: Readonly<Record<string, string>>, argv: readonly string[]): readonly string[] =>
    ground.inside(['env', ...Object.entries({ ...variables, ...env }).map(([name, value]) => `${name}=${value}`), ...argv])
  const ssh = createSsh({ machines, work, logs, key: join(variables.VAGRANT_HOME, 'insecure_private_key'), ground, exec, signal })
  let runs = 0

  const vagrantWith: Cluster['vagrantWith'] = async (env, ...argv) => {
    const result = await exec.tryRun(withVariables(env, ['vagrant', ...argv]), { signal, timeoutMs: 3_600_000 })
    const text = `${result.stdout}${result.stderr}`.split('\n').filter((line) => !line.includes('Progress:')).join('\n')
    const log = join(logs, `vagrant-${++runs}-${argv[0] ?? ''}.log`)
    writeFileSync(log, text)
    if (result.exitCode !== 0) throw new CheckError(`vagrant ${argv.join(' ')} ended with ${result.exitCode}; ${log} ends: ${text.trim().split('\n').slice(-8).join(' | ')}`)
    return text
  }

  const kubectlArgv = (argv: readonly string[]): readonly string[] =>
    ground.inside(['kubectl', '--kubeconfig', kubeconfig, '--cache-dir', join(work, 'kubectl'), '--request-timeout', '60s', ...argv])
  const kubectl: Cluster['kubectl'] = async (...argv) => (await exec.run(kubectlArgv(argv), { signal, timeoutMs: 600_000 })).stdout

  return {
    machines,
    hub,
    workers,
    kubeconfig,
    vagrant: (...argv) => vagrantWith({}, ...argv),
    vagrantWith,
    async script(text) {
      const file = join(work, 'script.sh')
      writeFileSync(file, `set -e\ncd '${folder}'\n${text}\n`)
      return (await exec.run(withVariables({}, ['bash', file]), { signal, timeoutMs: 1_200_000 })).stdout
    },
    ...ssh,
    kubectl,
    kubectlJson: async <T>(...argv: readonly string[]) => JSON.parse(await kubectl(...argv, '-o', 'json')) as T,
    async apply(...objects) {
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
      await exec.run(kubectlArgv(['apply', '-f', '-']), { signal, timeoutMs: 120_000, input })
    },
    async pack(name, parts, without) {
      const file = join(work, name)
      await exec.run(['tar', '-C', join(folder, '..'), ...without.map((path) => `--exclude=./${path}`), '-czf', file, ...parts.map((part) => `./${part}`)], { signal, timeoutMs: 600_000 })
      return file
    },
    async curl(url) {
      return (await exec.run(ground.inside(['curl', '-fsS', '--max-time', '20', url]), { signal, timeoutMs: 30_000 })).stdout
    },
    async pullCord(machine) {
      await ground.virsh('destroy', `wherry-e2e_${machine.name}`)
    },
    until: (what, seconds, look) => waitFor(what, look, { clock, signal, timeoutMs: seconds * 1_000, everyMs: 1_000, advice: `see the journals in ${logs}` }),
    keepJournals: () => keepJournals(machines, ssh, logs),
  }
}

async function keepJournals(machines: readonly Machine[], by: Ssh, logs: string): Promise<string> {
  const units = '-u wherry-hub -u wherry-agent -u containerd -u wherry-traffic'
  for (const machine of machines) {
    const { stdout } = await by.trySsh(machine, `sudo journalctl --no-pager -n 400 ${units}`).catch(() => ({ stdout: 'it could not be reached' }))
    writeFileSync(join(logs, `journal-${machine.name}.log`), stdout)
  }
  return logs
}
