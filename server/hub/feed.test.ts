import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeHubFrame } from '../../api/codec.ts'
import { silentLog } from '../../api/log.ts'
import type { HubFrame } from '../../api/frames.ts'
import { settled } from '../../test/kit/clock.ts'
import * as kit from '../../test/kit/objects.ts'
import { openInside, type Inside } from '../../test/kit/registry.ts'
import type { Store } from '../store/store.ts'
import { createEncoder } from './encoder.ts'
import { createFanout, type Fanout } from './fanout.ts'
import { createFeed } from './feed.ts'
import { createOutflow } from './outflow.ts'

let inside: Inside
beforeEach(async () => {
  inside = await openInside()
})
afterEach(() => inside.close())

/** A store that tells its watchers of changes, old ones too, only when it is let: as one does that lives on other machines. */
function lateStore(store: Store) {
  const held: (() => void)[] = []
  const late: Store = {
    ...store,
    get revision() {
      return store.revision
    },
    get compacted() {
      return store.compacted
    },
    watch(from, onChange) {
      let active = true
      const stop = store.watch(from, (change) => void held.push(() => active && onChange(change)))
      return () => {
        active = false
        stop()
      }
    },
  }
  const release = async (count = held.length): Promise<void> => {
    for (const tell of held.splice(0, count)) tell()
    await settled()
  }
  return { late, release }
}

function open(store: Store, fanout?: Fanout) {
  const encoder = createEncoder({ log: silentLog })
  const frames: HubFrame[] = []
  const socket = {
    OPEN: 1,
    readyState: 1,
    bufferedAmount: 0,
    send(frame: Uint8Array, sent?: (e?: Error | null) => void) {
      frames.push(decodeHubFrame(frame))
      sent?.()
    },
  } as const
  const outflow = createOutflow(socket, { queueBytes: 1e6 }, () => expect.unreachable())
  const shared = fanout ?? createFanout(store, encoder)
  const feed = createFeed({ node: 'node1', store, fanout: shared, encoder, outflow, clock: inside.clock })
  const seen = () => frames.map((f) => ('revision' in f ? `${f.kind} ${f.revision}` : f.kind))
  return { feed, seen, fanout: shared }
}

const make = async (name: string): Promise<number> => {
  await inside.make('services', kit.service({ metadata: { name } }))
  return inside.store.revision
}

test('a change that is in the first state already is not sent again when the watch tells of it', async () => {
  const { late, release } = lateStore(inside.store)
  const { feed, seen } = open(late)
  const a = await make('a')
  const opening = await feed.start(undefined)
  await opening.send()
  await release()
  expect(seen()).toEqual([`welcome ${a}`, 'reset', `set ${a}`, `sync ${a}`])
  const b = await make('b')
  await release()
  expect(seen().slice(4)).toEqual([`set ${b}`, `sync ${b}`])
})

test('a history that comes later is still sent before what happens meanwhile', async () => {
  const { late, release } = lateStore(inside.store)
  const { feed, seen } = open(late)
  const before = inside.store.revision
  const [a, b] = [await make('a'), await make('b')]
  await release()
  const starting = feed.start(before)
  await release(1)
  const c = await make('c')
  await release(1)
  await release()
  const opening = await starting
  await opening.send()
  expect([opening.resumed, opening.revision]).toEqual([true, b])
  expect(seen()).toEqual([`welcome ${b}`, `set ${a}`, `set ${b}`, `sync ${b}`, `set ${c}`, `sync ${c}`])
  const d = await make('d')
  await release()
  expect(seen().slice(6)).toEqual([`set ${d}`, `sync ${d}`])
})

test('who is too far behind gets the whole state', async () => {
  const { feed, seen } = open({ ...inside.store, revision: 20_010, compacted: 0 }, createFanout(inside.store, createEncoder({ log: silentLog })))
  const opening = await feed.start(9)
  await opening.send()
  expect(seen()).toEqual(['welcome 20010', 'reset', 'sync 20010'])
})

test('after it was stopped nothing is sent', async () => {
  const { feed, seen } = open(inside.store)
  const opening = await feed.start(undefined)
  await opening.send()
  feed.stop()
  const before = seen().length
  await make('a')
  await settled()
  expect(seen()).toHaveLength(before)
})
