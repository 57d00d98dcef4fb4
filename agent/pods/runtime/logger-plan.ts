/** How the process beside a container is started, and what it is told. Pure. */
import { shellQuoted } from './shell-quoted.ts'

export interface LoggerPlan {
  /** Path of the log. */
  readonly log: string
  /** Path of the socket on which it passes on what it reads. */
  readonly live: string
  /** Undefined for a container that reads nothing. */
  readonly stdin?: {
    /** Path of the named pipe. */
    readonly pipe: string
    /** Whether it ends with the first who attaches to it. */
    readonly once: boolean
  }
  readonly tty: boolean
}

export interface LoggerProgram {
  readonly node: string
  /** Path of `logger.ts`. */
  readonly script: string
  /** Where Node keeps what it compiled: a logger that finds it has no need of a compiler, and takes 13 MB of memory instead of 28. */
  readonly compileCache?: string | undefined
}

/**
 * As a URI of containerd's shim. It starts the program with one query key and its value as arguments, and with nothing of the
 * environment. (It reads the query into a hash map, so more than one pair would come in any order.)
 */
export function loggerUri({ node, script, compileCache }: LoggerProgram, plan: LoggerPlan): string {
  const cached = compileCache === undefined ? '' : `export NODE_COMPILE_CACHE=${shellQuoted(compileCache)}; `
  const command = `${cached}exec ${[node, script, JSON.stringify(plan)].map(shellQuoted).join(' ')}`
  return `binary:///bin/sh?-c=${encodeURIComponent(command)}`
}

export function readLoggerPlan(argument: string): LoggerPlan {
  return JSON.parse(argument) as LoggerPlan
}
