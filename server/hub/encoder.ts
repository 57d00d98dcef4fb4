/** Frames to bytes, each object once however many agents get it: objects never change, so their bytes are kept with them. */
import { encode } from '../../api/codec.ts'
import type { AgentResource, HubFrame } from '../../api/frames.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import { keyOf, type KubeObject } from '../../api/objects.ts'
import type { AgentChange } from './interest.ts'
import { project } from './project.ts'

export interface Encoder {
  /** Undefined for an object that does not fit into a frame; that is logged once. */
  set(resource: AgentResource, object: KubeObject): Uint8Array | undefined
  remove(change: AgentChange): Uint8Array
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
  const removals = new WeakMap<AgentChange, Uint8Array>()
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

  return {
    set(resource, object) {
      let bytes = sets.get(object)
      if (!bytes) sets.set(object, (bytes = encoded(resource, object)))
      return bytes === 'unfit' ? undefined : bytes
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
