/** The verb `update`, for the object as a whole and for its subresources. */
import type { CertificateSigningRequest, KubeObject, Namespace, Pod, Service } from '../../api/objects.ts'
import type { ResourceKind, Subresource } from '../../api/resources.ts'
import { invalid, notFound, StatusError, type StatusCause } from '../../api/status.ts'
import type { Claim } from '../admit/allocators.ts'
import { carried } from '../admit/carried.ts'
import { wrong } from '../admit/causes.ts'
import { validateChange } from '../admit/validate/changes.ts'
import { customOf, readAs, storedAs } from '../custom/kind.ts'
import type { StoredEntry } from '../managed/entries.ts'
import { afterUpdate } from '../managed/track.ts'
import { settle } from '../store/settle.ts'
import type { Ref } from '../store/store.ts'
import { bound } from './bind.ts'
import { soleDefault, withSamePriority } from './classes.ts'
import { filled as withAddresses } from './create.ts'
import { withStatus } from './definitions.ts'
import { commit, kindFor, kindOfDraft, timeOf, withEntries, writerOf, type RegistryDeps } from './deps.ts'
import { checked, nextMeta, statedIn, type Kind } from './draft.ts'
import type { Draft, Registry, WriteOptions } from './registry.ts'
import { isOver } from './remove.ts'
import { counted, defaulted, faultsOf, newFaults } from './rules.ts'
import { createStructures } from './structures.ts'

/** One update on its way. */
interface Move {
  readonly deps: RegistryDeps
  readonly ref: Ref
  readonly kind: Kind
  readonly current: KubeObject
  readonly wish: Draft
  /** For services. */
  readonly claim?: Claim | undefined
}

/** What is to become of an object, and what that makes of its managers. */
export interface Wish {
  readonly draft: Draft
  readonly entriesOf: (next: KubeObject) => readonly StoredEntry[] | undefined
}

type UpdateOptions = WriteOptions & { readonly subresource?: Subresource }

export function updateVerb(deps: RegistryDeps): Registry['update'] {
  const write = changeWith(deps)
  return (ref, change, options = {}) => {
    const wishOf = (stored: KubeObject): Wish => {
      const current = readAs(kindFor(deps, ref), stored)
      const draft = change(current)
      const of = kindOfDraft(deps, ref, draft)
      const writer = writerOf({ of, operation: 'Update', subresource: options.subresource }, options)
      const said = (draft['metadata'] as Partial<KubeObject['metadata']> | undefined)?.managedFields
      const stated = said && said !== current.metadata.managedFields ? statedIn(of, draft) : undefined
      return {
        draft,
        entriesOf: (next) => afterUpdate({ of, before: readAs(of, stored), after: next as object as Draft, writer, stated, time: timeOf(deps) }),
      }
    }
    return write(ref, wishOf, options)
  }
}

/** The way of every change: the wish is made anew where the object moved meanwhile. */
export function changeWith(
  deps: RegistryDeps,
): (ref: Ref, wishOf: (current: KubeObject) => Wish, options: UpdateOptions) => Promise<KubeObject> {
  const structureOf = createStructures()
  return async (ref, wishOf, options) => {
    const of = kindFor(deps, ref)
    const structure = await structureOf(of)
    moveOf(of, options.subresource)
    const claim = ref.resource === 'services' ? deps.allocators.claim() : undefined
    let last: KubeObject | undefined
    try {
      const stored = await commit(
        deps,
        ref,
        (current) => {
          last = undefined
          if (!current) throw notFound(of, ref.name)
          const { draft, entriesOf } = wishOf(current)
          const at = kindOfDraft(deps, ref, draft)
          const move = moveOf(at, options.subresource)
          const changed = move({ deps, ref, kind: { of: at, structure }, current: readAs(at, current), wish: draft, claim })
          const next = withStatusOf(deps, ref, storedAs(at, withEntries(changed, entriesOf(changed))), options)
          if (isOver(next)) {
            last = next
            return { remove: true }
          }
          // The store keeps what is there where this is equal to it.
          return { put: next }
        },
        options,
      )
      if (options.dryRun) claim?.abandon()
      else claim?.settle(Number(stored.metadata.resourceVersion))
      return ended(last, stored)
    } catch (e) {
      claim?.abandon()
      throw e
    }
  }
}

/** Of a definition the status follows from what was changed; who writes the status itself says what it is. */
function withStatusOf(deps: RegistryDeps, ref: Ref, next: KubeObject, { subresource }: UpdateOptions): KubeObject {
  return subresource === 'status' ? next : withStatus(deps, ref, next)
}

/** An object that went with its last finalizer is answered as it was in the end. */
function ended(last: KubeObject | undefined, stored: KubeObject): KubeObject {
  return last ? { ...last, metadata: { ...last.metadata, resourceVersion: stored.metadata.resourceVersion } } : stored
}

/** @throws StatusError MethodNotAllowed */
function moveOf(of: ResourceKind, subresource: Subresource | undefined): (move: Move) => KubeObject {
  if (subresource === undefined) return whole
  if (of.subresources.includes(subresource)) {
    switch (subresource) {
      case 'status':
        return status
      case 'approval':
        return approval
      case 'scale':
        return whole
      case 'finalize':
        return finalize
      case 'binding':
        return binding
      case 'log':
      case 'eviction':
      case 'exec':
      case 'attach':
      case 'portforward':
      case 'proxy':
      case 'token':
    }
  }
  throw new StatusError('MethodNotAllowed', `${of.resource} have no subresource ${subresource} that could be updated`)
}

