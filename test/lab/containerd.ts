/** A real containerd of a test's own: its directories in a temporary one, itself in a network namespace, the demo image in it. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getuid, pid } from 'node:process'
import { silentLog } from '../../api/log.ts'
import { mountsBelow } from '../../api/mountinfo.ts'
import { createExec, type Exec } from '../../agent/kernel/exec.ts'
import { goArchitecture } from '../../agent/metrics/node-facts.ts'
import { buildEchoImage } from '../../cli/lab/image/image.ts'

/** Why a test with a real containerd cannot run here; undefined if it can. */
export const noContainerd: string | undefined =
  getuid?.() === 0 ? ['/usr/bin/containerd', '/usr/bin/ctr', '/usr/lib/cni/ptp', '/bin/busybox'].filter(absent).map((p) => `no ${p}`)[0] : 'not root'

function absent(path: string): boolean {
  try {
    readFileSync(path, { flag: 'r' }).subarray(0, 1)
    return false
  } catch {
    return true
  }
}

export interface TestContainerd {
  /** Runs processes in the node's network namespace. */
  readonly exec: Exec
  /** Everything of this one stands below it. */
  readonly dir: string
  readonly address: string
  /** Name of the network namespace. */
  readonly netns: string
  /** Cgroup path below which the test's containers go. */
  readonly cgroup: string
  stop(): Promise<void>
}

const config = (dir: string): string => `version = 2
root = "${dir}/root"
state = "${dir}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs"]
[grpc]
  address = "${dir}/c.sock"
[debug]
  level = "warn"
`

/** @param name short; makes the prefix of everything outside the temporary directory */
export async function startContainerd(name: string, namespace: string): Promise<TestContainerd> {
  const outer = createExec(silentLog)
  const dir = mkdtempSync(join(tmpdir(), `wp-${name}-`))
  const netns = `wp-${name}-${pid}`
  const address = join(dir, 'c.sock')
  const cgroup = `/${netns}`
  const deadline = (): AbortSignal => AbortSignal.timeout(20_000)
  const inside = (command: string, args: readonly string[]): { command: string; args: readonly string[] } => ({
    command: 'nsenter',
    args: [`--net=/run/netns/${netns}`, command, ...args],
  })
  const exec: Exec = {
    run: (c, signal) => outer.run({ ...c, ...inside(c.command, c.args) }, signal),
    stream: (c, onLine, signal) => outer.stream({ ...c, ...inside(c.command, c.args) }, onLine, signal),
  }
  const ctr = (...args: string[]) => outer.run({ command: 'ctr', args: ['-a', address, '-n', namespace, ...args] }, deadline())

  writeFileSync(join(dir, 'config.toml'), config(dir))
  await outer.run({ command: 'ip', args: ['netns', 'add', netns] }, deadline())
  await exec.run({ command: 'ip', args: ['link', 'set', 'lo', 'up'] }, deadline())
  const stopping = new AbortController()
  const ended = exec.stream({ command: 'containerd', args: ['--config', join(dir, 'config.toml')] }, () => {}, stopping.signal).catch(() => {})
  await answering(() => ctr('version'), deadline())
  writeFileSync(join(dir, 'echo.tar'), buildEchoImage({ busybox: readFileSync('/bin/busybox'), architecture: goArchitecture() }))
  await ctr('images', 'import', join(dir, 'echo.tar'))

  return {
    exec,
    dir,
    address,
    netns,
    cgroup,
    async stop() {
      const words = async (...args: string[]): Promise<string[]> => (await ctr(...args)).stdout.split('\n').filter((id) => id !== '')
      for (const id of await words('tasks', 'ls', '-q')) await ctr('tasks', 'rm', '--force', id).catch(() => {})
      for (const id of await words('containers', 'ls', '-q')) await ctr('containers', 'rm', id).catch(() => {})
      stopping.abort()
      await ended
      for (const path of mountsBelow(readFileSync('/proc/self/mountinfo', 'utf8'), [dir])) await outer.run({ command: 'umount', args: [path] }, deadline()).catch(() => {})
      const names = (await outer.run({ command: 'ip', args: ['netns', 'list'] }, deadline())).stdout.split('\n').map((l) => l.split(' ')[0]!)
      for (const left of names.filter((n) => n.startsWith(`wherry-${netns}-`) || n === netns)) {
        await outer.run({ command: 'ip', args: ['netns', 'delete', left] }, deadline())
      }
      dropCgroups(netns)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function answering(ask: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const answered = await ask().then(
      () => true,
      () => false,
    )
    if (answered) return
  }
}

/** Removes the (empty) cgroups below a name in every hierarchy. */
function dropCgroups(name: string, mount = '/sys/fs/cgroup'): void {
  const drop = (dir: string): void => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) if (entry.isDirectory()) drop(join(dir, entry.name))
    rmdirSync(dir)
  }
  for (const hierarchy of ['.', ...readdirSync(mount)]) {
    try {
      drop(join(mount, hierarchy, name))
    } catch {
      // Not there, or still used: then the kernel keeps it.
    }
  }
}

/** A folder for one test, below the containerd's own. */
export function folder(under: TestContainerd, name: string): string {
  const path = join(under.dir, name)
  mkdirSync(path, { recursive: true })
  return path
}
