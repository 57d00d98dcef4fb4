/**
 * Network namespaces for tests (ip-netns(8), setns(2)). A lab makes them with names of its own and takes all of them away when
 * the surrounding `describe` ends, whether its tests passed or not. Needs root: see `describeAsRoot`.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { afterAll, describe } from 'vitest'
import { silentLog } from '../../api/log.ts'
import { createExec, type Exec, type Output } from '../../agent/kernel/exec.ts'

export interface Netns {
  /** `wt-` and eight hexadecimal digits. */
  readonly name: string
  /** Where the namespace can be opened: /run/netns/NAME. */
  readonly path: string
  /** Runs processes inside. */
  readonly exec: Exec
}

/** One end of a cable: an address with its prefix length (`10.0.0.1/24`) in a namespace. */
export interface CableEnd {
  readonly netns: Netns
  readonly address: string
}

export interface NetnsLab {
  /** A namespace with nothing but loopback, which is up. */
  create(): Promise<Netns>
  /** A veth pair between two namespaces, both ends up. Gives the names of the interfaces. */
  cable(a: CableEnd, b: CableEnd): Promise<readonly [string, string]>
  /** @param to a prefix or `default` */
  route(netns: Netns, to: string, via: string): Promise<void>
  /** Sets a kernel variable of the namespace, e.g. `net.ipv4.ip_forward`. */
  sysctl(netns: Netns, key: `net.${string}`, value: string): Promise<void>
}

/** A `describe` for tests that need root; without root they are skipped, and their title says so. */
export function describeAsRoot(title: string, body: () => void): void {
  const root = process.getuid?.() === 0
  describe.skipIf(!root)(root ? title : `${title} (skipped: needs root)`, body)
}

/** To be called in a `describe` body: what the lab makes lives until the end of that `describe`. */
export function netnsLab(): NetnsLab {
  const exec = createExec(silentLog)
  const made: Netns[] = []
  const ip = (...args: readonly string[]): Promise<Output> => exec.run({ command: 'ip', args }, AbortSignal.timeout(10_000))
  let cables = 0

  afterAll(async () => {
    const removals = await Promise.allSettled(made.map((netns) => ip('netns', 'delete', netns.name)))
    const failed = removals.filter((removal) => removal.status === 'rejected')
    if (failed.length > 0)
      throw new AggregateError(
        failed.map((removal) => removal.reason),
        'network namespaces were left behind',
      )
  })

  return {
    async create() {
      const name = `wt-${randomBytes(4).toString('hex')}`
      await ip('netns', 'add', name)
      const path = `/run/netns/${name}`
      const netns: Netns = { name, path, exec: execInside(exec, path) }
      made.push(netns)
      await ip('-n', name, 'link', 'set', 'lo', 'up')
      return netns
    },
    async cable(a, b) {
      const names = [`veth${cables++}`, `veth${cables++}`] as const
      await ip('link', 'add', names[0], 'netns', a.netns.name, 'type', 'veth', 'peer', 'name', names[1], 'netns', b.netns.name)
      for (const [i, { netns, address }] of [a, b].entries()) {
        await ip('-n', netns.name, 'address', 'add', address, 'dev', names[i]!)
        await ip('-n', netns.name, 'link', 'set', names[i]!, 'up')
      }
      return names
    },
    async route(netns, to, via) {
      await ip('-n', netns.name, 'route', 'add', to, 'via', via)
    },
    async sysctl(netns, key, value) {
      // The namespace of the thread that opens the file counts, and synchronous calls run on the main thread.
      await inNamespace(netns, () => writeFileSync(`/proc/sys/${key.replaceAll('.', '/')}`, value))
    },
  }
}

/** Runs one command inside a namespace; rejects with ExecError if it fails. */
export function execIn(netns: Netns, command: string, args: readonly string[]): Promise<Output> {
  return netns.exec.run({ command, args }, AbortSignal.timeout(20_000))
}

function execInside(exec: Exec, path: string): Exec {
  const args = (command: string, rest: readonly string[]): readonly string[] => [`--net=${path}`, '--', command, ...rest]
  return {
    run: (command, signal) => exec.run({ ...command, command: 'nsenter', args: args(command.command, command.args) }, signal),
    stream: (command, onLine, signal) =>
      exec.stream({ ...command, command: 'nsenter', args: args(command.command, command.args) }, onLine, signal),
  }
}

/**
 * Runs a function with this process's main thread inside a namespace, and comes back also if it fails. While it runs, all
 * that the main thread does is inside: sockets, children, libraries called in process. Calls may be nested, but must not
 * overlap otherwise. Works on a main thread only, which is where vitest's forks run tests.
 */
export async function inNamespace<T>(netns: Pick<Netns, 'name' | 'path'>, run: () => T | Promise<T>): Promise<T> {
  const { dlopen } = await import('node:ffi')
  const { setns } = dlopen(null, { setns: { arguments: ['i32', 'i32'], return: 'i32' } }).functions
  const enter = (fd: number): void => {
    if (setns(fd, newNet) !== 0) throw new Error(`setns(2) into ${netns.name} or back from it failed`)
  }
  const home = openSync('/proc/thread-self/ns/net', 'r')
  try {
    const there = openSync(netns.path, 'r')
    try {
      enter(there)
    } finally {
      closeSync(there)
    }
    try {
      return await run()
    } finally {
      enter(home)
    }
  } finally {
    closeSync(home)
  }
}

/** CLONE_NEWNET of sched.h. */
const newNet = 0x40000000
