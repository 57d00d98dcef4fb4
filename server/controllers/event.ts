/** Events (core/v1) that the server's own parts record about an object. */
import { rfc3339, type Clock } from '../../api/clock.ts'
import type { KubeObject } from '../../api/objects.ts'
import type { Draft, Registry } from '../registry/registry.ts'
import { StatusError } from '../../api/status.ts'

export interface Occurrence {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  /** The part that reports, e.g. `replicaset-controller`. */
  readonly source: string
}

/**
 * Records what happened to an object. The same occurrence about the same object is one Event whose `count` grows.
 * Never fails the caller because of the namespace going away meanwhile.
 */
export async function recordEvent(
  { registry, clock }: { readonly registry: Registry; readonly clock: Clock },
  object: KubeObject,
  what: Occurrence,
): Promise<void> {
  const namespace = object.metadata.namespace ?? 'default'
  const now = rfc3339(clock.now())
  const name = `${object.metadata.name.slice(0, 200)}.${fingerprint(`${object.metadata.uid} ${what.reason} ${what.message}`)}`
  const ref = { resource: 'events', namespace, name } as const
  const fresh: Draft = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace },
    involvedObject: {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name: object.metadata.name,
      ...(object.metadata.namespace && { namespace: object.metadata.namespace }),
      uid: object.metadata.uid,
      resourceVersion: object.metadata.resourceVersion,
    },
    type: what.type,
    reason: what.reason,
    message: what.message,
    source: { component: what.source },
    reportingComponent: what.source,
    reportingInstance: '',
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  }
  try {
    await registry.create(ref, fresh)
  } catch (e) {
    if (!(e instanceof StatusError)) throw e
    if (e.status.reason === 'AlreadyExists') {
      await registry
        .update(ref, (current) => ({ ...current, lastTimestamp: now, count: Number((current as { count?: number }).count ?? 1) + 1 }))
        .catch(ignoreGone)
    } else ignoreGone(e)
  }
}

function ignoreGone(e: unknown): void {
  if (e instanceof StatusError && ['NotFound', 'Forbidden'].includes(e.status.reason ?? '')) return
  throw e
}

/** 16 hex digits of FNV-1a, 64 bit: the same text gives the same name. */
export function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash.toString(16).padStart(16, '0')
}
