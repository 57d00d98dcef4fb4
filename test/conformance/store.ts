/** What every Store promises, whatever it keeps its objects in. `store.test.ts` runs it over ours. */
import { describe, expect, test } from 'vitest'
import { isWherryError } from '../../api/errors.ts'
import type { KubeObject } from '../../api/objects.ts'
import { fenced, type Change, type Fence, type Ref, type Store, type WordsOf } from '../../server/store/store.ts'

/** One set of data, empty at first. */
export interface StoreBed {
  /** Opens the data, with `wordsOf` below; again after the store before was closed. */
  open(): Promise<Store>
  /** Takes the data away; stores opened on it are closed by then. */
  end(): Promise<void>
}

export const refOf = (name: string, namespace = 'default'): Ref => ({ resource: 'configmaps', namespace, name })

/** A small object that carries one value. */
export function objectOf(ref: Ref, value: number | string): KubeObject {
  const metadata = {
    name: ref.name,
    ...(ref.namespace && { namespace: ref.namespace }),
    uid: `uid-${ref.name}`,
    resourceVersion: '',
    creationTimestamp: '2026-01-01T00:00:00Z',
  }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, spec: { value } }
}

/** The words that objects of the suite hold: those that their spec names. */
export const wordsOf: WordsOf = (_resource, object) => (object.spec as { words?: readonly string[] } | undefined)?.words ?? []

/** An object that holds these words. */
export const holding = (ref: Ref, ...words: readonly string[]): KubeObject => ({ ...objectOf(ref, 0), spec: { words } })

export const put = (store: Store, ref: Ref, value: number | string): Promise<KubeObject | undefined> =>
  store.write(ref, () => ({ put: objectOf(ref, value) }))
export const remove = (store: Store, ref: Ref): Promise<KubeObject | undefined> => store.write(ref, () => ({ remove: true }))
export const valueOf = (object: KubeObject | undefined): unknown => (object?.spec as { value?: unknown } | undefined)?.value

/** A watcher that keeps what it is told, and can be waited for. */
export interface Witness {
  readonly changes: readonly Change[]
  /** Resolves when a change of this revision, or a later one, was told. */
  reached(revision: number): Promise<void>
  readonly stop: () => void
}

export function witness(store: Store, from: number): Witness {
  const changes: Change[] = []
  let waiting: { readonly revision: number; readonly done: () => void }[] = []
  const stop = store.watch(from, (change) => {
    changes.push(change)
    for (const w of waiting) if (change.revision >= w.revision) w.done()
    waiting = waiting.filter((w) => change.revision < w.revision)
  })
  const reached = (revision: number): Promise<void> =>
    new Promise((done) => {
      if (revision <= (changes.at(-1)?.revision ?? from)) done()
      else waiting.push({ revision, done })
    })
  return { changes, reached, stop }
}

