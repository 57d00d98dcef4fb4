/** What an agent leaves behind for the one that comes after it, in a file. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorKeys, type Log } from '../../api/log.ts'
import { readIfThere } from '../../api/private-file.ts'

export interface Entry {
  /** Of the kernel, as it was then (`Kernel.stamp`). */
  readonly stamp: string
  /** What it held (`Mode.note`). */
  readonly note: string
}

/** One entry at most. What cannot be read or written is told and does no harm: the kernel is read instead. */
export interface Notebook {
  read(): Entry | undefined
  write(entry: Entry): void
  clear(): void
}

export function openNotebook(path: string, log: Log): Notebook {
  const attempt = <T>(what: string, work: () => T): T | undefined => {
    try {
      return work()
    } catch (e) {
      log.warn(`what the kernel holds could not be ${what}`, { path, ...errorKeys(e) })
      return undefined
    }
  }
  return {
    read: () =>
      attempt('recalled', () => {
        const text = readIfThere(path)
        const { stamp, note } = (text === undefined ? {} : JSON.parse(text)) as Partial<Entry>
        return typeof stamp === 'string' && typeof note === 'string' ? { stamp, note } : undefined
      }),
    // Whole or not at all; that it outlives a crash of the machine is not asked for, as no stamp does.
    write: (entry) =>
      attempt('noted', () => {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
        writeFileSync(`${path}.new`, `${JSON.stringify(entry)}\n`, { mode: 0o600 })
        renameSync(`${path}.new`, path)
      }),
    clear: () => attempt('forgotten', () => rmSync(path, { force: true })),
  }
}
