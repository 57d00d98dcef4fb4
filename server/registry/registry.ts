/**
 * The verbs on objects, with everything that Kubernetes promises about them: defaults, validation, allocation, uid and
 * generation, optimistic locking, finalizers, graceful deletion. REST, the controllers and the agents' reports all come
 * through here; nothing else writes to the store. Failures are `StatusError`s.
 */
import type { KubeObject } from '../../api/objects.ts'
import type { Subresource } from '../../api/resources.ts'
import type { Ref } from '../store/store.ts'

export interface Registry {
  /**
   * Creates an object of which only the user's part is known. `ref.name` may be '' where metadata has `generateName`.
   * @throws StatusError AlreadyExists, Invalid, Forbidden (namespace is terminating), NotFound (no such namespace)
   */
  create(ref: Ref, draft: Draft, options?: WriteOptions): Promise<KubeObject>

  /**
   * Changes an object: `change` maps the current state to the wished one (it may run again when the state moved).
   * What may not change is kept or refused, as Kubernetes does it: without `subresource` the status is kept, with
   * `status` everything but the status. The managers of fields follow, unless the wish states other ones. A `metadata.resourceVersion` in the wish that differs from the current one is a Conflict.
   * @throws StatusError NotFound, Conflict, Invalid
   */
  update(
    ref: Ref,
    change: (current: KubeObject) => Draft,
    options?: WriteOptions & { subresource?: Subresource },
  ): Promise<KubeObject>

  /**
   * Server-side apply: makes of an object what `config` says and nothing else of it, or creates it. Fields that the manager
   * applied before and names no longer go, if nobody else has them.
   * @throws StatusError BadRequest (a configuration that cannot be merged), Conflict (fields of other managers), Invalid, NotFound
   */
  apply(ref: Ref, config: Draft, options: ApplyOptions): Promise<{ readonly object: KubeObject; readonly created: boolean }>

  /**
   * Deletes: at once, or by setting `deletionTimestamp` where there are finalizers or a grace period to wait for.
   * @returns the object as it is then, and whether it is gone
   * @throws StatusError NotFound, Conflict (preconditions)
   */
  remove(ref: Ref, options?: RemoveOptions): Promise<{ readonly object: KubeObject; readonly gone: boolean }>

  /**
   * Gives a pod to a node: sets `spec.nodeName`, once, and the condition PodScheduled.
   * @throws StatusError NotFound, Conflict (it has a node, or is being deleted), Invalid (no name of a node)
   */
  bind(ref: Ref, node: string, options?: WriteOptions): Promise<KubeObject>
}

/** An object as a client sends it: nothing of it is trusted. */
export type Draft = { readonly [field: string]: unknown }

export interface WriteOptions {
  /** Do everything but the write. */
  readonly dryRun?: boolean
  /** Whose fields those are that the write changes; the hub's own where nobody is named. */
  readonly manager?: string
}

export interface ApplyOptions extends WriteOptions {
  readonly manager: string
  /** Take fields from other managers. */
  readonly force?: boolean
  readonly subresource?: Subresource
  /** Looks at what is to be written, on every attempt, and may say what is written instead; throws to refuse it. `current` is absent where it is created. */
  readonly check?: (wish: Draft, current: KubeObject | undefined) => Draft
}

/** meta/v1 DeleteOptions. */
export interface RemoveOptions extends WriteOptions {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}