/** Chance that repeats itself: the same numbers for the same seed. */
export function chance(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const shortly = (change: Change): string => `${change.revision} ${change.type} ${change.object.metadata.name}`

export function storeSuite(name: string, makeBed: () => Promise<StoreBed>): void {
  /** Runs with an open store and closes it, and with the data taken away whatever happens. */
  const withStore = (title: string, run: (store: Store, reopen: () => Promise<Store>) => Promise<void>): void =>
    test(title, async () => {
      const bed = await makeBed()
      let store = await bed.open()
      try {
        await run(store, async () => {
          await store.close()
          store = await bed.open()
          return store
        })
      } finally {
        await store.close()
        await bed.end()
      }
    })

  describe(`${name}: writing`, () => {
    withStore('a create, a change and a deletion each take a later revision', async (store) => {
      const ref = refOf('a')
      const created = await put(store, ref, 1)
      expect(created?.metadata.resourceVersion).toBe(String(store.revision))
      expect(store.get(ref)).toBe(created)
      const changed = await put(store, ref, 2)
      expect(Number(changed?.metadata.resourceVersion)).toBeGreaterThan(Number(created?.metadata.resourceVersion))
      expect(valueOf(store.get(ref))).toBe(2)
      await remove(store, ref)
      expect(store.get(ref)).toBeUndefined()
      expect(store.revision).toBeGreaterThan(Number(changed?.metadata.resourceVersion))
    })

    withStore('what changes nothing takes no revision', async (store) => {
      const ref = refOf('a')
      const created = await put(store, ref, 1)
      const before = store.revision
      expect(await put(store, ref, 1)).toBe(created)
      expect(await store.write(ref, () => ({ keep: true }))).toBe(created)
      expect(await store.write(refOf('absent'), () => ({ keep: true }))).toBeUndefined()
      expect(await remove(store, refOf('absent'))).toBeUndefined()
      expect(store.revision).toBe(before)
    })

    withStore('what a decision throws rejects its own write and no other', async (store) => {
      const reason = new TypeError('no')
      const writes = [put(store, refOf('a'), 1), store.write(refOf('b'), () => { throw reason }), put(store, refOf('c'), 3)]
      const [a, b, c] = await Promise.allSettled(writes)
      expect(b).toEqual({ status: 'rejected', reason })
      expect([a?.status, c?.status]).toEqual(['fulfilled', 'fulfilled'])
      expect(store.list('configmaps').map((o) => o.metadata.name)).toEqual(['a', 'c'])
    })

    withStore('a decision sees what the writes before it did, so only one of many creators wins', async (store) => {
      const ref = refOf('one')
      const create = (by: number): Promise<unknown> =>
        store.write(ref, (current) => {
          if (current) throw new TypeError('there already')
          return { put: objectOf(ref, by) }
        })
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, by) => create(by)))
      expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(1)
      expect(valueOf(store.get(ref))).toBe(outcomes.findIndex((o) => o.status === 'fulfilled'))
    })

    withStore('many writers on one object lose no update', async (store) => {
      const ref = refOf('counter')
      await put(store, ref, 0)
      const count = async (): Promise<void> => {
        for (let i = 0; i < 50; i++) {
          await store.write(ref, (current) => ({ put: objectOf(ref, Number(valueOf(current)) + 1) }))
        }
      }
      await Promise.all(Array.from({ length: 16 }, count))
      expect(valueOf(store.get(ref))).toBe(800)
    })

    withStore('what is stored cannot be changed from outside', async (store) => {
      const ref = refOf('a')
      const draft = objectOf(ref, 1)
      const stored = await store.write(ref, () => ({ put: draft }))
      draft.spec = { value: 2 }
      expect(valueOf(store.get(ref))).toBe(1)
      expect(() => Object.assign(stored!.spec as object, { value: 3 })).toThrow(TypeError)
      expect(() => Object.assign(stored!.metadata, { name: 'b' })).toThrow(TypeError)
    })

    withStore('a closed store refuses writes and watches', async (store) => {
      await store.close()
      await expect(put(store, refOf('a'), 1)).rejects.toSatisfy((e) => isWherryError(e, 'STORE_CLOSED'))
      expect(() => store.watch(0, () => {})).toThrowError(expect.objectContaining({ code: 'STORE_CLOSED' }))
    })
  })

  describe(`${name}: reading`, () => {
    withStore('lists are ordered by namespace and name, whole or by namespace', async (store) => {
      const names = ['b/z', 'a/y', 'a-b/x', 'b/a', 'a/b-c', 'a/b', 'a-b/a']
      await Promise.all(names.map((full) => put(store, refOf(full.split('/')[1]!, full.split('/')[0]), 1)))
      const said = (list: readonly KubeObject[]): string[] => list.map((o) => `${o.metadata.namespace}/${o.metadata.name}`)
      expect(said(store.list('configmaps'))).toEqual(['a/b', 'a/b-c', 'a/y', 'a-b/a', 'a-b/x', 'b/a', 'b/z'])
      expect(said(store.list('configmaps', 'a'))).toEqual(['a/b', 'a/b-c', 'a/y'])
      expect(store.list('configmaps', 'c')).toEqual([])
      expect(store.list('services')).toEqual([])
    })

    withStore('a list that was given out does not change', async (store) => {
      await put(store, refOf('a'), 1)
      const list = store.list('configmaps')
      await put(store, refOf('b'), 1)
      await put(store, refOf('a'), 2)
      expect(list.map(valueOf)).toEqual([1])
      expect(store.list('configmaps').map(valueOf)).toEqual([2, 1])
    })

    withStore('kinds are apart, and cluster-wide objects have no namespace', async (store) => {
      const node: Ref = { resource: 'nodes', namespace: '', name: 'a' }
      await store.write(node, () => ({ put: { ...objectOf(node, 1), kind: 'Node' } }))
      expect(store.get(refOf('a'))).toBeUndefined()
      expect(store.get(node)?.metadata.namespace).toBeUndefined()
      expect(store.list('nodes')).toHaveLength(1)
    })
  })

  describe(`${name}: keeping`, () => {
    withStore('acknowledged writes, revision and history are there after reopening', async (store, reopen) => {
      await Promise.all(Array.from({ length: 100 }, (_, i) => put(store, refOf(`n${i}`), i)))
      await put(store, refOf('n7'), 'changed')
      await remove(store, refOf('n8'))
      const told = witness(store, 0)
      await told.reached(store.revision)
      const { revision } = store
      const objects = store.list('configmaps')
      const again = await reopen()
      expect(again.revision).toBe(revision)
      expect(again.list('configmaps')).toEqual(objects)
      const history = witness(again, 0)
      await history.reached(revision)
      expect(history.changes).toEqual(told.changes)
      const next = await put(again, refOf('n8'), 'back')
      expect(Number(next?.metadata.resourceVersion)).toBeGreaterThan(revision)
    })

    withStore('writes that wait when the store closes are kept or refused, never both', async (store, reopen) => {
      const writes = Array.from({ length: 600 }, (_, i) => put(store, refOf(`n${i}`), i))
      const again = await reopen()
      const outcomes = await Promise.allSettled(writes)
      for (const [i, outcome] of outcomes.entries()) {
        expect(again.get(refOf(`n${i}`)) !== undefined, `n${i}`).toBe(outcome.status === 'fulfilled')
      }
    })
  })

  fencing(`${name}: fences`, withStore)
  owning(`${name}: words that one object alone may hold`, withStore)
  watching(`${name}: watching`, withStore)
  forgetting(`${name}: forgetting`, withStore)
}

