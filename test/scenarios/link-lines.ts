import { createLog, type Log } from '../../api/log.ts'

/** What was logged, as objects. */
export interface Lines {
  readonly log: Log
  of(message: string): readonly Readonly<Record<string, unknown>>[]
  /** Resolves when so many lines of this message have been logged. */
  until(message: string, count?: number): Promise<void>
}

export function createLines(): Lines {
  const lines: Record<string, unknown>[] = []
  const waiting = new Set<() => void>()
  const log = createLog({
    level: 'debug',
    now: () => 0,
    write(line) {
      lines.push(JSON.parse(line) as Record<string, unknown>)
      for (const look of waiting) look()
    },
  })
  const of = (message: string) => lines.filter((line) => line['msg'] === message)
  return {
    log,
    of,
    until(message, count = 1) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = (): void => {
        if (of(message).length < count) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
      return promise
    },
  }
}
