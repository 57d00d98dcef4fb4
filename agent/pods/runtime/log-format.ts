/**
 * The lines of a container's log, in the format that the Kubernetes CRI documents:
 * `2026-01-01T00:00:00.000000000Z stdout F text`, where P instead of F means that the line goes on in the next record.
 */

export type LogStream = 'stdout' | 'stderr'

export interface LogRecord {
  /** RFC 3339 with nanoseconds. */
  readonly time: string
  readonly stream: LogStream
  /** Whether the container's line ends here. */
  readonly whole: boolean
  readonly text: string
}

/** When a log file reaches this size it is moved to `<path>.1`, over what was there. */
export const maxLogBytes = 10 * 1024 * 1024
/** A longer line is cut into records of this size. */
export const maxRecordBytes = 16 * 1024

/** Where the older half of a log is. */
export const olderLog = (path: string): string => `${path}.1`

/** @param ms since 1970, with a fraction */
export function logTime(ms: number): string {
  const whole = Math.floor(ms)
  const nanos = Math.floor((ms - whole) * 1e6)
  return `${new Date(whole).toISOString().slice(0, -1)}${String(nanos).padStart(6, '0')}Z`
}

/** Undefined for a line that is not one of ours. */
export function parseRecord(line: string): LogRecord | undefined {
  const match = /^(\S+Z) (stdout|stderr) ([FP]) ?(.*)$/s.exec(line)
  if (!match) return undefined
  return { time: match[1]!, stream: match[2] as LogStream, whole: match[3] === 'F', text: match[4]! }
}
