/** A registry over a store of the test's own, with time that stands still: the hub's inside without its doors. */
import { randomUUID } from 'node:crypto'
import type { KubeObject } from '../../api/objects.ts'
import { silentLog } from '../../api/log.ts'
import type { Resource } from '../../api/resources.ts'
import { StatusError, type Status } from '../../api/status.ts'
import { createAllocators, type AllocatorOptions, type Allocators } from '../../server/admit/allocators.ts'
import { wordsOf } from '../../server/admit/words.ts'
import { createKinds, type Kinds } from '../../server/custom/kinds.ts'
import type { AccountDeps, Accounts } from '../../server/registry/accounts.ts'
import type { Registry } from '../../server/registry/registry.ts'
import { createRegistry } from '../../server/registry/verbs.ts'
import type { Ref, Store } from '../../server/store/store.ts'
import { createFakeClock, type FakeClock } from './clock.ts'
import { namespace } from './objects.ts'
import { altered, openTestStore } from './store.ts'

export interface Inside {
  readonly store: Store
  readonly kinds: Kinds
  readonly registry: Registry
  readonly allocators: Allocators
  readonly clock: FakeClock
  /** Creates a draft where its metadata says that it belongs. */
  make(resource: Resource, draft: Drafted): Promise<KubeObject>
  get(resource: Resource, name: string, namespace?: string): KubeObject | undefined
  /** Resolves when nobody reads or writes through it any more, and what was written has woken nobody who does. */
  calm(): Promise<void>
  close(): Promise<void>
}

export type Drafted = { readonly metadata: { readonly name?: string; readonly namespace?: string } }

export type InsideOptions = Partial<Pick<AllocatorOptions, 'random' | 'serviceCIDR' | 'nodePorts'>> & {
  /** What makes pods need and use their service accounts; without it they do not. */
  readonly accounts?: (deps: AccountDeps) => Accounts
}

/** With the namespaces `default` and `kube-node-lease`, the homes of the drafts of `objects.ts`. */
export async function openInside(options: InsideOptions = {}): Promise<Inside> {
  const clock = createFakeClock()
  const work = createWork()
  const opened = await openTestStore({ log: silentLog, clock, words: wordsOf })
  const store = counted(opened, ['fresh', 'write'], work)
  const random = options.random ?? Math.random
  const allocators = createAllocators({ ...options, store, random })
  const kinds = createKinds(store)
  const accounts = options.accounts?.({ store, clock, random })
  const verbs = createRegistry({ store, kinds, clock, random, uuid: randomUUID, allocators, log: silentLog, ...(accounts && { accounts }) })
  const registry = counted(verbs, ['create', 'update', 'apply', 'remove', 'bind'], work)
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
    calm: () => work.calm(),
    async close() {
      allocators.close()
      await store.close()
    },
  }
}

interface Work {
  begin(): () => void
  calm(): Promise<void>
}

/** More turns of the event loop than anybody takes from hearing of a change to asking for the next. */
const quietTurns = 10

function createWork(): Work {
  let pending = 0
  let begun = 0
  return {
    begin() {
      pending++
      begun++
      return () => void pending--
    },
    async calm() {
      for (let quiet = 0, seen = begun; quiet < quietTurns; quiet++) {
        await new Promise((resolve) => setImmediate(resolve))
        if (pending > 0 || begun > seen) quiet = -1
        seen = begun
      }
    },
  }
}

/** The same, and `work` knows what of it is under way. */
function counted<T extends object>(inner: T, verbs: readonly (keyof T)[], work: Work): T {
  const wrap = (verb: keyof T) => async (...args: unknown[]): Promise<unknown> => {
    const end = work.begin()
    try {
      return await (inner[verb] as (...args: unknown[]) => Promise<unknown>)(...args)
    } finally {
      end()
    }
  }
  return altered(inner, Object.fromEntries(verbs.map((verb) => [verb, wrap(verb)])) as Partial<T>)
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
