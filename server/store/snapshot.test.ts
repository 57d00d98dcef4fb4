import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { put, refOf, remove, valueOf, witness } from '../../test/conformance/store.ts'
import { restoreSnapshot } from './snapshot.ts'
import { openSqliteStore, type SqliteStore } from './sqlite.ts'

let folder: string
let path: string
let file: string
const stores: SqliteStore[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wherry-snapshot-'))
  path = join(folder, 'hub.db')
  file = join(folder, 'copy.db')
})
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  rmSync(folder, { recursive: true, force: true })
})
const open = (at = path): SqliteStore => {
  const store = openSqliteStore({ path: at, log: silentLog, clock: systemClock })
  stores.push(store)
  return store
}

describe('a snapshot', () => {
  test('is one private file with everything that was acknowledged before it', async () => {
    const store = open()
    await Promise.all(Array.from({ length: 300 }, (_, i) => put(store, refOf(`n${i}`), i)))
    await remove(store, refOf('n7'))
    await store.snapshot(file)
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600')
    expect(readdirSync(folder).filter((name) => name.startsWith('copy'))).toEqual(['copy.db'])
    expect(open(file).list('configmaps')).toEqual(store.list('configmaps'))
  })

  test('is whole while writes go on, and the writes do not wait for it', async () => {
    const store = open()
    await Promise.all(Array.from({ length: 3_000 }, (_, i) => put(store, refOf(`n${i}`), 'x'.repeat(500))))
    const before = store.revision
    let copying = true
    let meanwhile = 0
    const copied = store.snapshot(file).finally(() => (copying = false))
    while (copying) {
      await put(store, refOf(`during-${meanwhile}`), meanwhile)
      meanwhile++
    }
    await copied
    const copy = open(file)
    expect(meanwhile).toBeGreaterThan(1)
    const during = copy.list('configmaps').filter((o) => o.metadata.name.startsWith('during'))
    // Some first of them, without a gap.
    expect(during.map(valueOf).toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: during.length }, (_, i) => i))
    expect(copy.list('configmaps')).toHaveLength(before + during.length)
  })

  test('does not overwrite what is there', async () => {
    writeFileSync(file, 'precious')
    await expect(open().snapshot(file)).rejects.toMatchObject({ code: 'STORE_BROKEN', message: expect.stringContaining(file) })
    expect(readFileSync(file, 'utf8')).toBe('precious')
  })
})

describe('putting it back', () => {
  test('gives the state of then, another history, and revisions that nobody has heard of', async () => {
    const store = open()
    await put(store, refOf('a'), 'then')
    await store.snapshot(file)
    await put(store, refOf('a'), 'later')
    await put(store, refOf('b'), 'later')
    const { revision, history } = store
    await store.close()
    const restored = restoreSnapshot({ file, path })
    const again = open()
    expect(restored.replaced).toBe(`${path}.replaced`)
    expect(again.list('configmaps').map(valueOf)).toEqual(['then'])
    expect(again.history).not.toBe(history)
    // Whoever watched the lost changes is told to start anew, now and after as many changes again.
    expect(() => again.watch(revision, () => {})).toThrowError(expect.objectContaining({ code: 'STORE_COMPACTED' }))
    const next = await put(again, refOf('a'), 'on')
    expect(Number(next?.metadata.resourceVersion)).toBeGreaterThan(revision + 1_000_000)
    expect(witness(again, again.revision - 1).changes.map((c) => valueOf(c.previous))).toEqual(['then'])
    expect(valueOf(open(restored.replaced).get(refOf('b')))).toBe('later')
  })

  test('twice gives two histories, by hand as well', async () => {
    const store = open()
    await put(store, refOf('a'), 1)
    await store.snapshot(file)
    const names = [1, 2].map((i) => {
      copyFileSync(file, join(folder, `${i}.db`))
      return open(join(folder, `${i}.db`)).history
    })
    expect(new Set([...names, store.history]).size).toBe(3)
  })

  test('a history keeps its name over restarts', async () => {
    const store = open()
    const { history } = store
    await store.close()
    expect(open().history).toBe(history)
  })

  test('is refused while a hub has the database, and changes nothing', async () => {
    const store = open()
    await put(store, refOf('a'), 1)
    await store.snapshot(file)
    expect(() => restoreSnapshot({ file, path })).toThrowError(/stop the other hub/)
    await put(store, refOf('a'), 2)
    expect(readdirSync(folder).filter((name) => /restoring|replaced/.test(name))).toEqual([])
  })

  test.each([
    ['that is not there', () => {}, 'there is no snapshot'],
    ['that is text', () => writeFileSync(file, 'no database '.repeat(500)), 'not a database'],
    ['that is empty', () => writeFileSync(file, ''), 'is no snapshot of a hub'],
  ])('of a file %s is refused, and the database stays', async (_what, make, message) => {
    const store = open()
    await put(store, refOf('a'), 1)
    await store.close()
    make()
    expect(() => restoreSnapshot({ file, path })).toThrowError(expect.objectContaining({ code: 'STORE_BROKEN', message: expect.stringContaining(message) }))
    expect(valueOf(open().get(refOf('a')))).toBe(1)
    expect(existsSync(`${path}.restoring`)).toBe(false)
  })

  test('of a damaged file is refused, by what is damaged', async () => {
    const store = open()
    await Promise.all(Array.from({ length: 300 }, (_, i) => put(store, refOf(`n${i}`), 'x'.repeat(500))))
    await store.snapshot(file)
    await store.close()
    const bytes = readFileSync(file)
    bytes.fill(0x5a, 8192, 8192 + 4096 * 4)
    writeFileSync(file, bytes)
    expect(() => restoreSnapshot({ file, path })).toThrowError(expect.objectContaining({ code: 'STORE_BROKEN', message: expect.stringContaining(file) }))
    expect(open().list('configmaps')).toHaveLength(300)
  })

  test('takes the place of a damaged database', async () => {
    const store = open()
    await put(store, refOf('a'), 1)
    await store.snapshot(file)
    await store.close()
    writeFileSync(path, 'nothing but text '.repeat(1000))
    restoreSnapshot({ file, path })
    expect(valueOf(open().get(refOf('a')))).toBe(1)
  })
})
