/**
 * Frames to bytes, each object once however many agents get it: objects never change, so their bytes are kept for a while, in which
 * agents come by the thousand or everybody hears of a change.
 */
import type { Clock } from '../../api/clock.ts'
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
  close(): void
}

export interface EncoderDeps {
  readonly clock: Clock
  readonly log: Log
  /** Injected so that a test can count. */
  readonly toBytes?: (frame: HubFrame) => Uint8Array
}

/** So long bytes that nobody asks for are kept at the least; at the most twice as long. */
const keptMs = 10_000

export function createEncoder({ clock, log, toBytes = encode }: EncoderDeps): Encoder {
  const kept = createKept(clock)
  const unfit = new WeakSet<KubeObject>()
  let joined: { readonly frames: readonly Uint8Array[]; readonly bytes: Uint8Array } | undefined
  let last: { readonly revision: number; readonly bytes: Uint8Array } | undefined

  const set: Encoder['set'] = (resource, object) => {
    if (unfit.has(object)) return undefined
    try {
      const revision = Number(object.metadata.resourceVersion)
      return kept.get(object, () => toBytes({ kind: 'set', resource, revision, object: project(resource, object) }))
    } catch (e) {
      log.error('an object cannot be sent to the agents', { resource, key: keyOf(object), ...errorKeys(e) })
      unfit.add(object)
      return undefined
    }
  }

  return {
    set,
    change(change) {
      const endpoints = kept.get(change, () => {
        // What was not sent cannot be changed.
        const frame = change.previous && unfit.has(change.previous) ? undefined : endpointsChange(change)
        return frame && toBytes(frame)
      })
      return endpoints ?? set(change.resource, change.object)
    },
    message(frames) {
      if (joined?.frames.length !== frames.length || joined.frames.some((frame, i) => frame !== frames[i])) joined = { frames, bytes: framed(frames) }
      return joined.bytes
    },
    remove: (change) =>
      kept.get(change, () => toBytes({ kind: 'delete', resource: change.resource, revision: change.revision, key: keyOf(change.object) })),
    sync(revision) {
      if (last?.revision !== revision) last = { revision, bytes: toBytes({ kind: 'sync', revision }) }
      return last.bytes
    },
    frame: toBytes,
    close: () => kept.close(),
  }
}

interface Kept {
  get<T extends Uint8Array | undefined>(of: KubeObject | AgentChange, make: () => T): T | Uint8Array
  close(): void
}

function createKept(clock: Clock): Kept {
  let young = new WeakMap<object, Uint8Array>()
  let old = new WeakMap<object, Uint8Array>()
  let cancel: (() => void) | undefined
  /** Whether something was kept since the last turn. */
  let isUsed = false

  const turn = (): void => {
    cancel = isUsed ? clock.after(keptMs, turn) : undefined
    old = young
    young = new WeakMap()
    isUsed = false
  }
  return {
    get(of, make) {
      const known = young.get(of)
      if (known) return known
      const bytes = old.get(of) ?? make()
      if (!bytes) return bytes
      young.set(of, bytes)
      isUsed = true
      cancel ??= clock.after(keptMs, turn)
      return bytes
    },
    close() {
      cancel?.()
      cancel = undefined
    },
  }
}
