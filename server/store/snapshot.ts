/** Puts a copy of the embedded store back, while no hub runs on it. `copy.ts` makes them. */
import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { flush } from './copy.ts'
import { StoreError } from './error.ts'
import { openJournal } from './journal.ts'

export interface Restored {
  /** The last revision that the copy holds. */
  readonly revision: number
  /** Where the database is that was there before. */
  readonly replaced?: string
}

/**
 * Puts a copy in the place of the database, which goes aside. The copy itself stays as it is.
 * @throws StoreError STORE_BROKEN: the copy is none, damaged, or of a newer layout; or a hub uses the database
 */
export function restoreSnapshot({ file, path }: { readonly file: string; readonly path: string }): Restored {
  const draft = `${path}.restoring`
  for (const part of partsOf(draft)) rmSync(part, { force: true })
  try {
    if (!existsSync(file)) throw new StoreError('STORE_BROKEN', `there is no snapshot ${file}`)
    copyFileSync(file, draft)
    checkWhole(draft, file)
    // Opens it as a hub would: layout and readability are looked at, and the new history gets its name.
    const journal = openJournal(draft)
    const { revision, compacted } = journal
    journal.close()
    if (revision === 0 && compacted === 0) throw new StoreError('STORE_BROKEN', `${file} is no snapshot of a hub: nothing was ever written to it`)
    const replaced = existsSync(path) ? setAside(path) : undefined
    flush(draft)
    renameSync(draft, path)
    flush(dirname(path))
    return { revision, ...(replaced && { replaced }) }
  } catch (e) {
    for (const part of partsOf(draft)) rmSync(part, { force: true })
    throw e instanceof StoreError ? e : new StoreError('STORE_BROKEN', `the snapshot ${file} could not be put back: ${(e as Error).message}`, { cause: e })
  }
}

/** A database and what SQLite keeps beside it. */
const partsOf = (path: string): readonly string[] => [path, `${path}-wal`, `${path}-shm`]

function checkWhole(draft: string, file: string): void {
  const db = new DatabaseSync(draft, { readOnly: true })
  try {
    const faults = db.prepare('PRAGMA integrity_check(3)').all().map((row) => String(row['integrity_check']))
    if (faults[0] !== 'ok') throw new StoreError('STORE_BROKEN', `the snapshot ${file} is damaged: ${faults.join('; ')}`)
    const known = db.prepare(`SELECT count(*) AS n FROM sqlite_master WHERE name IN ('meta', 'objects', 'log')`).get()?.['n']
    if (known !== 3) throw new StoreError('STORE_BROKEN', `${file} is no snapshot of a hub`)
  } finally {
    db.close()
  }
}

/** A hub that runs holds the database and is not robbed of it. */
function setAside(path: string): string {
  // Opening it proves that nobody has it; closing it brings everything into the one file. A damaged one need not open to be replaced.
  try {
    openJournal(path).close()
  } catch (e) {
    if (((e as StoreError).cause as { errcode?: unknown } | undefined)?.errcode === 5) throw e
  }
  const replaced = `${path}.replaced`
  for (const [i, part] of partsOf(path).entries()) {
    const to = partsOf(replaced)[i]!
    rmSync(to, { force: true })
    if (existsSync(part)) renameSync(part, to)
  }
  return replaced
}
