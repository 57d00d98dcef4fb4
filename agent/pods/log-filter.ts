/** Makes what `kubectl logs` shows out of log records. Bytes in, bytes out; it remembers no more than a line that is cut. */
import { logTime } from './runtime/log-format.ts'

export interface LogWish {
  readonly tailLines?: number
  readonly limitBytes?: number
  /** RFC 3339. */
  readonly sinceTime?: string
  readonly timestamps: boolean
}

export interface LogFilter {
  /** What is there already: of this only the last `tailLines` lines are given. */
  begin(bytes: Uint8Array): Uint8Array
  /** What came since. */
  more(bytes: Uint8Array): Uint8Array
  /** Whether `limitBytes` have been given. */
  readonly full: boolean
}

interface Line {
  readonly time: string
  readonly whole: boolean
  readonly text: Uint8Array
}

const newline = 10
const space = 32

export function createLogFilter(wish: LogWish): LogFilter {
  const since = wish.sinceTime === undefined ? '' : logTime(Date.parse(wish.sinceTime))
  let cut: Uint8Array = new Uint8Array()
  let lineBegins = true
  let left = wish.limitBytes ?? Infinity

  function records(bytes: Uint8Array): readonly Line[] {
    const all = Buffer.concat([cut, bytes])
    const end = all.lastIndexOf(newline) + 1
    cut = all.subarray(end)
    return splitLines(all.subarray(0, end)).map(readRecord).filter((r) => r.time >= since)
  }

  function text(lines: readonly Line[]): Uint8Array {
    const parts: Uint8Array[] = []
    for (const line of lines) {
      if (wish.timestamps && lineBegins) parts.push(Buffer.from(`${line.time} `))
      parts.push(line.text)
      if (line.whole) parts.push(Buffer.from([newline]))
      lineBegins = line.whole
    }
    const given = Buffer.concat(parts).subarray(0, left)
    left -= given.length
    return given
  }

  return {
    begin(bytes) {
      const lines = records(bytes)
      return text(wish.tailLines === undefined ? lines : lines.slice(tailStart(lines, wish.tailLines)))
    },
    more: (bytes) => text(records(bytes)),
    get full() {
      return left <= 0
    },
  }
}

/** Where the last so many lines begin; a line may be made of several records. */
function tailStart(lines: readonly Line[], count: number): number {
  let found = 0
  for (let i = lines.length - 1; i >= 0; i--) {
    const isEnd = lines[i]!.whole || i === lines.length - 1
    if (isEnd && ++found > count) return i + 1
  }
  return 0
}

function splitLines(bytes: Buffer): readonly Buffer[] {
  const lines: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(newline, at)
    lines.push(bytes.subarray(at, end))
    at = end + 1
  }
  return lines
}

/** `TIME STREAM TAG TEXT`; see log-format.ts. */
function readRecord(line: Buffer): Line {
  const first = line.indexOf(space)
  const second = line.indexOf(space, first + 1)
  const third = line.indexOf(space, second + 1)
  if (first < 0 || second < 0 || third < 0) return { time: '', whole: true, text: line }
  return { time: line.toString('latin1', 0, first), whole: line[second + 1] === 0x46, text: line.subarray(third + 1) }
}
