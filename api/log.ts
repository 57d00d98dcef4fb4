/** Logging as a dependency: a fixed sentence plus keys, one JSON object for each line. */

export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'
export type LogKeys = Readonly<Record<string, unknown>>

export interface Log {
  error(message: string, keys?: LogKeys): void
  warn(message: string, keys?: LogKeys): void
  info(message: string, keys?: LogKeys): void
  debug(message: string, keys?: LogKeys): void
  trace(message: string, keys?: LogKeys): void
  /** The same log with keys added to every line. */
  with(keys: LogKeys): Log
}

const order: readonly LogLevel[] = ['error', 'warn', 'info', 'debug', 'trace']

export interface LogOptions {
  readonly level: LogLevel
  readonly write: (line: string) => void
  readonly now: () => number
}

/** An error as keys: code, message and the chain of causes. */
export function errorKeys(e: unknown): LogKeys {
  if (!(e instanceof Error)) return { error: String(e) }
  const code = (e as { code?: unknown }).code
  return {
    error: e.message,
    ...(typeof code === 'string' && { code }),
    ...(e.cause !== undefined && { cause: errorKeys(e.cause) }),
  }
}

/** A log that writes JSON lines: `{"time":…,"level":…,"msg":…, …keys}`. */
export function createLog(options: LogOptions, keys: LogKeys = {}): Log {
  const at =
    (level: LogLevel) =>
    (msg: string, more: LogKeys = {}): void => {
      if (order.indexOf(level) > order.indexOf(options.level)) return
      options.write(`${JSON.stringify({ time: new Date(options.now()).toISOString(), level, msg, ...keys, ...more })}\n`)
    }
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    trace: at('trace'),
    with: (more) => createLog(options, { ...keys, ...more }),
  }
}

/** A log that says nothing. */
export const silentLog: Log = createLog({ level: 'error', write: () => {}, now: () => 0 })
