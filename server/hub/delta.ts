/** What of an EndpointSlice changed, where that says less than all of it. Pure. */
import { isDeepStrictEqual } from 'node:util'
import { triggerAnnotation, type EndpointsFrame } from '../../api/frames.ts'
import { keyOf, type EndpointSlice, type KubeObject } from '../../api/objects.ts'
import type { AgentChange } from './interest.ts'
import { endpointFor } from './project.ts'

/** The change as edits of the endpoints that an agent holds; undefined for every other change. */
export function endpointsChange({ type, resource, revision, object, previous }: AgentChange): EndpointsFrame | undefined {
  if (type !== 'MODIFIED' || resource !== 'endpointslices.discovery.k8s.io' || !previous) return undefined
  if (!isDeepStrictEqual(besides(previous), besides(object))) return undefined
  const edits = editsOf(endpointsOf(previous), endpointsOf(object))
  const trigger = object.metadata.annotations?.[triggerAnnotation]
  return { kind: 'endpoints', revision, key: keyOf(object), from: Number(previous.metadata.resourceVersion), edits, ...(trigger !== undefined && { trigger }) }
}

type Endpoints = NonNullable<EndpointSlice['endpoints']>

const endpointsOf = (object: KubeObject): Endpoints => ((object as unknown as EndpointSlice).endpoints ?? []).map(endpointFor)

/** What must be the same: all but the endpoints, and what the store and the managers of fields note with each change. */
function besides(object: KubeObject): object {
  const { endpoints: _e, metadata, ...rest } = object as unknown as EndpointSlice
  const { resourceVersion: _r, generation: _g, managedFields: _m, annotations, ...meta } = metadata
  const { [triggerAnnotation]: _t, ...notes } = annotations ?? {}
  return { ...rest, meta, notes }
}

/**
 * Edits by which `before` becomes `after`, from the first place to the last. A list that lost or got one item in its middle is found to
 * be the same before and behind it; no more than that is looked for, as it need not be the shortest way.
 */
export function editsOf<T>(before: readonly T[], after: readonly T[]): readonly { at: number; gone: number; come: readonly T[] }[] {
  const edits: { at: number; gone: number; come: T[] }[] = []
  const edit = (at: number, gone: number, come: readonly T[]): void => {
    const last = edits.at(-1)
    if (last && last.at + last.gone === at) {
      last.gone += gone
      last.come.push(...come)
    } else edits.push({ at, gone, come: [...come] })
  }
  const same = (i: number, j: number): boolean => i < before.length && j < after.length && isDeepStrictEqual(before[i], after[j])
  let [i, j] = [0, 0]
  while (i < before.length && j < after.length) {
    if (same(i, j)) [i, j] = [i + 1, j + 1]
    else if (before.length > after.length && same(i + 1, j)) edit(i++, 1, [])
    else if (before.length < after.length && same(i, j + 1)) edit(i, 0, [after[j++]!])
    else edit(i++, 1, [after[j++]!])
  }
  if (i < before.length || j < after.length) edit(i, before.length - i, after.slice(j))
  return edits
}
