import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeHubFrame } from '../../api/codec.ts'
import { silentLog } from '../../api/log.ts'
import type { HubFrame } from '../../api/frames.ts'
import { createFakeClock, settled } from '../../test/kit/clock.ts'
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
  const watch: Store['watch'] = (from, onChange) => {
    let active = true
    const stop = store.watch(from, (change) => void held.push(() => active && onChange(change)))
    return () => {
      active = false
      stop()
    }
  }
  const late = Object.create(store, { watch: { value: watch } }) as Store
  const release = async (count = held.length): Promise<void> => {
    for (const tell of held.splice(0, count)) tell()
    await settled()
  }
  return { late, release }
}

function open(store: Store, fanout?: Fanout) {
  const encoder = createEncoder({ clock: createFakeClock(), log: silentLog })
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

test('a revision without a change, as etcd has them, is not waited for', async () => {
  await make('a')
  const before = inside.store.revision
  const a = await make('b')
  const ahead = Object.create(inside.store, { revision: { value: a + 3 } }) as Store
  const { feed, seen } = open(ahead)
  const opening = await feed.start(before)
  await opening.send()
  expect([opening.resumed, opening.revision]).toEqual([true, a + 3])
  expect(seen()).toEqual([`welcome ${a + 3}`, `set ${a}`, `sync ${a + 3}`])
})

test('who is too far behind gets the whole state', async () => {
  const ahead = Object.create(inside.store, { revision: { value: 20_010 }, compacted: { value: 0 } }) as Store
  const { feed, seen } = open(ahead, createFanout(inside.store, createEncoder({ clock: createFakeClock(), log: silentLog })))
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
