import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { openSqliteStore, type SqliteStore } from '../../server/store/sqlite.ts'
import { chance, refOf, storeSuite, witness } from './store.ts'

const open = (path: string): SqliteStore => openSqliteStore({ path, log: silentLog, clock: systemClock })
const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'wherry-store-'))

storeSuite('sqlite', async () => {
  const folder = await makeFolder()
  return {
    open: () => Promise.resolve(open(join(folder, 'hub.db'))),
    end: () => rm(folder, { recursive: true, force: true }),
  }
})

/** Lets a writer run until it acknowledged so many writes, kills it, and gives back every write that it acknowledged. */
async function writeAndKill(path: string, word: string, acknowledged: number): Promise<Map<string, string>> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'store-writer.ts'), path, word], {
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
      const writes = await writeAndKill(path, `r${round}`, 1 + below(400))
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
