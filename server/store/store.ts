/**
 * The hub's contract with its store. One order of revisions over all kinds; a write is acknowledged only after it is
 * durable, and visible to readers and watchers only then. `sqlite.ts` is the embedded one, `etcd/etcd.ts` the one of clusters.
 */
import type { KubeObject } from '../../api/objects.ts'
import type { Resource } from '../../api/resources.ts'

/** The address of an object. `namespace` is '' for cluster-wide kinds. */
export interface Ref {
  readonly resource: Resource
  readonly namespace: string
  readonly name: string
}

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** One committed change. Objects are frozen. */
export interface Change {
  readonly revision: number
  readonly type: ChangeType
  readonly resource: Resource
  /** For DELETED the last state, with `metadata.resourceVersion` of the deletion. */
  readonly object: KubeObject
  /** The state before, absent for ADDED. */
  readonly previous?: KubeObject
}

/** What a write's decision may be: a new state, no change at all, or the end of the object. */
export type Decision = { readonly put: KubeObject } | { readonly keep: true } | { readonly remove: true }

/**
 * Words that an object holds (an address, a port). No two objects in a store ever hold the same one, whichever hubs write them:
 * a write that would make it so changes nothing and is refused with STORE_TAKEN.
 */
export type WordsOf = (resource: Resource, object: KubeObject) => readonly string[]

/** What must be so, of another object, at the moment of a write. */
export interface Fence {
  readonly ref: Ref
  readonly holds: (object: KubeObject | undefined) => boolean
}

export interface Store {
  /**
   * Names the order of revisions. Another store, or one that was put back to an older copy, has another name: what somebody
   * holds of one history says nothing about another.
   */
  readonly history: string
  /** The last committed revision. */
  readonly revision: number
  /** Changes after this revision can still be watched. */
  readonly compacted: number

  /**
   * Resolves when reads see everything that any hub acknowledged before this call. At once for the embedded store.
   * @throws StoreError STORE_LOST
   */
  fresh(signal?: AbortSignal): Promise<void>
  get(ref: Ref): KubeObject | undefined
  /** All objects of a kind, or those of one namespace, ordered by namespace and name. */
  list(resource: Resource, namespace?: string): readonly KubeObject[]

  /**
   * The one way to write. `decide` gets the current state (undefined if there is none) and says what it should become;
   * it may run again if the state moved meanwhile and must have no effects of its own. What it throws rejects this write only.
   * The store sets `metadata.resourceVersion`. Resolves after the flush with the state as stored
   * (for `remove` the last state; for `keep` the current one, or undefined where there is none).
   * @throws StoreError STORE_FENCED where `fence` does not hold, and nothing is written
   */
  write(ref: Ref, decide: (current: KubeObject | undefined) => Decision, fence?: Fence): Promise<KubeObject | undefined>

  /**
   * Calls `onChange` for every change after `from` in revision order, first the kept history (before `watch` returns), then
   * as they commit, and never before they are durable. `onChange` must not throw. Returns the way to stop.
   * @throws StoreError STORE_COMPACTED
   */
  watch(from: number, onChange: (change: Change) => void): () => void

  /** Forgets the history up to and including this revision. */
  compact(revision: number): Promise<void>
  close(): Promise<void>
}

/** The same store for somebody whose writes are good only while something holds. */
export function fenced(store: Store, fence: Fence): Store {
  return Object.create(store, { write: { value: (...[ref, decide]: Parameters<Store['write']>) => store.write(ref, decide, fence) } }) as Store
}
