/** The store of clusters: etcd, which any number of hubs may write, and in front of it memory that etcd keeps up to date. */
import type { Clock } from '../../../api/clock.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { openSeal, type Seal } from '../../seal/seal.ts'
import { forgotten, StoreError } from '../error.ts'
import type { Store, WordsOf } from '../store.ts'
import { createCache, type Cache } from './cache.ts'
import { createEtcdClient, type EtcdClient, type EtcdTls } from './client.ts'
import { follow } from './follow.ts'
import { createFreshness } from './freshness.ts'
import { keyOf } from './layout.ts'
import { loadBeginning, type Beginning } from './load.ts'
import { resealAll } from './reseal.ts'
import { writeOnce } from './write.ts'

export type { EtcdTls }

export const etcdLimits = {
  /** Changes in memory that can be watched afterwards. */
  tail: 50_000,
  /**
   * Of these, those that a hub reads before it serves: 7,000 a second, since etcd tells history a thousand revisions at a time and
   * rests 100 ms after each. Whoever is further behind begins anew.
   */
  atStart: 20_000,
  /** How long etcd keeps history, as long as kube-apiserver has it keep its own. */
  historyMs: 5 * 60_000,
} as const

export interface EtcdStoreOptions {
  /** http or https URLs of one cluster's servers. */
  readonly servers: readonly string[]
  readonly tls?: EtcdTls
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly log: Log
  /** None unless told. */
  readonly words?: WordsOf
  /** Seals values on their way to etcd; without it they lie there open. */
  readonly seal?: Seal
  /** Changes kept for watches that start in the past; `etcdLimits.tail` unless told. */
  readonly tail?: number
  /**
   * Memory cannot follow etcd any more (its history was compacted meanwhile, or it is another etcd now): whoever watches would
   * miss changes, so the process must start again. Called once; the store refuses everything from then on.
   */
  readonly onLost: (why: StoreError) => void
}

export interface EtcdStore extends Store {
  /** Forgets what is older than five minutes; to be called from time to time, by any number of hubs. */
  compactOld(): Promise<void>
  /** Seals everything anew that the first key did not seal; history stays until it is compacted. @returns how many values those were */
  reseal(): Promise<number>
  /** What keeps it from following etcd just now. */
  problem(): string | undefined
}

/** Resolves when memory has everything that etcd held at the call. @throws StoreError STORE_LOST, STORE_BROKEN */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<EtcdStore> {
  const { clock, random, log, tail = etcdLimits.tail, seal = openSeal() } = options
  const client = createEtcdClient(options)
  const ending = new AbortController()
  try {
    const beginning = await loadBeginning(client, Math.min(tail, etcdLimits.atStart), ending.signal)
    const cache = createCache({ clock, log, tail, seal })
    cache.load(beginning.rows, beginning.revision)
    const { clusterId } = beginning
    const onEvents = cache.take.bind(cache)
    let problem: string | undefined
    const onState = (now: string | undefined): void => void (problem = now)
    const following = follow({ client, clock, random, log, clusterId, onEvents, onState }, beginning.revision, ending.signal)
    const store = createStore({ options, seal, client, cache, beginning, ending, problem: () => problem })
    void following.then((why) => store.lost(why))
    await cache.reached(beginning.newest)
    return store
  } catch (e) {
    ending.abort()
    client.close()
    throw e
  }
}

interface Parts {
  readonly options: EtcdStoreOptions
  readonly seal: Seal
  readonly client: EtcdClient
  readonly cache: Cache
  readonly beginning: Beginning
  readonly ending: AbortController
  readonly problem: () => string | undefined
}

function createStore({ options, seal, client, cache, beginning, ending, problem }: Parts): EtcdStore & { lost(why: StoreError): void } {
  const { log, words = () => [] } = options
  const { tables, watchers } = cache
  /** The last write of each object that is not answered yet. */
  const queues = new Map<string, Promise<unknown>>()
  let compacted = beginning.revision === 1 ? 0 : beginning.revision
  /** How far the store was when `compactOld` was called before. */
  let marks: readonly { readonly at: number; readonly revision: number }[] = []
  let closed: StoreError | undefined

  const checkOpen = (): void => {
    if (closed) throw closed
  }
  const lost = (why: StoreError): void => {
    if (closed || ending.signal.aborted) return
    closed = why
    log.error('the store cannot follow etcd any more', errorKeys(why))
    cache.fail(why)
    options.onLost(why)
  }
  const fresh = createFreshness({ client, cache, lost })
  const deps = { client, cache, fresh, words, seal }

  const write: Store['write'] = (ref, decide, fence) => {
    if (closed) return Promise.reject(closed)
    // One after the other: writes of one object that go through one hub need not get in each other's way.
    const key = keyOf(ref)
    const before = queues.get(key) ?? Promise.resolve()
    const own = before.then(() => writeOnce(deps, ref, { decide, fence }))
    const quiet = own.then(
      () => undefined,
      () => undefined,
    )
    queues.set(key, quiet)
    void quiet.then(() => queues.get(key) === quiet && queues.delete(key))
    return own
  }
  const compact = async (upTo: number): Promise<void> => {
    checkOpen()
    const target = Math.min(upTo, cache.revision)
    if (target <= compacted) return
    await client.compact(target).catch((e: unknown) => {
      if (!(e instanceof StoreError && e.code === 'STORE_COMPACTED')) throw e
    })
    compacted = Math.max(compacted, target)
    watchers.forget(compacted)
  }

  return {
    lost,
    history: `etcd-${beginning.clusterId}`,
    get revision() {
      return cache.revision
    },
    get compacted() {
      return Math.max(compacted, watchers.floor)
    },
    fresh,
    problem: () => closed?.message ?? problem(),
    get: (ref) => tables.get(ref),
    list: (resource, namespace) => tables.list(resource, namespace),
    write,
    watch(from, onChange) {
      checkOpen()
      const kept = Math.max(compacted, watchers.floor)
      if (from < kept) throw forgotten(from, kept)
      return watchers.add(from, onChange)
    },
    compact,
    reseal: () => (closed ? Promise.reject(closed) : resealAll(client, seal)),
    async compactOld() {
      const now = options.clock.now()
      const old = marks.filter((m) => m.at <= now - etcdLimits.historyMs)
      marks = [...marks.slice(old.length), { at: now, revision: cache.revision }]
      await compact(old.at(-1)?.revision ?? 0)
    },
    async close() {
      if (ending.signal.aborted) return
      closed ??= new StoreError('STORE_CLOSED', 'the store was closed')
      while (queues.size > 0) await Promise.all(queues.values())
      watchers.clear()
      ending.abort()
      client.close()
    },
  }
}
