/** The stream of objects to one agent: one order of revisions, each change once. */
import type { Clock } from '../../api/clock.ts'
import { protocolVersion } from '../../api/frames.ts'
import type { Store } from '../store/store.ts'
import { beginning } from './beginning.ts'
import type { Encoder } from './encoder.ts'
import type { Fanout, Listener } from './fanout.ts'
import { wanted } from './interest.ts'
import type { Outflow } from './outflow.ts'

export interface FeedDeps {
  readonly node: string
  readonly store: Store
  readonly fanout: Fanout
  readonly encoder: Encoder
  readonly outflow: Outflow
  readonly clock: Clock
  /** The hub's, as `welcome.hub`. */
  readonly name?: string | undefined
}

export interface Opening {
  readonly resumed: boolean
  /** Where live changes take over. */
  readonly revision: number
  /** Sends `welcome` and what leads up to that revision, at the pace of the connection. */
  send(): Promise<void>
}

export interface Feed {
  /**
   * Fixes where live changes take over, and collects what comes before.
   * @param held the revision that the agent holds in full
   */
  start(held: number | undefined): Promise<Opening>
  /** Tells the agent of revisions in which nothing was for it, so that it will not have to resume from long ago. */
  catchUp(): void
  stop(): void
}

export function createFeed(deps: FeedDeps): Feed {
  const { node, store, fanout, encoder, outflow, clock, name } = deps
  /** The last change that was looked at, and the last `sync` that was sent. */
  let told = Infinity
  let marked = Infinity
  let stop = (): void => {}
  /** What was offered in this turn. */
  let offered: Uint8Array[] = []

  const listener: Listener = {
    offer(change) {
      // What was committed before this session began is in its opening.
      if (change.revision <= told) return false
      told = change.revision
      const kind = wanted(node, change)
      if (kind === 'none') return false
      const bytes = kind === 'set' ? encoder.change(change) : encoder.remove(change)
      if (bytes) offered.push(bytes)
      return bytes !== undefined
    },
    mark(revision, sync) {
      marked = revision
      const frames = [...offered, sync]
      offered = []
      outflow.pushAll(frames, encoder.message)
    },
  }

  return {
    async start(held) {
      const { resumed, revision, frames } = beginning(store, node, held)
      told = revision
      marked = revision
      stop = fanout.add(listener)
      const stretch = frames(encoder)
      return {
        resumed,
        revision,
        send() {
          const welcome = encoder.frame({ kind: 'welcome', version: protocolVersion, node, history: store.history, revision, resumed, time: clock.now(), ...(name !== undefined && { hub: name }) })
          return outflow.open(prefixed(welcome, stretch))
        },
      }
    },
    catchUp() {
      if (fanout.revision > marked) listener.mark(fanout.revision, encoder.sync(fanout.revision))
    },
    stop: () => stop(),
  }
}

function* prefixed(first: Uint8Array, rest: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield first
  yield* rest
}
