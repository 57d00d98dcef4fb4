/** What the verbs work with, and the way that every write goes. */
import { rfc3339, type Clock } from '../../api/clock.ts'
import { isWherryError, type ErrorCode } from '../../api/errors.ts'
import type { Log } from '../../api/log.ts'
import type { KubeObject } from '../../api/objects.ts'
import { StatusError, type StatusReason } from '../../api/status.ts'
import type { Allocators } from '../admit/allocators.ts'
import type { Kinds } from '../custom/kinds.ts'
import type { Decision, Ref, Store } from '../store/store.ts'
import type { Accounts } from './accounts.ts'
import { apiVersionOf, type ResourceKind } from '../../api/resources.ts'
import type { Operation, StoredEntry, Writer } from '../managed/entries.ts'
import type { Draft, WriteOptions } from './registry.ts'

export interface RegistryDeps {
  readonly store: Store
  readonly clock: Clock
  /** In [0, 1); for generated names. */
  readonly random: () => number
  /** A new RFC 4122 id. */
  readonly uuid: () => string
  readonly allocators: Allocators
  readonly kinds: Kinds
  /** What pods get from their service accounts; without it they get nothing, and need none. */
  readonly accounts?: Accounts
  readonly log: Log
}

/**
 * The kind of a write, in the version in which its object is stored.
 * @throws StatusError NotFound where nobody serves it any more
 */
export function kindFor({ kinds }: Pick<RegistryDeps, 'kinds'>, { resource }: Ref): ResourceKind {
  const of = kinds.get(resource)
  if (of) return of
  throw new StatusError('NotFound', 'the server could not find the requested resource', {})
}

/** The kind of a write, in the version in which its draft is. @throws as `kindFor` */
export function kindOfDraft(deps: Pick<RegistryDeps, 'kinds'>, ref: Ref, draft: Draft): ResourceKind {
  // Whether it is an object at all is looked at later.
  const { apiVersion } = (draft ?? {}) as { readonly apiVersion?: unknown }
  return deps.kinds.at(ref.resource, apiVersion) ?? kindFor(deps, ref)
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
    throw refusal(e)
  }
}

const broken = 'the store could not be written; see the log of the hub'
const lost = 'the store is not reached, and what was asked may have been done or not'

/** What the store says, in the words of the API. The store's own are added where the client can do something about it. */
const refusals: Partial<Readonly<Record<ErrorCode, readonly [reason: StatusReason, message?: string]>>> = {
  STORE_CLOSED: ['ServiceUnavailable', 'the hub is shutting down; try again'],
  STORE_LOST: ['ServiceUnavailable', lost],
  STORE_COMPACTED: ['ServiceUnavailable', lost],
  STORE_FENCED: ['ServiceUnavailable', 'this hub leads no more'],
  STORE_TAKEN: ['Conflict'],
  STORE_TOO_LARGE: ['RequestEntityTooLarge'],
  STORE_BROKEN: ['InternalError', broken],
}

function refusal(e: unknown): unknown {
  const [reason, message] = (isWherryError(e) && refusals[e.code]) || []
  return reason ? new StatusError(reason, message ?? (e as Error).message, undefined, { cause: e }) : e
}

/** The manager of what the hub itself writes, where no part of it gives its own name. */
const ownManager = 'wherry'

export interface Door {
  readonly of: ResourceKind
  readonly operation: Operation
  readonly subresource?: string | undefined
}

/** Who writes, in the words of `managedFields`. */
export function writerOf({ of, operation, subresource }: Door, { manager }: WriteOptions): Writer {
  return { name: manager || ownManager, operation, apiVersion: apiVersionOf(of), subresource: subresource ?? '' }
}

export const timeOf = ({ clock }: Pick<RegistryDeps, 'clock'>): string => rfc3339(clock.now())

/** The object with these entries as its `managedFields`; the same object where it has them. */
export function withEntries(object: KubeObject, entries: readonly StoredEntry[] | undefined): KubeObject {
  const { managedFields: old, ...metadata } = object.metadata
  if ((old as unknown) === entries) return object
  const some = entries && entries.length > 0 && { managedFields: entries as unknown as NonNullable<typeof old> }
  return { ...object, metadata: { ...metadata, ...some } }
}
