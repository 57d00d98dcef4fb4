/** A slice as it is after edits of its endpoints. */
import { triggerAnnotation, type EndpointsFrame } from '../../api/frames.ts'
import type { EndpointSlice, KubeObject } from '../../api/objects.ts'
import { WherryError } from '../../api/errors.ts'
import type { Trim } from './trim.ts'

/** The hub speaks of a state that is not held: whoever hears it must begin anew. */
export class StateError extends WherryError {}

/** @throws StateError FRAME_MALFORMED */
export function edited(held: KubeObject | undefined, frame: EndpointsFrame, trim: Trim): KubeObject {
  const { key, from, revision, edits, trigger } = frame
  if (held?.metadata.resourceVersion !== String(from)) {
    throw new StateError('FRAME_MALFORMED', `endpoints of ${key} changed since revision ${from}, but ${held ? `revision ${held.metadata.resourceVersion} is` : 'nothing of it is'} held`)
  }
  const { metadata, endpoints = [], ...rest } = held as unknown as EndpointSlice
  const come = edits.flatMap((edit) => edit.come)
  const annotations = trigger === undefined ? undefined : { [triggerAnnotation]: trigger }
  const changed = { ...rest, metadata: { ...metadata, resourceVersion: String(revision), annotations }, endpoints: come } as unknown as KubeObject
  const trimmed = trim('endpointslices.discovery.k8s.io', changed) as unknown as EndpointSlice
  return { ...trimmed, endpoints: spliced(endpoints, trimmed.endpoints ?? [], frame) } as unknown as KubeObject
}

/** @param come what comes by all edits, in their order */
function spliced<T>(before: readonly T[], come: readonly T[], { key, edits }: EndpointsFrame): T[] {
  const after: T[] = []
  let [at, used] = [0, 0]
  for (const edit of edits) {
    if (edit.at < at || edit.at + edit.gone > before.length) throw new StateError('FRAME_MALFORMED', `an edit of the endpoints of ${key} has no place among the ${before.length} that are held`)
    after.push(...before.slice(at, edit.at), ...come.slice(used, (used += edit.come.length)))
    at = edit.at + edit.gone
  }
  return [...after, ...before.slice(at)]
}
