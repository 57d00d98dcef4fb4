/** What happened on a node, as Events (core/v1) that `kubectl describe` shows. */
import { rfc3339, type Clock } from '../../api/clock.ts'
import type { NodeEvent } from '../../api/frames.ts'
import type { Event } from '../../api/objects.ts'
import { StatusError } from '../../api/status.ts'
import { fingerprint } from '../controllers/event.ts'
import type { Draft, Registry } from '../registry/registry.ts'
import type { Ref } from '../store/store.ts'

export interface EventKeeper {
  /**
   * Records an event that this node tells of. The same one again within ten minutes is counted instead.
   * @throws StatusError
   */
  keep(node: string, event: NodeEvent): Promise<void>
}

/** How long after its last time an event counts as the same one. */
const sameMs = 10 * 60_000
/** Events that are remembered so that they can be counted. */
const remembered = 10_000
/** Kubernetes' bounds of the two fields, in characters. */
const longest = { reason: 128, message: 1024 } as const

export function createEventKeeper({ registry, clock }: { readonly registry: Registry; readonly clock: Clock }): EventKeeper {
  /** By what the event says, oldest first. */
  const known = new Map<string, { readonly ref: Ref; readonly at: number }>()

  const remember = (key: string, ref: Ref): void => {
    known.delete(key)
    known.set(key, { ref, at: clock.now() })
    for (const [old, { at }] of known) {
      if (known.size <= remembered && at + sameMs >= clock.now()) break
      known.delete(old)
    }
  }
  /** @returns false where there is none to count any more */
  const count = async (key: string): Promise<boolean> => {
    const before = known.get(key)
    if (!before || before.at + sameMs < clock.now()) return false
    try {
      await registry.update(before.ref, (current) => ({
        ...current,
        count: ((current as Event).count ?? 1) + 1,
        lastTimestamp: rfc3339(clock.now()),
      }))
    } catch (e) {
      if (e instanceof StatusError && e.status.reason === 'NotFound') return false
      throw e
    }
    remember(key, before.ref)
    return true
  }

  return {
    async keep(node, event) {
      const { kind, name, namespace, uid, fieldPath } = event.about
      if (kind === 'Node' && name !== node) throw new StatusError('Forbidden', `node ${node} may not speak for node ${name}`)
      const key = JSON.stringify([node, event.type, event.reason, event.message, kind, namespace, name, uid, fieldPath])
      if (await count(key)) return
      const now = clock.now()
      const ref: Ref = {
        resource: 'events',
        namespace: kind === 'Node' ? 'default' : (namespace ?? 'default'),
        name: `${name.slice(0, 200)}.${fingerprint(`${key} ${now}`)}`,
      }
      await registry.create(ref, draftOf(node, event, { ref, now }))
      remember(key, ref)
    },
  }
}

function draftOf(node: string, event: NodeEvent, { ref, now }: { readonly ref: Ref; readonly now: number }): Draft {
  const { kind, name, uid, fieldPath } = event.about
  const time = rfc3339(now)
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: ref.name, namespace: ref.namespace },
    involvedObject: {
      apiVersion: 'v1',
      kind,
      name,
      ...(kind !== 'Node' && { namespace: ref.namespace }),
      ...(uid !== '' && { uid }),
      ...(fieldPath !== undefined && { fieldPath }),
    },
    type: event.type,
    reason: event.reason.slice(0, longest.reason),
    message: event.message.slice(0, longest.message),
    source: { component: 'wherry-agent', host: node },
    reportingComponent: 'wherry-agent',
    reportingInstance: node,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  }
}