/** Everything but the status, where that has a subresource of its own. */
function whole({ deps, ref, kind, current, wish, claim }: Move): KubeObject {
  const { of } = kind
  const own = of.subresources.includes('status')
  const draft = checked(kind, ref, wish, own ? ['status'] : [])
  const metadata = nextMeta(of, current.metadata, draft.metadata)
  // What a namespace waits for is changed by `finalize` alone.
  const spec = ref.resource === 'namespaces' ? { spec: current.spec } : {}
  const stated: KubeObject = {
    ...draft,
    metadata,
    ...spec,
    ...(own && current.status !== undefined && { status: current.status }),
  }
  const next = defaulted(of, keptOver(ref, current, stated))
  const step = { before: current, after: next }
  const causes = [...newFaults(of, step), ...validateChange(ref.resource, step)]
  if (causes.length > 0) throw invalid(of, ref.name, causes)
  soleDefault(deps.store, ref, next)
  // What did not change is from here on the very part that is there, which is all that the rooms behind need to see of it.
  const settled = settle(claim ? withAddresses(of, next, claim, current) : next, current) as KubeObject
  return counted(of, current, settled)
}

/** The wish with what the object keeps over an update that does not speak of it. */
function keptOver({ resource }: Ref, current: KubeObject, stated: KubeObject): KubeObject {
  if (resource === 'services') return carried(current as Service, stated as Service) as KubeObject
  return resource === 'pods' ? (withSamePriority(current as Pod, stated as Pod) as KubeObject) : stated
}

/** The status and nothing else. */
function status({ ref, kind, current, wish }: Move): KubeObject {
  const { of } = kind
  if (customOf(of)) return customStatus({ ref, kind, current, wish })
  const draft = checked(kind, ref, { ...wish, spec: current.spec })
  nextMeta(of, current.metadata, draft.metadata)
  const next: KubeObject = { ...current, ...(draft.status !== undefined && { status: draft.status }) }
  if (ref.resource === 'pods') return withQosClass(current as Pod, next as Pod)
  if (ref.resource !== 'nodes' && ref.resource !== 'services') return next
  const filled = defaulted(of, next)
  const causes = faultsOf(of, filled)
  if (causes.length > 0) throw invalid(of, ref.name, causes)
  return filled
}

/** Of a kind that somebody defined the whole is checked, and the status taken. */
function customStatus({ ref, kind, current, wish }: Pick<Move, 'ref' | 'kind' | 'current' | 'wish'>): KubeObject {
  const { of } = kind
  const { status: _old, ...rest } = current
  const { status: wished } = wish as { readonly status?: unknown }
  const draft = checked(kind, ref, { ...rest, metadata: wish['metadata'], ...(wished !== undefined && { status: wished }) })
  nextMeta(of, current.metadata, draft.metadata)
  const next = defaulted(of, { ...draft, metadata: current.metadata })
  const causes = newFaults(of, { before: current, after: next })
  if (causes.length > 0) throw invalid(of, ref.name, causes)
  return { ...rest, ...(next.status !== undefined && { status: next.status }) } as KubeObject
}

/** The conditions by which a request for a certificate is approved or denied: they come, and do not go. */
function approval({ ref, kind, current, wish }: Move): KubeObject {
  const { of } = kind
  const draft = checked(kind, ref, { ...wish, spec: current.spec })
  nextMeta(of, current.metadata, draft.metadata)
  const { conditions = [] } = (draft as unknown as CertificateSigningRequest).status ?? {}
  const next = { ...current, status: { ...(current.status as object | undefined), conditions } }
  const causes = [...faultsOf(of, next), ...lostConditions(current as unknown as CertificateSigningRequest, conditions)]
  if (causes.length > 0) throw invalid(of, ref.name, causes)
  return next
}

function lostConditions({ status }: CertificateSigningRequest, after: readonly { readonly type: string }[]): readonly StatusCause[] {
  const decided = ['Approved', 'Denied', 'Failed']
  const lost = (status?.conditions ?? []).filter(({ type }) => decided.includes(type) && !after.some((c) => c.type === type))
  return lost.map(({ type }) => wrong('status.conditions', type, 'may not be removed once it is there'))
}

/** Follows from the spec, so no reporter can change it. */
function withQosClass(current: Pod, next: Pod): KubeObject {
  const qosClass = current.status?.qosClass
  return { ...next, status: { ...next.status, ...(qosClass && { qosClass }) } } as KubeObject
}

/** Namespace `spec.finalizers`. */
function finalize({ ref, kind, current, wish }: Move): KubeObject {
  const draft = checked(kind, ref, wish)
  nextMeta(kind.of, current.metadata, draft.metadata)
  const { finalizers = [] } = (draft as unknown as Namespace).spec ?? {}
  const next = { ...current, spec: { ...(current as Namespace).spec, finalizers } }
  const causes = faultsOf(kind.of, next)
  if (causes.length > 0) throw invalid(kind.of, ref.name, causes)
  return next
}

/** The node alone counts. */
function binding({ deps, ref, kind, current, wish }: Move): KubeObject {
  const draft = checked(kind, ref, wish)
  nextMeta(kind.of, current.metadata, draft.metadata)
  return bound(current, (draft as unknown as Pod).spec?.nodeName ?? '', deps.clock.now())
}
