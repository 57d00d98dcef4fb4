/** What of the store is on disk: an SQLite file with the current objects, the history of changes, and how far it is forgotten. */
import { randomUUID } from 'node:crypto'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import type { KubeObject } from '../../api/objects.ts'
import type { Resource } from '../../api/resources.ts'
import { copyDatabase } from './copy.ts'
import { stamped } from './decide.ts'
import { StoreError } from './error.ts'
import { openSeal, type Seal } from '../seal/seal.ts'
import { createOwning } from './settle.ts'
import type { Change, ChangeType, Ref } from './store.ts'

/** The layout of the tables. A file with a higher number was written by a newer Wherry. */
export const schemaVersion = 1

/** More changes than anybody makes between a copy of the store and its loss. */
const historyGap = 1_000_000_000

/** One change on its way to disk. `text` is the object as JSON, absent for DELETED. */
export interface Entry {
  readonly ref: Ref
  readonly change: Change
  readonly text?: string
}

export interface Journal {
  /** Made with the file, and made anew when it is put back. */
  readonly historyName: string
  readonly revision: number
  readonly compacted: number
  /** Every current object. */
  objects(): Iterable<readonly [Ref, KubeObject]>
  /** Writes a batch in one transaction, flushed when this returns. @throws StoreError STORE_BROKEN, and nothing is written */
  append(entries: readonly Entry[], at: number): void
  /** At most `count` changes after this revision, in order. */
  history(revision: number, count: number): readonly Change[]
  /** The last revision of which it and all before it were written before `at` (ms since 1970). */
  before(at: number): number
  /** Notes that the history up to here is given up; `forget` then takes it away, so many rows at a time. */
  compact(revision: number): void
  /** Writes a copy as it is at the end of the copying, while everything goes on. `file` must not be there yet. */
  copy(file: string): Promise<void>
  /** Seals up to so many values anew that the first key did not seal. @returns how many */
  reseal(rows: number): number
  /** Leaves nothing in the file of what was overwritten or taken away. */
  scrub(): void
  /** @returns whether there may be more */
  forget(rows: number): boolean
  close(): void
}

