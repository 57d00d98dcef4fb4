/** All objects in memory, brought forward by etcd's events; who waits for a revision; who is told of changes. */
import type { Clock } from '../../../api/clock.ts'
import type { Log } from '../../../api/log.ts'
import type { KubeObject } from '../../../api/objects.ts'
import type { Seal } from '../../seal/seal.ts'
import { stamped } from '../decide.ts'
import type { StoreError } from '../error.ts'
import { createOwning, settle } from '../settle.ts'
import type { Change, Ref } from '../store.ts'
import { createTables, type Tables } from '../tables.ts'
import { createWatchers, type Watchers } from '../watchers.ts'
import { createArrivals } from './arrivals.ts'
import { decodeObject, refOf } from './layout.ts'
import type { Event, KeyValue } from './messages.ts'

export interface Cache {
  readonly tables: Pick<Tables, 'get' | 'list'>
  readonly watchers: Watchers
  /** Everything up to here is in the tables. */
  readonly revision: number
  /** The state to begin with. @throws StoreError STORE_BROKEN for a value that is no object */
  load(rows: readonly KeyValue[], revision: number): void
  /** Whole revisions, in order: memory, then those who wait, then the watchers. @throws as `load` */
  take(events: readonly Event[]): void
  /** Resolves when the tables have this revision. @throws StoreError STORE_LOST when it does not come; the signal's reason */
  reached(revision: number, signal?: AbortSignal): Promise<void>
  /** Notes the changes of one object until it is stopped. */
  follow(key: string): Followed
  /** Who waits now and later is refused with this. */
  fail(why: StoreError): void
}

export interface Followed {
  /** The change of this object at a revision that was reached. */
  at(revision: number): Change | undefined
  stop(): void
}

export interface CacheDeps {
  readonly clock: Clock
  readonly log: Log
  readonly seal: Seal
  /** Changes kept for watches that start in the past. */
  readonly tail: number
}

export function createCache({ clock, log, seal, tail }: CacheDeps): Cache {
  const tables = createTables()
  const watchers = createWatchers({ log, tail })
  const arrivals = createArrivals(clock, 0)
  const followed = new Map<string, Set<Change[]>>()
  const own = createOwning()
  let revision = 0

  const objectOf = (ref: Ref, { value, modRevision }: KeyValue, before: KubeObject | undefined): KubeObject => {
    const object = decodeObject(seal, ref, value)
    return stamped((before ? settle(object, before) : own(object)) as KubeObject, modRevision)
  }
  const changeOf = (ref: Ref, { removed, kv }: Event): Change | undefined => {
    const before = tables.get(ref)
    if (removed && !before) return undefined
    const previous = before && { previous: before }
    const { modRevision } = kv
    const object = removed ? stamped(before!, modRevision) : objectOf(ref, kv, before)
    const type = removed ? 'DELETED' : before ? 'MODIFIED' : 'ADDED'
    return Object.freeze({ revision: modRevision, type, resource: ref.resource, object, ...previous })
  }
  const note = (key: string, change: Change): void => {
    for (const changes of followed.get(key) ?? []) changes.push(change)
  }

  return {
    tables,
    watchers,
    get revision() {
      return revision
    },
    load(rows, at) {
      for (const kv of rows) {
        const ref = refOf(kv.key.toString())
        if (ref) tables.set(ref, objectOf(ref, kv, undefined))
      }
      revision = at
      arrivals.arrived(at)
    },
    take(events) {
      const changes: Change[] = []
      for (const event of events) {
        const key = event.kv.key.toString()
        const ref = refOf(key)
        const change = ref && changeOf(ref, event)
        if (!change) continue
        tables.set(ref, event.removed ? undefined : change.object)
        note(key, change)
        changes.push(change)
      }
      revision = events.at(-1)?.kv.modRevision ?? revision
      arrivals.arrived(revision)
      watchers.publish(changes)
    },
    reached: (wanted, signal) => arrivals.wait(wanted, signal),
    follow(key) {
      const changes: Change[] = []
      const all = followed.get(key) ?? new Set()
      followed.set(key, all.add(changes))
      return {
        at: (wanted) => changes.find((c) => c.revision === wanted),
        stop() {
          all.delete(changes)
          if (all.size === 0) followed.delete(key)
        },
      }
    },
    fail: (why) => arrivals.fail(why),
  }
}
