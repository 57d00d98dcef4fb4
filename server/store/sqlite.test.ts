import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../api/clock.ts'
import { createLog, silentLog, type Log } from '../../api/log.ts'
import type { KubeObject } from '../../api/objects.ts'
import { openJournal, type Entry, type Journal } from './journal.ts'
import { createStore, openSqliteStore, storeLimits, type HistoryBounds, type SqliteStore } from './sqlite.ts'
import type { Change, Ref, Store } from './store.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wherry-sqlite-'))
  path = join(folder, 'data', 'hub.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = (more: { clock?: Clock; history?: HistoryBounds } = {}): SqliteStore =>
  openSqliteStore({ path, log: silentLog, clock: systemClock, ...more })
const refOf = (name: string): Ref => ({ resource: 'configmaps', namespace: 'default', name })
const put = (store: Store, name: string, value: unknown = 1): Promise<KubeObject | undefined> => {
  const metadata = { name, namespace: 'default', uid: name, resourceVersion: '', creationTimestamp: '2026-01-01T00:00:00Z' }
  return store.write(refOf(name), () => ({ put: { apiVersion: 'v1', kind: 'ConfigMap', metadata, spec: { value } } }))
}
const watched = (store: Store, from: number): Change[] => {
  const changes: Change[] = []
  store.watch(from, (c) => changes.push(c))
  return changes
}

describe('group commit', () => {
  /** An in-memory journal that notes the size of each transaction, and refuses on demand. */
  function makeWatchedJournal(): { journal: Journal; sizes: number[]; refuse: (entries: readonly Entry[]) => boolean } {
    const real = openJournal(':memory:')
    const made = { sizes: [] as number[], refuse: (entries: readonly Entry[]) => entries.length < 0 }
    const append = (entries: readonly Entry[], at: number): void => {
      made.sizes.push(entries.length)
      if (made.refuse(entries)) throw new RangeError('the disk is full')
      real.append(entries, at)
    }
    const journal = Object.create(real, { append: { value: append } }) as Journal
    return Object.assign(made, { journal })
  }

  test('writes of one moment share a transaction, up to the bound', async () => {
    const { journal, sizes } = makeWatchedJournal()
    const store = createStore(journal, { log: silentLog, clock: systemClock })
    const revisions = await Promise.all(Array.from({ length: 1200 }, (_, i) => put(store, `n${i}`)))
    expect(sizes).toEqual([storeLimits.batch, storeLimits.batch, 1200 - 2 * storeLimits.batch])
    expect(revisions.map((o) => Number(o?.metadata.resourceVersion))).toEqual(Array.from({ length: 1200 }, (_, i) => i + 1))
    await store.close()
  })

  test('a batch that changes nothing writes nothing', async () => {
    const { journal, sizes } = makeWatchedJournal()
    const store = createStore(journal, { log: silentLog, clock: systemClock })
    await put(store, 'a')
    await Promise.all([put(store, 'a'), store.write(refOf('b'), () => ({ remove: true }))])
    expect(sizes).toEqual([1])
    await store.close()
  })

  test('a batch that cannot be committed is refused whole, and nobody sees any of it', async () => {
    const watchedJournal = makeWatchedJournal()
    const store = createStore(watchedJournal.journal, { log: silentLog, clock: systemClock })
    const changes = watched(store, 0)
    await put(store, 'kept')
    watchedJournal.refuse = (entries) => entries.some((e) => e.ref.name === 'bad')
    const outcomes = await Promise.allSettled([put(store, 'a'), put(store, 'bad'), put(store, 'kept', 2)])
    expect(outcomes.map((o) => o.status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(store.revision).toBe(1)
    expect(store.list('configmaps').map((o) => o.spec)).toEqual([{ value: 1 }])
    expect((await put(store, 'next'))?.metadata.resourceVersion).toBe('2')
    expect(changes.map((c) => c.object.metadata.name)).toEqual(['kept', 'next'])
    await store.close()
  })

  test('a refusal by SQLite itself rolls the batch back on disk as well', async () => {
    await open().close()
    const db = new DatabaseSync(path)
    db.exec(`CREATE TRIGGER fault BEFORE INSERT ON log WHEN new.name = 'bad' BEGIN SELECT RAISE(ABORT, 'planted'); END`)
    db.close()
    const store = open()
    const outcomes = await Promise.allSettled([put(store, 'a'), put(store, 'bad')])
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'STORE_BROKEN', message: expect.stringContaining('planted') } })
    }
    await put(store, 'b')
    await store.close()
    const again = open()
    expect(again.list('configmaps').map((o) => o.metadata.name)).toEqual(['b'])
    expect(again.revision).toBe(1)
    await again.close()
  })
})

