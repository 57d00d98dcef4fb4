/** What the process beside a container is told when it is started. Pure. */

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

/**
 * As a URI of containerd's shim. It starts the program with one query key and its value as arguments, and with nothing of the
 * environment. (It reads the query into a hash map, so more than one pair would come in any order.)
 */
export function loggerUri(node: string, script: string, plan: LoggerPlan): string {
  return `binary://${encodeURI(node)}?${encodeURIComponent(script)}=${encodeURIComponent(JSON.stringify(plan))}`
}

export function readLoggerPlan(argument: string): LoggerPlan {
  return JSON.parse(argument) as LoggerPlan
}
