/** Watch events as text, one JSON document each. */
import type { KubeObject } from '../../../api/objects.ts'
import { apiVersionOf } from '../../../api/resources.ts'
import type { ResourceKind } from '../../../api/resources.ts'
import type { Status } from '../../../api/status.ts'
import { readAs } from '../../custom/kind.ts'
import type { Change } from '../../store/store.ts'
import type { Form } from '../accept.ts'
import { jsonOf } from '../served.ts'
import { columnDefinitions, partial, rowOf } from '../table/table.ts'
import type { IncludeObject } from '../table/table.ts'
import type { WatchEvent } from './event.ts'

export interface EventOptions {
  readonly of: ResourceKind
  readonly form: Form
  readonly include: IncludeObject
  readonly now: () => number
}

/** The texts of objects that changes carry, shared by all watchers. Only the plain form is shared: ages in tables pass. */
export interface EventTexts {
  /** @param change where the event's object came from, if it is that change's own object */
  objectText(of: ResourceKind, object: KubeObject, change?: Change): string
}

export function createEventTexts(): EventTexts {
  const known = new WeakMap<Change, string>()
  return {
    objectText(of, object, change) {
      // In other words than those of the store an event is rare, and not kept.
      if (!change || change.object !== object || apiVersionOf(of) !== object.apiVersion || readAs(of, object) !== object) return jsonOf(of, object)
      const text = known.get(change) ?? jsonOf(of, object)
      known.set(change, text)
      return text
    },
  }
}

/** Encodes the events of one watch. The first table of a stream carries the column definitions, the later ones do not. */
export interface EventEncoder {
  event(event: WatchEvent, change?: Change): string
  /** @param initialEnd whether it marks the end of the initial events */
  bookmark(revision: number, initialEnd: boolean): string
  error(status: Status): string
}

export function createEventEncoder(texts: EventTexts, { of, form, include, now }: EventOptions): EventEncoder {
  let headed = false
  const table = (resourceVersion: string, rows: readonly unknown[]): unknown => {
    const definitions = headed ? null : columnDefinitions(of)
    headed = true
    return { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion }, columnDefinitions: definitions, rows }
  }
  const textOf = (object: KubeObject, change?: Change): string => {
    if (form === 'object') return texts.objectText(of, object, change)
    if (form === 'partial') return jsonOf(of, partial(object))
    const row = rowOf(object, { of, include, now: now() })
    return JSON.stringify(table(object.metadata.resourceVersion, [row]))
  }
  return {
    event: ({ type, object }, change) => `{"type":"${type}","object":${textOf(object, change)}}\n`,
    bookmark(revision, initialEnd) {
      const resourceVersion = String(revision)
      const annotations = initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
      const metadata = { resourceVersion, creationTimestamp: null, ...annotations }
      const typed =
        form === 'partial'
          ? { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' }
          : { kind: of.kind, apiVersion: apiVersionOf(of) }
      const object = form === 'table' ? table(resourceVersion, []) : { ...typed, metadata }
      return `${JSON.stringify({ type: 'BOOKMARK', object })}\n`
    },
    error: (status) => `${JSON.stringify({ type: 'ERROR', object: status })}\n`,
  }
}
