/** The store of the tests that need some store: SQLite in memory, or in the runner's project `etcd` a real etcd. */
import { inject } from 'vitest'
import { systemClock, type Clock } from '../../api/clock.ts'
import type { Log } from '../../api/log.ts'
import { openSqliteStore } from '../../server/store/sqlite.ts'
import type { Store, WordsOf } from '../../server/store/store.ts'
import { emptyEtcd, openOn, startEtcd, type EtcdPlace } from './etcd.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** One etcd for each worker; nothing in projects whose store is SQLite. */
    etcds?: readonly EtcdPlace[]
  }
}

export interface StoreWish {
  readonly log: Log
  readonly clock: Clock
  readonly words?: WordsOf
}

/** The etcds of this run that a store of this file stands on. */
const busy = new Set<EtcdPlace>()

/** Empty, and nobody else's; gone when it is closed. */
export async function openTestStore(wish: StoreWish): Promise<Store> {
  const etcds = inject('etcds')
  if (!etcds) return openSqliteStore({ ...wish, path: ':memory:' })
  const place = etcds[Number(process.env.VITEST_POOL_ID) - 1]
  if (!place || busy.has(place)) return openOnOwn(wish)
  busy.add(place)
  await emptyEtcd(place)
  // Whoever writes is in real time, whatever time the test plays with.
  const store = await openOn(place, { ...wish, clock: systemClock })
  return closing(store, () => Promise.resolve(void busy.delete(place)))
}

/** A test may want several stores at once: the others are etcds of their own. */
async function openOnOwn(wish: StoreWish): Promise<Store> {
  const server = await startEtcd()
  const store = await openOn(server, { ...wish, clock: systemClock })
  return closing(store, () => server.end())
}

function closing(store: Store, then: () => Promise<void>): Store {
  const close = async (): Promise<void> => {
    await store.close()
    await then()
  }
  return altered(store, { close })
}

/** The same with other members. What it was made of is its own still, so that it can be spread. */
export function altered<T extends object>(inner: T, members: Partial<T>): T {
  return Object.create(null, { ...Object.getOwnPropertyDescriptors(inner), ...Object.getOwnPropertyDescriptors(members) }) as T
}