describe('watchers', () => {
  test('history longer than a page is read from disk', async () => {
    const store = open()
    await Promise.all(Array.from({ length: 2 * storeLimits.page + 5 }, (_, i) => put(store, `n${i}`)))
    await store.close()
    const again = open()
    expect(watched(again, 3).map((c) => c.revision)).toEqual(Array.from({ length: again.revision - 3 }, (_, i) => i + 4))
    await again.close()
  })

  test('a watcher that throws is logged', async () => {
    const lines: string[] = []
    const log: Log = createLog({ level: 'info', write: (line) => lines.push(line), now: () => 0 })
    const store = openSqliteStore({ path, log, clock: systemClock })
    store.watch(0, () => {
      throw new RangeError('planted')
    })
    await put(store, 'a')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ level: 'error', revision: 1, error: 'planted' }])
    await store.close()
  })
})

describe('the history is kept by age and by count', () => {
  const history = { maxAgeMs: 1000, maxChanges: 5 }

  test.each([
    ['young and short: all is kept', 3, 500, 0],
    ['old: what is older goes', 3, 1500, 3],
    ['long: the newest stay', 8, 500, 3],
  ])('%s', async (_, count, laterMs, compacted) => {
    let now = 10_000
    const store = open({ clock: { ...systemClock, now: () => now }, history })
    for (let i = 0; i < count; i++) await put(store, 'a', i)
    now += laterMs
    await store.compactOld()
    expect(store.compacted).toBe(compacted)
    expect(watched(store, compacted)).toHaveLength(count - compacted)
    await store.close()
  })

  test('forgotten rows leave the file', async () => {
    const store = open({ history: { maxAgeMs: 1e9, maxChanges: 10 } })
    await Promise.all(Array.from({ length: storeLimits.forget + 200 }, (_, i) => put(store, `n${i % 50}`, i)))
    await store.compactOld()
    await store.close()
    const db = new DatabaseSync(path)
    expect(db.prepare('SELECT count(*) AS rows, min(revision) AS first FROM log').get()).toEqual({ rows: 10, first: store.revision - 9 })
    db.close()
  })
})

describe('opening', () => {
  test('the file is for its owner only', async () => {
    const store = open()
    await put(store, 'a')
    expect([path, `${path}-wal`].map((file) => (statSync(file).mode & 0o777).toString(8))).toEqual(['600', '600'])
    await store.close()
  })

  test('a file that is no database is refused with its path and the way out', () => {
    path = join(folder, 'text.db')
    writeFileSync(path, 'this is not a database, it only is as long as one. '.repeat(200))
    expect(() => open()).toThrowError(expect.objectContaining({ code: 'STORE_BROKEN', message: expect.stringContaining(path) }))
    expect(() => open()).toThrowError(/move it away/)
    expect(readFileSync(path, 'utf8')).toContain('not a database')
  })

  test('a damaged file is refused', async () => {
    const store = open()
    await Promise.all(Array.from({ length: 300 }, (_, i) => put(store, `n${i}`, 'x'.repeat(500))))
    await store.close()
    const bytes = readFileSync(path)
    bytes.fill(0x5a, 8192, 8192 + 4096 * 4)
    writeFileSync(path, bytes)
    expect(() => open()).toThrowError(expect.objectContaining({ code: 'STORE_BROKEN' }))
  })

  test('a second hub on the same file is refused and told why', async () => {
    const store = open()
    expect(() => open()).toThrowError(expect.objectContaining({ code: 'STORE_BROKEN', message: expect.stringContaining('stop the other hub') }))
    await put(store, 'a')
    await store.close()
  })

  test('a file of a newer layout is refused', async () => {
    await open().close()
    const db = new DatabaseSync(path)
    db.exec(`UPDATE meta SET value = 99 WHERE key = 'schema'`)
    db.close()
    expect(() => open()).toThrowError(/newer/)
  })
})

test('an object under another name than that of its write is refused', async () => {
  const store = open()
  const wrong = put(store, 'a').then((a) => store.write(refOf('b'), () => ({ put: a! })))
  await expect(wrong).rejects.toThrow(TypeError)
  expect(store.revision).toBe(1)
  await store.close()
})
