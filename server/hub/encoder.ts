/** Frames to bytes, each object once however many agents get it: objects never change, so their bytes are kept with them. */
import { encode } from '../../api/codec.ts'
import type { AgentResource, HubFrame } from '../../api/frames.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import { keyOf, type KubeObject } from '../../api/objects.ts'
import { endpointsChange } from './delta.ts'
import { framed } from './framed.ts'
import type { AgentChange } from './interest.ts'
import { project } from './project.ts'

export interface Encoder {
  /** Undefined for an object that does not fit into a frame; that is logged once. */
  set(resource: AgentResource, object: KubeObject): Uint8Array | undefined
  /** What an agent is told that has the state before it: of a slice whose endpoints changed only those, else as `set`. */
  change(change: AgentChange): Uint8Array | undefined
  remove(change: AgentChange): Uint8Array
  /** Frames as they stand on the wire, one behind the other; asked for again and again with the same ones, it is the same. */
  readonly message: (frames: readonly Uint8Array[]) => Uint8Array
  /** The marker of a revision; asked for again and again with the same one, it is the same. */
  sync(revision: number): Uint8Array
  frame(frame: HubFrame): Uint8Array
}

export interface EncoderDeps {
  readonly log: Log
  /** Injected so that a test can count. */
  readonly toBytes?: (frame: HubFrame) => Uint8Array
}

export function createEncoder({ log, toBytes = encode }: EncoderDeps): Encoder {
  const sets = new WeakMap<KubeObject, Uint8Array | 'unfit'>()
  const changes = new WeakMap<AgentChange, Uint8Array>()
  const removals = new WeakMap<AgentChange, Uint8Array>()
  let joined: { readonly frames: readonly Uint8Array[]; readonly bytes: Uint8Array } | undefined
  let last: { readonly revision: number; readonly bytes: Uint8Array } | undefined

  const encoded = (resource: AgentResource, object: KubeObject): Uint8Array | 'unfit' => {
    try {
      const revision = Number(object.metadata.resourceVersion)
      return toBytes({ kind: 'set', resource, revision, object: project(resource, object) })
    } catch (e) {
      log.error('an object cannot be sent to the agents', { resource, key: keyOf(object), ...errorKeys(e) })
      return 'unfit'
    }
  }

  const set: Encoder['set'] = (resource, object) => {
    let bytes = sets.get(object)
    if (!bytes) sets.set(object, (bytes = encoded(resource, object)))
    return bytes === 'unfit' ? undefined : bytes
  }

  return {
    set,
    change(change) {
      const known = changes.get(change)
      if (known) return known
      // What was not sent cannot be changed.
      const frame = change.previous && sets.get(change.previous) === 'unfit' ? undefined : endpointsChange(change)
      if (!frame) return set(change.resource, change.object)
      const bytes = toBytes(frame)
      changes.set(change, bytes)
      return bytes
    },
    message(frames) {
      if (joined?.frames.length !== frames.length || joined.frames.some((frame, i) => frame !== frames[i])) joined = { frames, bytes: framed(frames) }
      return joined.bytes
    },
    remove(change) {
      let bytes = removals.get(change)
      if (!bytes) {
        bytes = toBytes({ kind: 'delete', resource: change.resource, revision: change.revision, key: keyOf(change.object) })
        removals.set(change, bytes)
      }
      return bytes
    },
    sync(revision) {
      if (last?.revision !== revision) last = { revision, bytes: toBytes({ kind: 'sync', revision }) }
      return last.bytes
    },
    frame: toBytes,
  }
}
