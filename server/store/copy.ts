/**
 * Copies an open database. A copy has no name for its history, so whoever opens it, in place of the store or elsewhere, begins
 * another one: what anybody heard from the store after the copy was made says nothing about what comes after it.
 */
import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { backup, DatabaseSync } from 'node:sqlite'
import { StoreError } from './error.ts'

/** Pages copied in one go; between them the store goes on. */
const pages = 256

/** Writes a copy of an open database, as it is at the end of the copying. @throws StoreError STORE_BROKEN; then there is no new file */
export async function copyDatabase(db: DatabaseSync, file: string): Promise<void> {
  let made = false
  try {
    closeSync(openSync(file, 'wx', 0o600))
    made = true
    await backup(db, file, { rate: pages })
    const copy = new DatabaseSync(file)
    try {
      // One file, not three: nothing of it is to be forgotten when somebody takes it away.
      copy.exec(`DELETE FROM meta WHERE key = 'history'; PRAGMA journal_mode = DELETE`)
    } finally {
      copy.close()
    }
    flush(file)
  } catch (e) {
    if (made) rmSync(file, { force: true })
    throw new StoreError('STORE_BROKEN', `the snapshot ${file} could not be written: ${(e as Error).message}`, { cause: e })
  }
}

/** Returns when a crash can no longer undo what was done to a file or a folder. */
export function flush(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
