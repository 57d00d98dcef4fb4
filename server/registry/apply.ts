/** The verb `apply`: server-side apply, on an object that is there or is not. */
import type { KubeObject } from '../../api/objects.ts'
import type { ResourceKind } from '../../api/resources.ts'
import { conflict, notFound, StatusError, type StatusReason } from '../../api/status.ts'
import { readAs } from '../custom/kind.ts'
import { checkedConfig } from '../managed/config.ts'
import { applied } from '../managed/track.ts'
import type { Ref } from '../store/store.ts'
import { createVerb } from './create.ts'
import { kindOfDraft, timeOf, writerOf, type RegistryDeps } from './deps.ts'
import type { ApplyOptions, Draft, Registry } from './registry.ts'
import { changeWith, type Wish } from './update.ts'

/** An object that comes and goes while it is applied is looked for so often. */
const maxTries = 5

export function applyVerb(deps: RegistryDeps): Registry['apply'] {
  const create = createVerb(deps, 'Apply')
  const change = changeWith(deps)
  return async (ref, given, options) => {
    const of = kindOfDraft(deps, ref, given)
    const config = checkedConfig(of, ref.namespace ? `${ref.namespace}/${ref.name}` : ref.name, given)
    for (let tried = 1; ; tried++) {
      const there = deps.store.get(ref) !== undefined
      try {
        if (there) return { object: await change(ref, wishFor(deps, of, config, options), options), created: false }
        mayCreate(of, ref, config, options)
        return { object: await create(ref, options.check?.(config, undefined) ?? config, options), created: true }
      } catch (e) {
        if (tried >= maxTries || !isReason(e, there ? 'NotFound' : 'AlreadyExists')) throw e
      }
    }
  }
}

function wishFor(deps: RegistryDeps, of: ResourceKind, config: Draft, options: ApplyOptions): (current: KubeObject) => Wish {
  const writer = writerOf({ of, operation: 'Apply', subresource: options.subresource }, options)
  return (stored) => {
    const current = readAs(of, stored)
    const { object, entries } = applied({ of, current, config, writer, force: options.force ?? false, time: timeOf(deps) })
    return { draft: options.check?.(object, current) ?? object, entriesOf: () => entries }
  }
}

/** @throws StatusError NotFound, Conflict */
function mayCreate(of: ResourceKind, ref: Ref, config: Draft, { subresource }: ApplyOptions): void {
  const { uid, resourceVersion } = config['metadata'] as { readonly uid?: unknown; readonly resourceVersion?: unknown }
  if (subresource !== undefined || resourceVersion) throw notFound(of, ref.name)
  if (uid) throw conflict(of, ref.name, `uid mismatch: the provided object specified uid ${JSON.stringify(uid)}, and no existing object was found`)
}

const isReason = (e: unknown, reason: StatusReason): boolean => e instanceof StatusError && e.status.reason === reason