function fencing(title: string, withStore: WithStore): void {
  const post = refOf('post')
  const fence: Fence = { ref: post, holds: (object) => valueOf(object) === 'mine' }

  describe(title, () => {
    withStore('a fenced write is done while its fence holds, and refused when it does not', async (store) => {
      const mine = fenced(store, fence)
      const isFenced = (e: unknown): boolean => isWherryError(e, 'STORE_FENCED')
      await expect(put(mine, refOf('a'), 1)).rejects.toSatisfy(isFenced)
      await put(store, post, 'mine')
      expect(valueOf(await put(mine, refOf('a'), 2))).toBe(2)
      expect(mine.revision).toBe(store.revision)
      await put(store, post, 'yours')
      await expect(put(mine, refOf('a'), 3)).rejects.toSatisfy(isFenced)
      expect(valueOf(store.get(refOf('a')))).toBe(2)
    })
  })
}

function owning(title: string, withStore: WithStore): void {
  const hold = (store: Store, name: string, ...words: readonly string[]) => {
    const ref = refOf(name)
    return store.write(ref, () => ({ put: holding(ref, ...words) }))
  }
  const isTaken = (e: unknown): boolean => isWherryError(e, 'STORE_TAKEN')

  describe(title, () => {
    withStore('a word that is held is refused, and nothing of that write is done', async (store) => {
      await hold(store, 'a', 'x', 'y')
      const { revision } = store
      await expect(hold(store, 'b', 'free', 'y')).rejects.toSatisfy(isTaken)
      expect([store.get(refOf('b')), store.revision]).toEqual([undefined, revision])
      await hold(store, 'c', 'free')
    })

    withStore('what an object gives back, or leaves behind, can be held by another', async (store, reopen) => {
      await hold(store, 'a', 'x', 'y')
      await hold(store, 'a', 'y', 'z')
      await hold(store, 'b', 'x')
      await expect(hold(store, 'c', 'z')).rejects.toSatisfy(isTaken)
      await remove(store, refOf('a'))
      const again = await reopen()
      await hold(again, 'c', 'z', 'y')
      await expect(hold(again, 'd', 'x')).rejects.toSatisfy(isTaken)
    })

    withStore('of all who want a word at the same time one gets it', async (store) => {
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => hold(store, `n${i}`, 'x')))
      expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(1)
      expect(outcomes.filter((o) => o.status === 'rejected').every((o) => isTaken(o.reason))).toBe(true)
      expect(store.list('configmaps')).toHaveLength(1)
    })
  })
}

