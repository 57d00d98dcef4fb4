/** A process of the stage: what it logs, what it costs, how it ends. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

export interface Line extends Readonly<Record<string, unknown>> {
  readonly msg: string
}

export interface Memory {
  readonly rssMB: number
  /** Of it: its own, and pages of files. */
  readonly anonMB: number
  readonly fileMB: number
}

export interface Member {
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** Whether it has not ended. */
  readonly runs: boolean
  /** What it logged under this message so far. */
  lines(message: string): readonly Line[]
  /** Resolves with the first line of one of these messages, the first `skipped` aside. Rejects when the process ends before that. */
  said(messages: string | readonly string[], options?: { readonly skipped?: number; readonly withinMs?: number }): Promise<Line>
  /** The latest of them. */
  last(message: string): Line | undefined
  /** Ends its standard input. Resolves when the process has ended by itself. */
  finish(): Promise<void>
  /** Seconds of CPU so far, with those of its children that have ended. */
  cpuSeconds(): number
  memory(): Memory
  /** Asks it to end; after five seconds it has to. */
  stop(): Promise<void>
  /** SIGKILL */
  kill(): Promise<void>
}

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

export function startMember({ command, args, cwd, env }: Program): Member {
  const startedAt = Date.now()
  const child = spawn(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })
  const pid = child.pid!
  const lines: string[] = []
  const listeners = new Set<() => void>()
  let isOver = false
  const changed = (): void => {
    for (const look of listeners) look()
  }
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      changed()
    })
  }
  child.stdin.on('error', () => {})
  const ended = new Promise<void>((done) =>
    child.on('close', () => {
      isOver = true
      changed()
      done()
    }),
  )
  const has = (message: string) => {
    const mark = `"msg":${JSON.stringify(message)}`
    return (line: string): boolean => line.includes(mark)
  }
  const linesOf = (message: string): readonly Line[] => lines.filter(has(message)).map((line) => JSON.parse(line) as Line)
  const end = (signal: 'SIGTERM' | 'SIGKILL'): void => void (child.exitCode === null && child.signalCode === null && child.kill(signal))
  return {
    pid,
    startedAt,
    get runs() {
      return !isOver
    },
    lines: linesOf,
    said(messages, { skipped = 0, withinMs = 60_000 } = {}) {
      const wanted = [messages].flat()
      return new Promise((resolve, reject) => {
        const over = (): void => {
          clearTimeout(late)
          listeners.delete(look)
        }
        const look = (): void => {
          const line = wanted.flatMap(linesOf).at(skipped)
          if (!line && !isOver) return
          over()
          if (line) resolve(line)
          else reject(new Error(`${args.join(' ')} ended without a word of "${wanted.join('" or "')}":\n${lines.slice(-10).join('\n')}`))
        }
        const late = setTimeout(() => {
          over()
          reject(new Error(`${args.join(' ')} did not say "${wanted.join('" or "')}" within ${withinMs} ms:\n${lines.slice(-10).join('\n')}`))
        }, withinMs)
        listeners.add(look)
        look()
      })
    },
    last(message) {
      const line = lines.findLast(has(message))
      return line === undefined ? undefined : (JSON.parse(line) as Line)
    },
    finish() {
      child.stdin.end()
      return ended
    },
    cpuSeconds() {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      // utime, stime, cutime and cstime in ticks of 10 ms (proc(5))
      return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100
    },
    memory() {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      const megabytes = (field: string): number => Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)![1]) / 1024)
      return { rssMB: megabytes('VmRSS'), anonMB: megabytes('RssAnon'), fileMB: megabytes('RssFile') }
    },
    async stop() {
      end('SIGTERM')
      const late = setTimeout(() => end('SIGKILL'), 5_000)
      await ended
      clearTimeout(late)
    },
    kill() {
      end('SIGKILL')
      return ended
    },
  }
}

/** Milliseconds since 1970 of a log line. */
export const timeOf = (line: Line): number => Date.parse(String(line['time']))
