/**
 * What all controllers share: a queue of keys, one reconciliation of a key at a time, another look after a failure or
 * when asked for. A controller reads the store directly (its own acknowledged writes are always visible) and writes
 * through the registry.
 */
import type { Clock } from '../../api/clock.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import type { KubeObject, OwnerReference } from '../../api/objects.ts'
import { isBuiltIn, type Resource } from '../../api/resources.ts'
import { StatusError } from '../../api/status.ts'
import type { Kinds } from '../custom/kinds.ts'
import type { Registry } from '../registry/registry.ts'
import type { Change, Store } from '../store/store.ts'

export interface ControllerDeps {
  readonly store: Store
  readonly registry: Registry
  readonly kinds: Kinds
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
}

export interface ControllerSpec {
  readonly name: string
  /** Kinds whose objects are looked at when the controller starts, and whose changes wake it. */
  readonly resources: readonly Resource[]
  /** Whether objects of kinds that somebody defined are looked at as well. */
  readonly custom?: true
  /** The keys that a change (or an object found at the start) concerns. */
  readonly keys: (change: Pick<Change, 'resource' | 'object' | 'previous'>) => Iterable<string>
  /** Brings one key in order. @returns milliseconds after which to look again, if time alone may change something */
  readonly reconcile: (key: string) => Promise<number | undefined>
  /** Keys worked on at once. */
  readonly width?: number
}

export interface Controller {
  readonly name: string
  /** Starts; returns the way to stop, which resolves when nothing is under way any more. */
  start(): () => Promise<void>
}

const backoff = { firstMs: 20, capMs: 30_000 } as const

interface Item {
  wanted: boolean
  running: boolean
  failures: number
  cancel?: () => void
}

export function createController(deps: ControllerDeps, spec: ControllerSpec): Controller {
  const { store, clock, random } = deps
  const log = deps.log.with({ controller: spec.name })
  return {
    name: spec.name,
    start() {
      const items = new Map<string, Item>()
      const ready: string[] = []
      let active = 0
      let stopped = false
      let idle: (() => void) | undefined

      const add = (key: string): void => {
        if (stopped) return
        const item = items.get(key) ?? { wanted: false, running: false, failures: 0 }
        items.set(key, item)
        item.cancel?.()
        delete item.cancel
        if (item.wanted) return
        item.wanted = true
        if (!item.running) {
          ready.push(key)
          queueMicrotask(pump)
        }
      }
      const later = (key: string, item: Item, ms: number): void => {
        item.cancel = clock.after(ms, () => add(key))
      }
      const settle = (key: string, item: Item, again: number | undefined): void => {
        item.running = false
        active--
        if (stopped) {
          if (active === 0) idle?.()
          return
        }
        if (item.wanted) ready.push(key)
        else if (again !== undefined) later(key, item, again)
        else items.delete(key)
        pump()
      }
      const failed = (item: Item, key: string, e: unknown): number => {
        item.failures++
        // Somebody else was faster, or the object is gone: look again soon, and say nothing.
        const passing = e instanceof StatusError && ['Conflict', 'NotFound', 'AlreadyExists'].includes(e.status.reason ?? '')
        if (!passing || item.failures > 5) log.warn('a reconciliation failed; trying again', { key, failures: item.failures, ...errorKeys(e) })
        return Math.min(backoff.capMs, backoff.firstMs * 2 ** (item.failures - 1)) * (0.5 + random() / 2)
      }
      const pump = (): void => {
        while (!stopped && active < (spec.width ?? 4) && ready.length > 0) {
          const key = ready.shift()!
          const item = items.get(key)!
          item.wanted = false
          item.running = true
          active++
          spec.reconcile(key).then(
            (again) => {
              item.failures = 0
              settle(key, item, again)
            },
            (e: unknown) => settle(key, item, failed(item, key, e)),
          )
        }
      }

      const wanted = new Set<Resource>(spec.resources)
      const unwatch = store.watch(store.revision, (change) => {
        if (wanted.has(change.resource) || (spec.custom && !isBuiltIn(change.resource))) for (const key of spec.keys(change)) add(key)
      })
      const custom = spec.custom ? deps.kinds.stored().map((k) => k.resource).filter((r) => !isBuiltIn(r)) : []
      for (const resource of [...spec.resources, ...custom]) {
        for (const object of store.list(resource)) for (const key of spec.keys({ resource, object })) add(key)
      }
      return () => {
        stopped = true
        unwatch()
        for (const item of items.values()) item.cancel?.()
        return active === 0 ? Promise.resolve() : new Promise((resolve) => (idle = resolve))
      }
    },
  }
}

/** The owner that controls an object, if any (meta/v1 OwnerReference with `controller: true`). */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((o) => o.controller)
}

/** A reference that makes `owner` the controller of what carries it. */
export function ownedBy(owner: KubeObject): OwnerReference {
  const { apiVersion, kind, metadata } = owner
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true }
}

/** `namespace/name` taken apart. */
export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/')
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