type WithStore = (title: string, run: (store: Store, reopen: () => Promise<Store>) => Promise<void>) => void

function watching(title: string, withStore: WithStore): void {
  describe(title, () => {
    withStore('a deletion carries the last state and its own revision', async (store) => {
      const told = witness(store, 0)
      const made = await put(store, refOf('a'), 1)
      const changed = await put(store, refOf('a'), 2)
      const gone = await remove(store, refOf('a'))
      await told.reached(store.revision)
      expect(told.changes.map((c) => c.type)).toEqual(['ADDED', 'MODIFIED', 'DELETED'])
      expect(told.changes.map((c) => c.previous)).toEqual([undefined, made, changed])
      const { revision, object } = told.changes[2]!
      expect(revision).toBe(store.revision)
      expect(object).toEqual({ ...changed, metadata: { ...changed!.metadata, resourceVersion: String(revision) } })
      expect(gone).toEqual(object)
      for (const change of told.changes) expect(change.object.metadata.resourceVersion).toBe(String(change.revision))
    })

    withStore('nobody is told of a change before readers see it', async (store) => {
      const late: string[] = []
      store.watch(0, (c) => {
        if (store.revision < c.revision) late.push(shortly(c))
        if (c.type === 'ADDED' && store.get(refOf(c.object.metadata.name)) === undefined) late.push(shortly(c))
      })
      const told = witness(store, 0)
      await Promise.all(Array.from({ length: 50 }, (_, i) => put(store, refOf(`n${i}`), i)))
      await told.reached(store.revision)
      expect(late).toEqual([])
    })

    withStore('a watch from the future waits for it', async (store) => {
      await put(store, refOf('a'), 1)
      const told = witness(store, store.revision + 2)
      for (const value of [2, 3, 4, 5]) await put(store, refOf('a'), value)
      await told.reached(store.revision)
      expect(told.changes.map((c) => valueOf(c.object))).toEqual([4, 5])
    })

    withStore('a stopped watcher is told nothing more, even if it stops from within', async (store) => {
      const told = witness(store, 0)
      const first: string[] = []
      const stop = store.watch(store.revision, (c) => {
        first.push(shortly(c))
        stop()
      })
      await Promise.all(['a', 'b', 'c'].map((name) => put(store, refOf(name), 1)))
      await told.reached(store.revision)
      expect(first).toHaveLength(1)
    })

    withStore('a watcher that throws hurts nobody else', async (store) => {
      store.watch(0, () => { throw new TypeError('a watcher that breaks its promise') })
      const told = witness(store, 0)
      await put(store, refOf('a'), 1)
      await put(store, refOf('a'), 2)
      await told.reached(store.revision)
      expect(told.changes).toHaveLength(2)
    })

    withStore('a watcher may write, and watch', async (store) => {
      const later: Promise<unknown>[] = []
      const inner: Witness[] = []
      store.watch(0, (c) => {
        if (c.object.metadata.name !== 'a') return
        inner.push(witness(store, c.revision - 1))
        later.push(put(store, refOf('b'), valueOf(c.object) as number))
      })
      const told = witness(store, 0)
      await Promise.all([put(store, refOf('a'), 1), put(store, refOf('c'), 1)])
      await Promise.all(later)
      await Promise.all([told.reached(store.revision), inner[0]!.reached(store.revision)])
      expect(told.changes.map((c) => c.object.metadata.name).toSorted()).toEqual(['a', 'b', 'c'])
      // Writes of one moment may be kept in any order.
      const from = told.changes.find((c) => c.object.metadata.name === 'a')!.revision
      expect(inner[0]!.changes.map(shortly)).toEqual(told.changes.filter((c) => c.revision >= from).map(shortly))
    })

    for (const seed of [1, 2, 3]) {
      withStore(`watches begun amid writes lose nothing and repeat nothing (seed ${seed})`, async (store) => {
        const below = chance(seed)
        const all = witness(store, 0)
        const begun: { readonly from: number; readonly told: Witness }[] = []
        const writer = async (): Promise<void> => {
          for (let i = 0; i < 60; i++) {
            const ref = refOf(`n${below(20)}`)
            await (below(4) === 0 ? remove(store, ref) : put(store, ref, below(1_000_000)))
            if (below(10) > 0) continue
            const from = below(store.revision + 1)
            begun.push({ from, told: witness(store, from) })
          }
        }
        await Promise.all(Array.from({ length: 8 }, writer))
        await Promise.all([all, ...begun.map((b) => b.told)].map((told) => told.reached(store.revision)))
        expect(begun.length).toBeGreaterThan(20)
        const order = all.changes.map((c) => c.revision)
        expect(order).toEqual([...new Set(order)].toSorted((a, b) => a - b))
        for (const { from, told } of begun) {
          expect(told.changes.map(shortly)).toEqual(all.changes.filter((c) => c.revision > from).map(shortly))
        }
        const replayed = new Map<string, KubeObject>()
        for (const { type, object, previous } of all.changes) {
          expect(previous).toEqual(replayed.get(object.metadata.name))
          if (type === 'DELETED') replayed.delete(object.metadata.name)
          else replayed.set(object.metadata.name, object)
        }
        expect([...replayed.values()].toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))).toEqual(store.list('configmaps'))
      })
    }
  })
}

