/** What a change means to one watcher. */
import type { KubeObject } from '../../../api/objects.ts'
import type { Change, ChangeType } from '../../store/store.ts'

export interface WatchEvent {
  readonly type: ChangeType
  readonly object: KubeObject
}

/**
 * The event for a watcher that sees only objects that `matches` accepts, or undefined where there is none: an object
 * that begins to match is ADDED, one that ceases to is DELETED in its last matching state.
 */
export function eventOf(change: Change, matches: (object: KubeObject) => boolean): WatchEvent | undefined {
  const { type, object, previous, revision } = change
  if (type === 'DELETED') return matches(previous ?? object) ? { type, object } : undefined
  const before = previous !== undefined && matches(previous)
  if (matches(object)) return { type: before ? 'MODIFIED' : 'ADDED', object }
  if (!before) return undefined
  return { type: 'DELETED', object: { ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } } }
}
