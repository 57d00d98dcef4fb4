/** The proof that memory is as new as what anybody was told before. */
import { StoreError } from '../error.ts'
import type { Cache } from './cache.ts'
import type { EtcdClient } from './client.ts'
import { root } from './layout.ts'

export interface FreshnessDeps {
  readonly client: Pick<EtcdClient, 'range'>
  readonly cache: Pick<Cache, 'revision' | 'reached'>
  /** etcd went back. */
  readonly lost: (why: StoreError) => void
}

/**
 * What proves that memory is new enough: etcd's revision, asked for after the call and agreed to by most of its servers, has
 * come in as an event. The watch is on every key, so every revision comes. Callers share one question; who comes while one is
 * on its way waits for the next.
 */
export function createFreshness({ client, cache, lost }: FreshnessDeps): (signal?: AbortSignal) => Promise<void> {
  let running: Promise<number> | undefined
  let next: Promise<number> | undefined
  const ask = async (): Promise<number> => {
    const known = cache.revision
    const { header } = await client.range({ key: Buffer.from(root), limit: 1, countOnly: true })
    if (header.revision >= known) return header.revision
    const why = new StoreError('STORE_BROKEN', `etcd went back to revision ${header.revision}: it was put back to an older copy; start the hub again`)
    lost(why)
    throw why
  }
  const begin = (): Promise<number> => {
    const own = ask().finally(() => {
      if (running === own) running = undefined
    })
    running = own
    return own
  }
  const queue = (after: Promise<number>): Promise<number> => {
    const own = after.then(
      () => undefined,
      () => undefined,
    ).then(() => {
      next = undefined
      return begin()
    })
    next = own
    return own
  }
  return async (signal) => cache.reached(await (next ?? (running ? queue(running) : begin())), signal)
}
