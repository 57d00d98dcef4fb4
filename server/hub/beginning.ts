/** What an agent is sent first: what it missed, where the history still has it, or everything. */
import { encodeSeveral } from '../../api/codec.ts'
import { isWherryError } from '../../api/errors.ts'
import { agentResources, type AgentResource } from '../../api/frames.ts'
import type { KubeObject } from '../../api/objects.ts'
import type { Change, Store } from '../store/store.ts'
import type { Encoder } from './encoder.ts'
import { isAgentChange, wanted } from './interest.ts'

/** An agent that is further behind gets the whole state, which is less work than so many changes. */
const longestHistory = 20_000

export interface Beginning {
  readonly resumed: boolean
  /** The agent has the state of this revision after `frames`. */
  readonly revision: number
  /** Encoded as they are read. With the `sync` that ends them. */
  readonly frames: (encoder: Encoder) => Iterable<Uint8Array>
}

/**
 * The state of the store is fixed here, at once; what is committed later is for the live frames.
 * @param held the revision that the agent holds in full
 */
export function beginning(store: Store, node: string, held: number | undefined): Beginning {
  const revision = store.revision
  const missed = held === undefined ? undefined : missedSince(store, held)
  if (!missed) {
    const objects = everything(store, node)
    return { resumed: false, revision, frames: (encoder) => stateFrames(objects, revision, encoder) }
  }
  return { resumed: true, revision, frames: (encoder) => missedFrames(node, missed, encoder, revision) }
}

/** The changes after `held` up to now; undefined where they cannot be had. */
function missedSince(store: Store, held: number): readonly Change[] | undefined {
  const upTo = store.revision
  // A revision from the future: the store was put back to an older copy.
  if (held > upTo || upTo - held > longestHistory) return undefined
  if (held === upTo) return []
  try {
    return history(store, held, upTo)
  } catch (e) {
    if (isWherryError(e, 'STORE_COMPACTED')) return undefined
    throw e
  }
}

/** @throws StoreError STORE_COMPACTED */
function history(store: Store, from: number, upTo: number): readonly Change[] {
  const changes: Change[] = []
  // The kept history is told before `watch` returns. Not every revision is a change, so none is waited for.
  const stop = store.watch(from, (change) => {
    if (change.revision <= upTo) changes.push(change)
  })
  stop()
  return changes
}

function* missedFrames(node: string, changes: readonly Change[], encoder: Encoder, revision: number): Generator<Uint8Array> {
  yield* inGroups(changeFrames(node, changes, encoder))
  yield encoder.sync(revision)
}

function* changeFrames(node: string, changes: readonly Change[], encoder: Encoder): Generator<Uint8Array> {
  for (const change of changes) {
    if (!isAgentChange(change)) continue
    const kind = wanted(node, change)
    if (kind === 'none') continue
    const bytes = kind === 'set' ? encoder.change(change) : encoder.remove(change)
    if (bytes) yield bytes
  }
}

interface Row {
  readonly resource: AgentResource
  readonly object: KubeObject
  readonly revision: number
}

/** By revision, as if the objects had just been written one after the other. */
function everything(store: Store, node: string): readonly Row[] {
  const rows: Row[] = []
  for (const resource of agentResources) {
    for (const object of store.list(resource)) {
      if (wanted(node, { type: 'ADDED', resource, object }) !== 'set') continue
      rows.push({ resource, object, revision: Number(object.metadata.resourceVersion) })
    }
  }
  return rows.sort((a, b) => a.revision - b.revision)
}

function* stateFrames(rows: readonly Row[], revision: number, encoder: Encoder): Generator<Uint8Array> {
  yield encoder.frame({ kind: 'reset' })
  yield* inGroups(setFrames(rows, encoder))
  yield encoder.sync(revision)
}

function* setFrames(rows: readonly Row[], encoder: Encoder): Generator<Uint8Array> {
  for (const { resource, object } of rows) {
    const bytes = encoder.set(resource, object)
    if (bytes) yield bytes
  }
}

/** From this size on a message costs next to nothing beside what is in it. Bytes. */
const groupBytes = 32 * 1024

/** As few messages as it takes; one that is alone stays as it is. */
function* inGroups(frames: Iterable<Uint8Array>): Generator<Uint8Array> {
  let group: Uint8Array[] = []
  let size = 0
  const grouped = (): Uint8Array => (group.length === 1 ? group[0]! : encodeSeveral(group))
  for (const frame of frames) {
    if (group.length > 0 && size + frame.byteLength > groupBytes) {
      yield grouped()
      group = []
      size = 0
    }
    group.push(frame)
    size += frame.byteLength
  }
  if (group.length > 0) yield grouped()
}