const schema = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS objects (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (resource, namespace, name));
  CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL,
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    value TEXT, previous TEXT);
`

const words = {
  getMeta: 'SELECT value FROM meta WHERE key = ?',
  setMeta: 'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  last: 'SELECT max(revision) AS revision FROM log',
  objects: 'SELECT resource, namespace, name, value FROM objects ORDER BY resource, namespace, name',
  // The state before is on disk already: it need not be printed again.
  log: `INSERT INTO log (revision, at, type, resource, namespace, name, value, previous) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
    (SELECT value FROM objects WHERE resource = ?4 AND namespace = ?5 AND name = ?6))`,
  put: `INSERT INTO objects (resource, namespace, name, value) VALUES (?, ?, ?, ?)
    ON CONFLICT (resource, namespace, name) DO UPDATE SET value = excluded.value`,
  remove: 'DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?',
  history: 'SELECT revision, type, resource, namespace, name, value, previous FROM log WHERE revision > ? ORDER BY revision LIMIT ?',
  young: 'SELECT revision FROM log WHERE at >= ? ORDER BY revision LIMIT 1',
  staleObjects: `SELECT resource, namespace, name, value FROM objects WHERE resource = ?1 AND substr(value, 1, length(?2)) <> ?2 LIMIT ?3`,
  staleLog: `SELECT revision, resource, namespace, name, value, previous FROM log WHERE resource = ?1
    AND (substr(value, 1, length(?2)) <> ?2 OR substr(previous, 1, length(?2)) <> ?2) LIMIT ?3`,
  resealLog: 'UPDATE log SET value = ?, previous = ? WHERE revision = ?',
  forget: 'DELETE FROM log WHERE revision IN (SELECT revision FROM log WHERE revision <= ? ORDER BY revision LIMIT ?)',
} as const

/** Opens the file, makes it if it is absent, and checks that it is whole. `:memory:` for one that is gone when closed. */
export function openJournal(path: string, seal: Seal = openSeal()): Journal {
  let db: DatabaseSync | undefined
  try {
    if (path !== ':memory:') makeFile(path)
    db = new DatabaseSync(path, { enableForeignKeyConstraints: false })
    prepareFile(db)
    return createJournal(db, { path, seal })
  } catch (e) {
    db?.close()
    throw e instanceof StoreError ? e : broken(path, e)
  }
}

/** Secrets are in it, so it is nobody else's to read. SQLite gives the files that it adds the same mode. */
function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
}

function prepareFile(db: DatabaseSync): void {
  // One process at a time: what is in memory is the truth for readers, so nobody else may write the file.
  db.exec('PRAGMA busy_timeout = 1000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  db.exec('PRAGMA journal_size_limit = 67108864')
  // Pages of 4 KiB. What was written is carried into the file in the writers' turn: in portions that readers do not feel.
  db.exec('PRAGMA wal_autocheckpoint = 100')
  const faults = db.prepare('PRAGMA quick_check(1)').all().map((row) => String(row['quick_check']))
  if (faults.length !== 1 || faults[0] !== 'ok') throw new TypeError(faults.join('; '))
  db.exec(`BEGIN IMMEDIATE; ${schema} COMMIT`)
  const version = db.prepare(words.getMeta).get('schema')?.['value'] ?? schemaVersion
  if (Number(version) > schemaVersion) {
    throw new TypeError(`its layout is ${String(version)}, this Wherry knows ${schemaVersion}; a newer one wrote it`)
  }
  db.prepare(words.setMeta).run('schema', schemaVersion)
  if (!db.prepare(words.getMeta).get('history')) nameHistory(db)
}

/**
 * From now on the revisions of this file are another order than those that anybody may have heard of. It begins so far above them
 * that whoever comes with one of those is told that it is forgotten, and starts anew.
 */
function nameHistory(db: DatabaseSync): void {
  const compacted = Number(db.prepare(words.getMeta).get('compacted')?.['value'] ?? 0)
  const last = Math.max(compacted, Number(db.prepare(words.last).get()?.['revision'] ?? 0))
  db.exec('BEGIN IMMEDIATE')
  if (last > 0) db.prepare(words.setMeta).run('compacted', last + historyGap)
  db.prepare(words.setMeta).run('history', randomUUID())
  db.exec('COMMIT')
}

function broken(path: string, cause: unknown): StoreError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const busy = (cause as { errcode?: unknown } | undefined)?.errcode === 5
  const wayOut = busy
    ? 'Another process holds it: stop the other hub.'
    : 'Put back a copy of it, or move it away (with the files of the same name that end in -wal and -shm) to start empty.'
  return new StoreError('STORE_BROKEN', `the store ${path} cannot be used: ${why}. ${wayOut}`, { cause })
}

type Row = Record<string, unknown>

const refIn = (row: Row): Ref => ({ resource: row['resource'] as Resource, namespace: String(row['namespace']), name: String(row['name']) })

type Parse = (row: Row, column: 'value' | 'previous') => KubeObject

function parsing(seal: Seal): Parse {
  const own = createOwning()
  return (row, column) => own(JSON.parse(seal.open(refIn(row), String(row[column])))) as KubeObject
}

function changeOf(parse: Parse, row: Row): Change {
  const revision = Number(row['revision'])
  const type = row['type'] as ChangeType
  const previous = row['previous'] === null ? undefined : parse(row, 'previous')
  const object = row['value'] === null ? stamped(previous!, revision) : parse(row, 'value')
  return Object.freeze({ revision, type, resource: row['resource'] as Resource, object, ...(previous && { previous }) })
}

interface Opened {
  readonly path: string
  readonly seal: Seal
}

function createJournal(db: DatabaseSync, { path, seal }: Opened): Journal {
  const sql = Object.fromEntries(Object.entries(words).map(([name, text]) => [name, db.prepare(text)])) as {
    readonly [name in keyof typeof words]: ReturnType<DatabaseSync['prepare']>
  }
  const parse = parsing(seal)
  let compacted = Number(sql.getMeta.get('compacted')?.['value'] ?? 0)
  let revision = Math.max(compacted, Number(sql.last.get()?.['revision'] ?? 0))

  /** All or nothing, and flushed at the end. */
  const transact = (work: () => void): void => {
    try {
      db.exec('BEGIN IMMEDIATE')
      work()
      db.exec('COMMIT')
    } catch (e) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw broken(path, e)
    }
  }

  return {
    historyName: String(sql.getMeta.get('history')?.['value']),
    get revision() {
      return revision
    },
    get compacted() {
      return compacted
    },
    *objects() {
      for (const row of sql.objects.iterate()) {
        yield [refIn(row), parse(row, 'value')] as const
      }
    },
    append(entries, at) {
      transact(() => {
        for (const { ref, change, text: open } of entries) {
          const text = open === undefined ? undefined : seal.seal(ref, open)
          const key = [ref.resource, ref.namespace, ref.name] as const
          sql.log.run(change.revision, at, change.type, ...key, text ?? null)
          if (text === undefined) sql.remove.run(...key)
          else sql.put.run(...key, text)
        }
      })
      revision = entries.at(-1)?.change.revision ?? revision
    },
    history: (after, count) => sql.history.all(after, count).map((row) => changeOf(parse, row)),
    before: (at) => Number(sql.young.get(at)?.['revision'] ?? revision + 1) - 1,
    compact(upTo) {
      transact(() => sql.setMeta.run('compacted', upTo))
      compacted = upTo
    },
    forget(rows) {
      let gone = 0
      transact(() => (gone = Number(sql.forget.run(compacted, rows).changes)))
      return gone === rows
    },
    copy: (file) => copyDatabase(db, file),
    reseal(rows) {
      const anew = (row: Row, column: 'value' | 'previous'): string | null => {
        const text = row[column]
        return typeof text === 'string' ? seal.seal(refIn(row), seal.open(refIn(row), text)) : null
      }
      let done = 0
      transact(() => {
        for (const resource of seal.prefix === '' ? [] : seal.resources) {
          const [objects, log] = [sql.staleObjects, sql.staleLog].map((stale) => stale.all(resource, seal.prefix, rows))
          for (const row of objects!) sql.put.run(resource, row['namespace']!, row['name']!, anew(row, 'value'))
          for (const row of log!) sql.resealLog.run(anew(row, 'value'), anew(row, 'previous'), row['revision']!)
          done += objects!.length + log!.length
        }
      })
      return done
    },
    scrub() {
      db.exec('VACUUM')
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    },
    close: () => db.close(),
  }
}
