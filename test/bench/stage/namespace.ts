/** Network namespaces of the bench, named after the process that made them, and a folder for the files of each. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Namespace {
  readonly name: string
  /** Where it can be opened. */
  readonly path: string
  /** A folder for what lives in it. */
  readonly dir: string
  /** Ends every process in it, this one aside, and takes it away with its folder and its annexes. */
  remove(): void
}

const prefix = 'wherry-bench-'
const home = '/run/netns'
/** The node's address, of the range for benchmarks (RFC 2544). */
const nodeAddress = '198.18.0.11'

export function openNamespace(): Namespace {
  sweep()
  const namespace = make(nextName())
  const { name } = namespace
  try {
    ip('-n', name, 'addr', 'add', `${nodeAddress}/32`, 'dev', 'lo')
    // Every pod address answers here, and virtual IPs have a route, as they have on a node.
    ip('-n', name, 'route', 'add', 'local', '10.244.0.0/16', 'dev', 'lo')
    ip('-n', name, 'route', 'add', '10.96.0.0/12', 'dev', 'lo', 'src', nodeAddress)
  } catch (e) {
    remove(name)
    throw e
  }
  return namespace
}

/** One more that belongs to another and goes with it, with nothing but loopback. */
export function openAnnex({ name }: Namespace, title: string): Namespace {
  return make(`${name}-${title}`)
}

function make(name: string): Namespace {
  const dir = join(tmpdir(), name)
  mkdirSync(dir, { mode: 0o700 })
  ip('netns', 'add', name)
  ip('-n', name, 'link', 'set', 'lo', 'up')
  return { name, path: join(home, name), dir, remove: () => remove(name) }
}

const ip = (...args: readonly string[]): string => execFileSync('ip', args, { encoding: 'utf8' })

const present = (): readonly string[] => (existsSync(home) ? readdirSync(home).filter((name) => name.startsWith(prefix)) : [])

/** This process may have several of them. */
function nextName(): string {
  const taken = present()
  for (let n = 1; ; n++) if (!taken.includes(`${prefix}${process.pid}-${n}`)) return `${prefix}${process.pid}-${n}`
}

/** What processes left behind that could not clean up: those that were killed. */
function sweep(): void {
  for (const name of present()) if (!existsSync(`/proc/${name.slice(prefix.length).split('-')[0]}`)) remove(name)
}

function remove(name: string): void {
  for (const annex of present()) if (annex.startsWith(`${name}-`)) remove(annex)
  for (const pid of ip('netns', 'pids', name).split('\n').filter(Boolean).map(Number)) if (pid !== process.pid) end(pid)
  ip('netns', 'del', name)
  rmSync(join(tmpdir(), name), { recursive: true, force: true })
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ESRCH') throw e
  }
}
