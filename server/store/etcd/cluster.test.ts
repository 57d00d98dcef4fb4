import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { put, refOf, valueOf, witness } from '../../../test/conformance/store.ts'
import { noEtcd, openOn, startEtcdCluster, type EtcdServer } from '../../../test/kit/etcd.ts'
import { systemClock } from '../../../api/clock.ts'
import { isWherryError } from '../../../api/errors.ts'
import { waitFor } from '../../../test/kit/wait.ts'
import type { EtcdStore } from './etcd.ts'

describe.skipIf(noEtcd)(`three servers of etcd${noEtcd && ` (skipped: ${noEtcd})`}`, { timeout: 90_000 }, () => {
  let servers: readonly EtcdServer[] = []
  let stores: readonly EtcdStore[] = []
  beforeEach(async () => {
    servers = await startEtcdCluster(3)
  })
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await Promise.all(servers.map((server) => server.end()))
  })

  test('each of them may die: hubs go on at another one, and nothing that was acknowledged is lost, late or told twice', async () => {
    const urls = servers.map((server) => server.url)
    const { tls } = servers[0]!
    // Each hub begins at another server.
    stores = await Promise.all(urls.map((url, i) => openOn({ url, tls }, { servers: [...urls.slice(i), ...urls.slice(0, i)] })))
    const told = stores.map((store) => witness(store, 0))
    const acknowledged = new Map<string, number>()
    let next = 0
    /** What a client does whose write was not acknowledged: it reads, and tries again what is not there. */
    const write = async (store: EtcdStore): Promise<void> => {
      const name = `n${next++}`
      for (;;) {
        try {
          const stored = await put(store, refOf(name), name)
          acknowledged.set(name, Number(stored?.metadata.resourceVersion))
          return
        } catch (e) {
          if (!isWherryError(e, 'STORE_LOST')) throw e
        }
      }
    }
    for (const server of servers) {
      const busy = stores.map(async (store) => {
        for (let i = 0; i < 40; i++) await write(store)
      })
      await server.kill()
      await Promise.all(busy)
      await server.start()
    }
    await Promise.all(stores.map((store) => store.fresh()))
    expect(acknowledged.size).toBe(360)
    for (const store of stores) {
      const wrong = [...acknowledged].filter(([name, revision]) => Number(store.get(refOf(name))?.metadata.resourceVersion) !== revision)
      expect(wrong).toEqual([])
      expect(new Set(store.list('configmaps').map(valueOf))).toEqual(new Set(acknowledged.keys()))
    }
    const revisions = told.map((t) => t.changes.map((c) => c.revision))
    expect(revisions[0]).toEqual(Array.from({ length: 360 }, (_, i) => i + 2))
    expect(revisions[1]).toEqual(revisions[0])
    expect(revisions[2]).toEqual(revisions[0])
  })

  test('without most of them nothing is acknowledged and no read is called fresh; it goes on when they are back', async () => {
    const urls = servers.map((server) => server.url)
    // Deadlines come ten times as fast.
    const clock = { now: Date.now, after: (ms: number, call: () => void) => systemClock.after(ms / 10, call) }
    const store = await openOn({ url: urls[0]!, tls: servers[0]!.tls }, { servers: urls, clock })
    stores = [store]
    await put(store, refOf('x'), 1)
    await Promise.all([servers[1]!.kill(), servers[2]!.kill()])
    const outcomes = await Promise.allSettled([put(store, refOf('x'), 2), store.fresh()])
    expect(outcomes.map((o) => o.status === 'rejected' && isWherryError(o.reason, 'STORE_LOST'))).toEqual([true, true])
    expect(valueOf(store.get(refOf('x')))).toBe(1)
    await Promise.all([servers[1]!.start(), servers[2]!.start()])
    const again = async (): Promise<boolean> => {
      const stored = await put(store, refOf('x'), 3).catch(() => undefined)
      return valueOf(stored) === 3
    }
    await waitFor('etcd to have a leader again', again)
  })
})
