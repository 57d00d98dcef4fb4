import fc from 'fast-check'
import { expect, test } from 'vitest'
import { callRoom, costOf, createInbox, createRoom } from './call-flow.ts'

const never = new AbortController().signal

test('a frame is no longer than there is room, nor than 64 KiB, and never empty', async () => {
  const room = createRoom(100_000)
  expect(await room.take(10, never)).toBe(10)
  expect(await room.take(200_000, never)).toBe(64 * 1024)
  const rest = await room.take(200_000, never)
  expect(rest).toBe(100_000 - costOf(10) - costOf(64 * 1024) - 64)
  const waiting = room.take(5, never)
  room.add(60)
  room.add(5)
  expect(await waiting).toBe(1)
})

test('who waits for room goes when the signal aborts', async () => {
  const room = createRoom(0)
  const abort = new AbortController()
  const waiting = room.take(5, abort.signal)
  abort.abort(new TypeError('enough'))
  await expect(waiting).rejects.toThrow('enough')
})

test('a writer and a reader never stop for ever, and never more waits than there is room for', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 400_000 }), { maxLength: 12 }), async (sizes) => {
      const room = createRoom()
      let waiting = 0
      let most = 0
      const inbox = createInbox<number>({ give: (given) => room.add(given) })
      const writer = async (): Promise<void> => {
        for (const size of sizes) {
          for (let left = size; left > 0; ) {
            const some = await room.take(left, never)
            expect(inbox.put(some, costOf(some))).toBe(true)
            waiting += some
            most = Math.max(most, waiting)
            left -= some
          }
        }
        inbox.end()
      }
      let total = 0
      const reader = async (): Promise<void> => {
        for await (const some of inbox) {
          waiting -= some
          total += some
        }
      }
      await Promise.all([writer(), reader()])
      expect(total).toBe(sizes.reduce((sum, size) => sum + size, 0))
      // Beside what waits, the reader has one frame in hand.
      expect(most).toBeLessThanOrEqual(callRoom + 64 * 1024)
    }),
    { numRuns: 50 },
  )
})

test('what came before an end is read, then its error; what comes after it is dropped', async () => {
  const inbox = createInbox<string>({ give: () => {} })
  inbox.put('a', 1)
  inbox.end(new TypeError('broken'))
  inbox.end()
  expect(inbox.put('b', 1)).toBe(true)
  const read: string[] = []
  const all = async (): Promise<void> => {
    for await (const item of inbox) read.push(item)
  }
  await expect(all()).rejects.toThrow('broken')
  expect(read).toEqual(['a'])
})

test('what there is no room for is not taken', () => {
  const inbox = createInbox<string>({ give: () => {}, room: 100 })
  expect([inbox.put('a', 60), inbox.put('b', 41), inbox.put('c', 40)]).toEqual([true, false, true])
})
