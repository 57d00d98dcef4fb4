/** What the verbs work with, and the way that every write goes. */
import type { Clock } from '../../api/clock.ts'
import { isWherryError } from '../../api/errors.ts'
import type { Log } from '../../api/log.ts'
import type { KubeObject } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import type { Allocators } from '../admit/allocators.ts'
import type { Decision, Ref, Store } from '../store/store.ts'
import type { WriteOptions } from './registry.ts'

export interface RegistryDeps {
  readonly store: Store
  readonly clock: Clock
  /** In [0, 1); for generated names. */
  readonly random: () => number
  /** A new RFC 4122 id. */
  readonly uuid: () => string
  readonly allocators: Allocators
  readonly log: Log
}

/**
 * One write, or for a dry run just its decision.
 * @returns the state as stored, with what the decision made of the object
 */
export async function commit(
  { store }: Pick<RegistryDeps, 'store'>,
  ref: Ref,
  decide: (current: KubeObject | undefined) => Decision,
  { dryRun }: WriteOptions,
): Promise<KubeObject> {
  try {
    if (!dryRun) return (await store.write(ref, decide))!
    await store.fresh()
    const current = store.get(ref)
    const decision = decide(current)
    return 'put' in decision ? decision.put : current!
  } catch (e) {
    if (isWherryError(e, 'STORE_CLOSED'))
      throw new StatusError('ServiceUnavailable', 'the hub is shutting down; try again', undefined, { cause: e })
    if (isWherryError(e, 'STORE_BROKEN'))
      throw new StatusError('InternalError', 'the store could not be written; see the log of the hub', undefined, { cause: e })
    throw e
  }
}
