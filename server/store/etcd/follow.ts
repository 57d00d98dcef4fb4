/** Follows everything that happens in etcd: one watch after the other, each where the one before it ended. */
import { sleep, type Clock } from '../../../api/clock.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { StoreError } from '../error.ts'
import type { EtcdClient } from './client.ts'
import type { Event, WatchResponse } from './messages.ts'

export interface FollowDeps {
  readonly client: Pick<EtcdClient, 'watch'>
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly log: Log
  /** Whose events they are: another cluster's would be another history. */
  readonly clusterId: string
  /** Whole revisions in order, none twice. Throwing ends it all. */
  readonly onEvents: (events: readonly Event[]) => void
  /** What keeps it from following just now; undefined when it follows again. */
  readonly onState: (problem: string | undefined) => void
}

/** Milliseconds between two tries. */
const backoff = { first: 50, cap: 2_000 } as const

/**
 * @param after the revision after which to begin
 * @returns why it cannot go on: STORE_COMPACTED, STORE_BROKEN; STORE_CLOSED when the signal aborts
 */
export async function follow(deps: FollowDeps, after: number, signal: AbortSignal): Promise<StoreError> {
  const { client, clock, random, log } = deps
  let reached = after
  let failures = 0
  const take = (response: WatchResponse): void => {
    const { header, canceled, compactRevision, cancelReason, events } = response
    if (header.clusterId !== deps.clusterId) {
      throw new StoreError('STORE_BROKEN', `this is etcd cluster ${header.clusterId}, and was ${deps.clusterId} before; start the hub again`)
    }
    if (canceled && compactRevision > 0) {
      throw new StoreError('STORE_COMPACTED', `etcd has forgotten what happened between revisions ${reached} and ${compactRevision}`)
    }
    if (canceled) throw new StoreError('STORE_LOST', `etcd ended the watch: ${cancelReason}`)
    failures = 0
    deps.onState(undefined)
    const news = events.filter((e) => e.kv.modRevision > reached)
    if (news.length === 0) return
    deps.onEvents(news)
    reached = news.at(-1)!.kv.modRevision
  }
  while (!signal.aborted) {
    const why = await client.watch(reached + 1, take, signal)
    if (why.code !== 'STORE_LOST') return why
    deps.onState(why.message)
    const waitMs = Math.round(Math.min(backoff.cap, backoff.first * 2 ** failures++) * (0.5 + random() / 2))
    log.warn('the watch on etcd broke; it goes on where it was', { revision: reached, waitMs, ...errorKeys(why) })
    await sleep(clock, waitMs, signal).catch(() => undefined)
  }
  return new StoreError('STORE_CLOSED', 'the store was closed')
}
