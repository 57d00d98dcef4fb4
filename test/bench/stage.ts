/**
 * The stage of the benchmark: one network namespace with a real hub, a real agent (services only), and a responder that
 * answers on every pod address. Runs inside that namespace; everything it starts ends with it.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { waitFor } from '../kit/wait.ts'

const root = resolve(import.meta.dirname, '../..')
const flags = ['--experimental-ffi', '--disable-warning=ExperimentalWarning']
export const hubUrl = 'https://127.0.0.1:6443'
export const nodeAddress = '198.18.0.11'
export const responderPort = 8080

export interface Member {
  readonly pid: number
  /** Lines of its log that carry this message, as parsed JSON. */
  lines(message: string): readonly Readonly<Record<string, unknown>>[]
  /** Seconds of CPU so far. */
  cpuSeconds(): number
  /** Resident memory in MB. */
  rssMB(): number
  stop(): Promise<void>
}

export interface Stage {
  readonly dir: string
  hub(): Promise<Member>
  agent(): Member
  responder(): Promise<Member>
  close(): Promise<void>
}

export async function openStage(): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), 'wherry-bench-'))
  const members: Member[] = []
  const start = (args: readonly string[]): Member & { readonly output: () => string } => {
    const member = watchOver(spawn(process.execPath, [...flags, ...args], { cwd: root, env: { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/wherry') }, stdio: ['ignore', 'pipe', 'pipe'] }))
    members.push(member)
    return member
  }
  return {
    dir,
    async hub() {
      const hub = start(['server/main.ts', '--data', join(dir, 'hub'), '--listen', '127.0.0.1:6443', '--log-level', 'info'])
      await waitFor('the hub to serve', () => hub.lines('the hub is serving').length > 0, 30_000)
      return hub
    },
    agent: () =>
      start(['--max-semi-space-size=1', '--expose-gc', 'agent/main.ts', '--node', 'node1', '--hub', hubUrl, '--credentials', join(dir, 'node1'), '--state', join(dir, 'agent'), '--services-only']),
    async responder() {
      const responder = start(['test/bench/responder.ts', String(responderPort)])
      await waitFor('the responder', () => responder.output().includes('listening'))
      return responder
    },
    async close() {
      await Promise.all(members.map((m) => m.stop()))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function watchOver(child: ChildProcess): Member & { readonly output: () => string } {
  let output = ''
  child.stdout!.on('data', (d) => (output += String(d)))
  child.stderr!.on('data', (d) => (output += String(d)))
  const ended = new Promise<void>((done) => child.on('close', () => done()))
  const pid = child.pid!
  return {
    pid,
    output: () => output,
    lines(message) {
      return output.split('\n').flatMap((line) => {
        if (!line.startsWith('{')) return []
        const parsed = JSON.parse(line) as Record<string, unknown>
        return parsed['msg'] === message ? [parsed] : []
      })
    },
    cpuSeconds() {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      // utime and stime in ticks of 10 ms (proc(5))
      return (Number(fields[11]) + Number(fields[12])) / 100
    },
    rssMB: () => Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await ended
      clearTimeout(late)
    },
  }
}
