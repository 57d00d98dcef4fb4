/** A registry over a store in memory, with time that stands still: the hub's inside without its doors. */
import { randomUUID } from 'node:crypto'
import type { KubeObject } from '../../api/objects.ts'
import { silentLog } from '../../api/log.ts'
import type { Resource } from '../../api/resources.ts'
import { StatusError, type Status } from '../../api/status.ts'
import { createAllocators, type AllocatorOptions, type Allocators } from '../../server/admit/allocators.ts'
import { wordsOf } from '../../server/admit/words.ts'
import { createKinds, type Kinds } from '../../server/custom/kinds.ts'
import type { Registry } from '../../server/registry/registry.ts'
import { createRegistry } from '../../server/registry/verbs.ts'
import type { Ref, Store } from '../../server/store/store.ts'
import { openSqliteStore } from '../../server/store/sqlite.ts'
import { createFakeClock, type FakeClock } from './clock.ts'
import { namespace } from './objects.ts'

export interface Inside {
  readonly store: Store
  readonly kinds: Kinds
  readonly registry: Registry
  readonly allocators: Allocators
  readonly clock: FakeClock
  /** Creates a draft where its metadata says that it belongs. */
  make(resource: Resource, draft: Drafted): Promise<KubeObject>
  get(resource: Resource, name: string, namespace?: string): KubeObject | undefined
  close(): Promise<void>
}

export type Drafted = { readonly metadata: { readonly name?: string; readonly namespace?: string } }

export type InsideOptions = Partial<Pick<AllocatorOptions, 'random' | 'serviceCIDR' | 'nodePorts'>>

/** With the namespaces `default` and `kube-node-lease`, the homes of the drafts of `objects.ts`. */
export async function openInside(options: InsideOptions = {}): Promise<Inside> {
  const clock = createFakeClock()
  const store = openSqliteStore({ path: ':memory:', log: silentLog, clock, words: wordsOf })
  const random = options.random ?? Math.random
  const allocators = createAllocators({ ...options, store, random })
  const kinds = createKinds(store)
  const registry = createRegistry({ store, kinds, clock, random, uuid: randomUUID, allocators, log: silentLog })
  const make: Inside['make'] = (resource, draft) => registry.create(refOf(resource, draft), { ...draft })
  for (const name of ['default', 'kube-node-lease']) await make('namespaces', namespace({ metadata: { name } }))
  return {
    store,
    kinds,
    registry,
    allocators,
    clock,
    make,
    get: (resource, name, ns = '') => store.get({ resource, namespace: ns, name }),
    async close() {
      allocators.close()
      await store.close()
    },
  }
}

export function refOf(resource: Resource, { metadata }: Drafted): Ref {
  return { resource, namespace: metadata.namespace ?? '', name: metadata.name ?? '' }
}

/** @returns the Status with which a promise is refused; rejects where it is not refused, or with anything else */
export async function refusalOf(promise: Promise<unknown>): Promise<Status> {
  let answer: unknown
  try {
    answer = await promise
  } catch (e) {
    if (e instanceof StatusError) return e.status
    throw e
  }
  throw new TypeError(`expected a refusal, got ${JSON.stringify(answer)}`)
}
