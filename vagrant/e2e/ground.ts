/**
 * What virtual machines stand on, on a machine without hardware virtualisation and without a network: libvirt with QEMU's software
 * emulation, and every bridge, every packet and Vagrant itself inside one network namespace.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../api/clock.ts'
import type { Exec, RunResult } from '../../cli/exec.ts'
import { waitFor } from '../../cli/wait.ts'
import type { RunConfig } from './config.ts'
import { CheckError } from './error.ts'

export interface GroundDeps {
  readonly config: RunConfig
  readonly exec: Exec
  readonly clock: Clock
  readonly signal: AbortSignal
}

export interface Ground {
  /** Namespace, libvirtd, storage pool, and the settings of Vagrant that are this ground's. */
  up(): Promise<void>
  /** Everything of `up`, and what stood on it, away again. @returns what is left */
  down(): Promise<readonly string[]>
  /** The command, in the namespace. */
  inside(argv: readonly string[]): readonly string[]
  virsh(...argv: readonly string[]): Promise<RunResult>
}

/** One libvirtd, as root, without the daemons and the control groups that a machine without systemd does not have. */
const qemuConf = `user = "root"
group = "root"
dynamic_ownership = 1
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
`

/** Emulation keeps what it translated in 1 GiB for each machine, unless it is told otherwise; libvirt's plugin has no word for it. */
const emulator = `#!/bin/bash
a=()
for x in "$@"; do
  [ "$x" != tcg ] || x=tcg,tb-size=256
  a+=("$x")
done
exec -a qemu-system-x86_64 /usr/bin/qemu-system-x86_64 "\${a[@]}"
`

const pool = 'wherry-e2e'

export function createGround({ config, exec, clock, signal }: GroundDeps): Ground {
  const { work, namespace } = config
  const pidFile = join(work, 'libvirtd.pid')
  const quick = { signal, timeoutMs: 60_000 }
  const virsh = (...argv: readonly string[]): Promise<RunResult> => exec.tryRun(['virsh', '-q', '-c', 'qemu:///system', ...argv], quick)
  const inside = (argv: readonly string[]): readonly string[] => ['ip', 'netns', 'exec', namespace, ...argv]

  const daemon = (): number | undefined => {
    if (!existsSync(pidFile)) return undefined
    const pid = Number(readFileSync(pidFile, 'utf8'))
    return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'libvirtd' ? pid : undefined
  }

  async function startDaemon(): Promise<void> {
    if (daemon() === undefined) {
      // A libvirtd of the machine would make its bridges in the machine's own network.
      if ((await virsh('version')).exitCode === 0) throw new CheckError('a libvirtd runs on this machine already: stop it first')
      // Settings and state of its own: the machine's networks and machines are not seen, let alone touched.
      const [settings, state] = [join(work, 'libvirt/etc'), join(work, 'libvirt/lib')]
      for (const folder of [settings, state]) mkdirSync(folder, { recursive: true })
      writeFileSync(join(settings, 'qemu.conf'), qemuConf, { mode: 0o600 })
      const start = `mount --bind ${settings} /etc/libvirt && mount --bind ${state} /var/lib/libvirt && exec /usr/sbin/libvirtd -d --pid-file ${pidFile}`
      await exec.run(inside(['setsid', 'unshare', '--mount', 'sh', '-c', start]), quick)
    }
    await waitFor('libvirtd', async () => ((await virsh('list')).exitCode === 0 ? {} : undefined), { clock, signal, timeoutMs: 60_000, advice: 'journal of libvirtd' })
  }

  async function startPool(): Promise<void> {
    const target = join(work, 'pool')
    mkdirSync(target, { recursive: true })
    if ((await virsh('pool-info', pool)).exitCode !== 0) await virsh('pool-define-as', pool, 'dir', '--target', target)
    await virsh('pool-start', pool)
  }

  /** Vagrant merges this with the project's Vagrantfile, which so stays as everybody has it. */
  function writeSettings(): void {
    const home = join(work, 'home')
    mkdirSync(home, { recursive: true })
    const wrapper = join(work, 'emulator')
    writeFileSync(wrapper, emulator)
    chmodSync(wrapper, 0o755)
    writeFileSync(
      join(home, 'Vagrantfile'),
      `Vagrant.configure("2") do |config|
  config.ssh.insert_key = false
  config.vm.boot_timeout = 1800
  config.vm.provider :libvirt do |lv|
    lv.uri = "qemu:///system"
    lv.driver = "qemu"
    lv.emulator_path = "${wrapper}"
    lv.storage_pool_name = "${pool}"
    lv.management_network_name = "wherry-e2e-mgmt"
    lv.management_network_address = "198.19.0.0/24"
    lv.management_network_mode = "none"
    lv.default_prefix = "wherry-e2e_"
  end
end
`,
    )
  }

  return {
    inside,
    virsh,
    async up() {
      mkdirSync(work, { recursive: true, mode: 0o700 })
      if (!existsSync(`/run/netns/${namespace}`)) await exec.run(['ip', 'netns', 'add', namespace], quick)
      await exec.run(['ip', '-n', namespace, 'link', 'set', 'lo', 'up'], quick)
      writeSettings()
      await startDaemon()
      await startPool()
    },
    down: () => takeDown({ config, exec, clock, daemon }),
  }
}

interface DownDeps extends Omit<GroundDeps, 'signal'> {
  /** The process of our libvirtd, if it runs. */
  readonly daemon: () => number | undefined
}

/** Also after an interruption, so with a deadline of its own. */
async function takeDown({ config, exec, clock, daemon }: DownDeps): Promise<readonly string[]> {
  const { work, namespace } = config
  const free = { signal: AbortSignal.timeout(300_000), timeoutMs: 120_000 }
  const ask = (...argv: readonly string[]): Promise<RunResult> => exec.tryRun(['virsh', '-q', '-c', 'qemu:///system', ...argv], free)
  const pid = daemon()
  if (pid !== undefined) {
    for (const name of words((await ask('list', '--all', '--name')).stdout)) {
      await ask('destroy', name)
      await ask('undefine', name, '--managed-save', '--snapshots-metadata')
    }
    for (const name of words((await ask('net-list', '--all', '--name')).stdout)) {
      await ask('net-destroy', name)
      await ask('net-undefine', name)
    }
    await ask('pool-destroy', pool)
    await ask('pool-undefine', pool)
    process.kill(pid, 'SIGTERM')
    const options = { clock, signal: free.signal, timeoutMs: 30_000, advice: `kill ${pid}` }
    await waitFor('libvirtd to end', async () => (daemon() === undefined ? {} : undefined), options)
  }
  if (!existsSync(`/run/netns/${namespace}`)) return []
  const inNamespace = async (): Promise<readonly string[]> =>
    words((await exec.run(['ip', 'netns', 'pids', namespace], free)).stdout).filter((id) => !isDefunct(id))
  // Connections that ssh keeps open for a while end when their socket goes.
  for (const name of listed(work).filter((file) => file.startsWith('ssh-'))) await exec.tryRun(['ssh', '-O', 'exit', '-o', `ControlPath=${join(work, name)}`, 'any'], free)
  const left = await inNamespace()
  if (left.length > 0) return left.map((id) => `process ${id}`)
  await exec.run(['ip', 'netns', 'del', namespace], free)
  for (const name of listed(work)) if (name !== 'logs') rmSync(join(work, name), { recursive: true, force: true })
  return []
}

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== '')

function listed(dir: string): readonly string[] {
  return existsSync(dir) ? readdirSync(dir) : []
}

/** Whether only its entry is left, which nobody has collected yet. */
function isDefunct(pid: string): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}
