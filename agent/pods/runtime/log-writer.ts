/** Turns the bytes of a container's outputs into a bounded log file. Bytes stay as they are: what is not UTF-8 is not changed. */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { logTime, maxLogBytes, maxRecordBytes, olderLog, type LogStream } from './log-format.ts'

export interface LogWriter {
  write(stream: LogStream, bytes: Uint8Array): void
  /** Ends a stream: a last line without a newline is written too. */
  end(stream: LogStream): void
  close(): void
}

const newline = 10

/**
 * A disk that is full or gone loses lines, never the writer: a container whose reader dies gets SIGPIPE.
 * @param now ms since 1970, with a fraction
 */
export function createLogWriter(path: string, now: () => number, maxBytes = maxLogBytes): LogWriter {
  const pending: Record<LogStream, Uint8Array[]> = { stdout: [], stderr: [] }
  const length: Record<LogStream, number> = { stdout: 0, stderr: 0 }
  mkdirSync(dirname(path), { recursive: true })
  let fd = openSync(path, 'a', 0o640)
  let size = fstatSync(fd).size

  const append = (parts: readonly Uint8Array[]): void => {
    const bytes = Buffer.concat(parts)
    try {
      if (size > 0 && size + bytes.length > maxBytes) rotate()
      size += writeSync(fd, bytes)
    } catch {
      // See above.
    }
  }

  function rotate(): void {
    renameSync(path, olderLog(path))
    const fresh = openSync(path, 'a', 0o640)
    closeSync(fd)
    fd = fresh
    size = 0
  }

  const record = (stream: LogStream, tag: 'F' | 'P'): readonly Uint8Array[] => {
    const head = Buffer.from(`${logTime(now())} ${stream} ${tag} `)
    const line = [head, ...pending[stream], Buffer.from([newline])]
    pending[stream] = []
    length[stream] = 0
    return line
  }

  const keep = (stream: LogStream, bytes: Uint8Array): void => {
    pending[stream].push(Uint8Array.prototype.slice.call(bytes))
    length[stream] += bytes.length
  }

  return {
    write(stream, bytes) {
      const out: Uint8Array[] = []
      for (let at = 0; at < bytes.length; ) {
        const room = maxRecordBytes - length[stream]
        const end = bytes.indexOf(newline, at)
        if (end >= 0 && end - at <= room) {
          keep(stream, bytes.subarray(at, end))
          out.push(...record(stream, 'F'))
          at = end + 1
          continue
        }
        const to = Math.min(bytes.length, at + room)
        keep(stream, bytes.subarray(at, to))
        if (length[stream] === maxRecordBytes) out.push(...record(stream, 'P'))
        at = to
      }
      if (out.length > 0) append(out)
    },
    end(stream) {
      if (length[stream] > 0) append(record(stream, 'F'))
    },
    close: () => closeSync(fd),
  }
}
