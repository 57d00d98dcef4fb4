/** node1's process, seen from the tests: it is told what the cluster is, and waited for until it says that the rules follow. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { StreamFrame } from '../../api/frames.ts'
import type { ModeName } from '../../rules/mode.ts'
import type { Family, NodeConfig } from '../../rules/model.ts'
import type { Netns } from '../kit/netns.ts'
import type { Order, Told } from './node-process.ts'

export interface AgentProcess {
  /** Resolves when the rules of these frames are in the kernel, as the `sync` at their end says. */
  send(frames: readonly StreamFrame[]): Promise<void>
  configure(family: Family, config: NodeConfig): Promise<void>
  /** Resolves when connection tracking has followed all that was sent. */
  settled(): Promise<void>
  /** Resolves when another pass was made, after what `cause` did. */
  passAfter(cause: () => Promise<unknown>): Promise<void>
  /** Ends it; `crash` gives it no chance to do anything. */
  end(how: 'stop' | 'clean-up' | 'crash'): Promise<void>
}

const root = resolve(import.meta.dirname, '../..')
const flags = ['--experimental-ffi', '--disable-warning=ExperimentalWarning']
/** Emulated machines are slow; what a fault keeps from happening is not waited for so long. */
const [patienceMs, faultPatienceMs] = [40_000, 8_000]
/** To load the program, cold, where the processor is emulated. */
const startMs = 180_000
const keptLines = 25

/** @param fault of faults.ts, to be planted in it */
export function startAgent(node: Netns, mode: ModeName, fault?: string): AgentProcess {
  const deadlineMs = fault === undefined ? patienceMs : faultPatienceMs
  const program = join(root, 'test/routing/node-process.ts')
  const child = spawn('nsenter', [`--net=${node.path}`, '--', process.execPath, ...flags, program, mode, ...(fault === undefined ? [] : [fault])], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/wherry') },
  })
  const closed = once(child, 'close')
  const lines: string[] = []
  let told: Told = { applied: 0, passes: 0, busy: true }
  let [isOver, isHeard] = [false, false]
  let waiting: (() => void)[] = []
  const ring = (): void => {
    const woken = waiting
    waiting = []
    for (const go of woken) go()
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    told = JSON.parse(line) as Told
    isHeard = true
    ring()
  })
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    if (lines.length > keptLines) lines.shift()
  })
  child.once('close', () => {
    isOver = true
    ring()
  })
  child.stdin.on('error', () => {})

  const within = async (ms: number, what: string, reached: () => boolean): Promise<void> => {
    const timeout = AbortSignal.timeout(ms)
    timeout.addEventListener('abort', ring, { once: true })
    while (!reached()) {
      if (isOver || timeout.aborted || told.failed !== undefined)
        throw new Error(`${what}: ${isOver ? 'the process ended' : (told.failed ?? `not within ${ms} ms`)}. It said:\n${lines.join('\n')}`)
      await new Promise<void>((go) => void waiting.push(go))
    }
  }
  const until = async (what: string, reached: () => boolean): Promise<void> => {
    await within(startMs, 'its start was waited for', () => isHeard)
    await within(deadlineMs, what, reached)
  }
  const order = (given: Order): void => void child.stdin.write(`${JSON.stringify(given)}\n`)
  const passAfter: AgentProcess['passAfter'] = async (cause) => {
    const before = told.passes
    await cause()
    await until('another pass was waited for', () => told.passes > before)
  }
  return {
    async send(frames) {
      const last = frames.at(-1)
      order({ kind: 'frames', frames })
      if (last?.kind === 'sync') await until(`revision ${last.revision} was waited for`, () => told.applied >= last.revision)
    },
    configure: (family, config) => passAfter(async () => order({ kind: 'configure', family, config })),
    settled: () => until('connection tracking was waited for', () => !told.busy),
    passAfter,
    async end(how) {
      // nsenter(1) has become the program that it started.
      if (how === 'crash') child.kill('SIGKILL')
      else order({ kind: how })
      await closed
    },
  }
}
