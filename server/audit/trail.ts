/** The file of the audit log: JSON lines, moved aside when it is large. What happens at one moment is written in one go. */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorKeys, type Log } from '../../api/log.ts'
import { auditLine, type Met } from './event.ts'

export interface TrailOptions {
  readonly path: string
  /** Bytes from which the file is moved aside. */
  readonly maxBytes: number
  /** How many files that were moved aside are kept: `.1` is the youngest. */
  readonly backups: number
  readonly log: Log
}

export interface Trail {
  record(met: Met): void
  /** Writes what waits. */
  close(): void
}

/** Opens the file, which only its owner may read. @throws where that is not possible: nobody asks for a log that is not written */
export function openTrail({ path, maxBytes, backups, log }: TrailOptions): Trail {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let file = openSync(path, 'a', 0o600)
  let size = fstatSync(file).size
  let waiting: string[] = []
  let pass: NodeJS.Immediate | undefined

  const turn = (): void => {
    closeSync(file)
    const aside = (n: number): string => `${path}.${n}`
    rmSync(backups > 0 ? aside(backups) : path, { force: true })
    for (let n = backups - 1; n >= 1; n--) if (existsSync(aside(n))) renameSync(aside(n), aside(n + 1))
    if (backups > 0) renameSync(path, aside(1))
    file = openSync(path, 'a', 0o600)
    size = 0
  }
  const flush = (): void => {
    clearImmediate(pass)
    pass = undefined
    if (waiting.length === 0) return
    const bytes = Buffer.from(`${waiting.join('\n')}\n`)
    const lines = waiting.length
    waiting = []
    try {
      if (size > 0 && size + bytes.length > maxBytes) turn()
      let at = 0
      while (at < bytes.length) at += writeSync(file, bytes, at)
      size += bytes.length
    } catch (e) {
      // The hub serves on: whoever fills a disk must not stop it.
      log.error('the audit log could not be written', { path, lines, ...errorKeys(e) })
    }
  }
  return {
    record(met) {
      waiting.push(auditLine(met))
      pass ??= setImmediate(flush)
    },
    close() {
      flush()
      closeSync(file)
    },
  }
}