function forgetting(title: string, withStore: WithStore): void {
  describe(title, () => {
    withStore('forgotten history cannot be watched; what is younger can, and objects stay', async (store, reopen) => {
      for (const value of [1, 2, 3, 4]) await put(store, refOf('a'), value)
      await put(store, refOf('b'), 1)
      const { revision } = store
      await store.compact(revision - 2)
      const holds = async (s: Store): Promise<void> => {
        expect(s.compacted).toBe(revision - 2)
        expect(s.revision).toBe(revision)
        expect(() => s.watch(revision - 3, () => {})).toThrowError(expect.objectContaining({ code: 'STORE_COMPACTED' }))
        const told = witness(s, revision - 2)
        await told.reached(revision)
        expect(told.changes.map((c) => c.object.metadata.name)).toEqual(['a', 'b'])
        expect(valueOf(told.changes[0]!.previous)).toBe(3)
        expect(s.list('configmaps').map(valueOf)).toEqual([4, 1])
      }
      await holds(store)
      await holds(await reopen())
    })

    withStore('the revision goes on after all history was forgotten and every object deleted', async (store, reopen) => {
      await put(store, refOf('a'), 1)
      await remove(store, refOf('a'))
      const { revision } = store
      await store.compact(revision)
      const again = await reopen()
      expect(again.revision).toBe(revision)
      expect(Number((await put(again, refOf('a'), 2))?.metadata.resourceVersion)).toBeGreaterThan(revision)
    })

    withStore('forgetting goes forward only, and not past the present', async (store) => {
      for (const value of [1, 2, 3]) await put(store, refOf('a'), value)
      const { revision } = store
      await store.compact(revision - 1)
      await store.compact(revision - 2)
      expect(store.compacted).toBe(revision - 1)
      await store.compact(store.revision + 100)
      expect(store.compacted).toBe(store.revision)
      const told = witness(store, store.revision)
      await put(store, refOf('a'), 4)
      await told.reached(store.revision)
      expect(told.changes).toHaveLength(1)
    })

    withStore('running watches go on while history is forgotten', async (store) => {
      const told = witness(store, 0)
      for (let value = 1; value <= 20; value++) {
        await put(store, refOf('a'), value)
        await store.compact(store.revision)
      }
      await told.reached(store.revision)
      expect(told.changes.map((c) => valueOf(c.object))).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    })
  })
}
