import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { openSqliteStore, type SqliteStore } from '../../server/store/sqlite.ts'
import { noEtcd, openOn, startEtcd } from '../kit/etcd.ts'
import { chance, refOf, storeSuite, witness, wordsOf } from './store.ts'

const open = (path: string): SqliteStore => openSqliteStore({ path, log: silentLog, clock: systemClock, words: wordsOf })
const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'wherry-store-'))

storeSuite('sqlite', async () => {
  const folder = await makeFolder()
  return {
    open: () => Promise.resolve(open(join(folder, 'hub.db'))),
    end: () => rm(folder, { recursive: true, force: true }),
  }
})

// Why it is skipped, where it is, stands in its title.
describe.skipIf(noEtcd)(`etcd${noEtcd && ` (skipped: ${noEtcd})`}`, () => {
  storeSuite('etcd', async () => {
    const server = await startEtcd()
    return { open: () => openOn(server, { words: wordsOf }), end: () => server.end() }
  })
})

/** Lets a writer run until it acknowledged so many writes, kills it, and gives back every write that it acknowledged. */
async function writeAndKill(where: readonly string[], word: string, acknowledged: number): Promise<Map<string, string>> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'store-writer.ts'), word, ...where], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const writes = new Map<string, string>()
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const [name, revision] = line.split(' ')
      // A line that the kill cut short does not count.
      if (name && revision) writes.set(name, revision)
      if (writes.size === acknowledged) child.kill('SIGKILL')
    }
  } finally {
    child.kill('SIGKILL')
    await ended
  }
  return writes
}

test('sqlite: what was acknowledged outlives a killed process, twenty times', { timeout: 60_000 }, async () => {
  const folder = await makeFolder()
  const path = join(folder, 'hub.db')
  const below = chance(20)
  const acknowledged = new Map<string, string>()
  try {
    for (let round = 1; round <= 20; round++) {
      const writes = await writeAndKill([path], `r${round}`, 1 + below(400))
      expect(writes.size).toBeGreaterThan(0)
      for (const [name, revision] of writes) acknowledged.set(name, revision)
      const store = open(path)
      try {
        const lost = [...acknowledged].filter(([name, revision]) => store.get(refOf(name))?.metadata.resourceVersion !== revision)
        expect(lost).toEqual([])
        const history = witness(store, 0)
        expect(history.changes.map((c) => c.revision)).toEqual(Array.from({ length: store.revision }, (_, i) => i + 1))
        expect(history.changes.map((c) => c.object.metadata.name).toSorted()).toEqual(store.list('configmaps').map((o) => o.metadata.name))
      } finally {
        await store.close()
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test.skipIf(noEtcd)(`etcd: what was acknowledged outlives a killed hub, five times${noEtcd && ` (skipped: ${noEtcd})`}`, { timeout: 60_000 }, async () => {
  const server = await startEtcd()
  const below = chance(21)
  const other = await openOn(server)
  const told = witness(other, 0)
  const acknowledged = new Map<string, string>()
  try {
    for (let round = 1; round <= 5; round++) {
      const writes = await writeAndKill([server.url, server.pki], `r${round}`, 1 + below(400))
      expect(writes.size).toBeGreaterThan(0)
      for (const [name, revision] of writes) acknowledged.set(name, revision)
      await other.fresh()
      const lost = [...acknowledged].filter(([name, revision]) => other.get(refOf(name))?.metadata.resourceVersion !== revision)
      expect(lost).toEqual([])
      const revisions = told.changes.map((c) => c.revision)
      expect(revisions).toEqual(Array.from({ length: other.revision - 1 }, (_, i) => i + 2))
    }
  } finally {
    await other.close()
    await server.end()
  }
})
