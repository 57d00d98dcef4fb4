/** Who a process is: its id and when it began, because ids are used again. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { type Clock, sleep } from '../../api/clock.ts'

export interface Identity {
  readonly pid: number
  /** Clock ticks after boot at which the process began: field 22 of /proc/PID/stat, proc(5). */
  readonly startTicks: number
  /** /proc/sys/kernel/random/boot_id: ticks count from the boot. */
  readonly boot: string
}

export interface Stat {
  readonly pid: number
  readonly command: string
  /** One letter; `Z` and `X` are dead. */
  readonly state: string
  /** Field 20, proc(5). */
  readonly threads: number
  readonly startTicks: number
}

/** Reads the one line of /proc/PID/stat. The command may hold blanks and brackets, so the last `)` counts. */
export function parseStat(text: string): Stat {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  const rest = text.slice(close + 2).split(' ')
  return {
    pid: Number(text.slice(0, open)),
    command: text.slice(open + 1, close),
    state: rest[0] ?? 'X',
    threads: Number(rest[17] ?? Number.NaN),
    startTicks: Number(rest[19] ?? Number.NaN),
  }
}

/** The process table as this room needs it. */
export interface Processes {
  /** Undefined where no such process lives. A zombie does not live, but while one of its threads ends its files are open. */
  identify(pid: number): Identity | undefined
  /** Whether the very same process still lives. */
  isAlive(identity: Identity): boolean
  /** Sends a signal if the very same process still lives; `group` sends it to the whole process group that it leads. */
  signal(identity: Identity, name: NodeJS.Signals, to?: 'process' | 'group'): void
  /** Inode of the process's network namespace, e.g. `net:[4026532456]`. */
  network(pid: number): string | undefined
  /** Its program and arguments. */
  command(pid: number): readonly string[] | undefined
  /** Every process's id. */
  all(): readonly number[]
}

/** The machine's own processes. */
export function createProcesses(proc = '/proc'): Processes {
  const boot = (): string => readFileSync(`${proc}/sys/kernel/random/boot_id`, 'utf8').trim()
  const identify = (pid: number): Identity | undefined => {
    const text = quietly(() => readFileSync(`${proc}/${pid}/stat`, 'utf8'))
    if (text === undefined) return undefined
    const { state, threads, startTicks } = parseStat(text)
    return state === 'X' || (state === 'Z' && threads <= 1) ? undefined : { pid, startTicks, boot: boot() }
  }
  const isAlive = (identity: Identity): boolean => {
    const now = identify(identity.pid)
    return now !== undefined && now.startTicks === identity.startTicks && now.boot === identity.boot
  }
  return {
    identify,
    isAlive,
    signal(identity, name, to = 'process') {
      if (!isAlive(identity)) return
      quietly(() => process.kill(to === 'group' ? -identity.pid : identity.pid, name))
    },
    network: (pid) => quietly(() => readlinkSync(`${proc}/${pid}/ns/net`)),
    command: (pid) => quietly(() => readFileSync(`${proc}/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)),
    all: () =>
      readdirSync(proc)
        .filter((name) => /^\d+$/.test(name))
        .map(Number),
  }
}

export interface EndOptions {
  readonly processes: Processes
  readonly clock: Clock
  readonly signal: AbortSignal
  /** How long a polite signal may take before SIGKILL. */
  readonly graceMs: number
}

/** Ends a process: SIGTERM, and SIGKILL to its group after the grace. Resolves when it is gone. */
export async function endProcess(identity: Identity, options: EndOptions): Promise<'gone' | 'term' | 'kill'> {
  const { processes } = options
  if (!processes.isAlive(identity)) return 'gone'
  processes.signal(identity, 'SIGTERM')
  if (await waitForEnd(identity, options.graceMs, options)) return 'term'
  processes.signal(identity, 'SIGKILL', 'group')
  processes.signal(identity, 'SIGKILL')
  await waitForEnd(identity, 5_000, options)
  return 'kill'
}

/** Whether the process ended within `ms`. */
export async function waitForEnd(identity: Identity, ms: number, options: Omit<EndOptions, 'graceMs'>): Promise<boolean> {
  const { processes, clock, signal } = options
  const until = clock.now() + ms
  while (processes.isAlive(identity)) {
    if (clock.now() >= until) return false
    await sleep(clock, 25, signal)
  }
  return true
}

function quietly<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}
