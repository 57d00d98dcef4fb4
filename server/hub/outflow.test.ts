import { expect, test } from 'vitest'
import { settled } from '../../test/kit/clock.ts'
import { createOutflow, type OutflowSocket } from './outflow.ts'

/** A socket that holds everything until it is drained, and takes nothing when it is closed. */
function openSocket() {
  const taken: string[] = []
  let held: { readonly frame: Uint8Array; readonly sent: ((e?: Error | null) => void) | undefined }[] = []
  let open = true
  const socket: OutflowSocket = {
    OPEN: 1,
    get readyState() {
      return open ? 1 : 3
    },
    get bufferedAmount() {
      return held.reduce((sum, { frame }) => sum + frame.byteLength, 0)
    },
    send(frame, sent) {
      if (open) held.push({ frame, sent })
      else sent?.(new TypeError('closed'))
    },
  }
  return {
    socket,
    taken,
    get held() {
      return held.length
    },
    async drain() {
      const now = held
      held = []
      for (const { frame, sent } of now) {
        taken.push(String(frame[0]))
        sent?.()
      }
      await settled()
    },
    close() {
      open = false
      for (const { sent } of held) sent?.(new TypeError('closed'))
      held = []
    },
  }
}

const frame = (first: number, size = 1): Uint8Array => new Uint8Array(size).fill(first)
const bounds = { queueBytes: 1_000_000 }
const never = (): void => expect.unreachable('nothing overflows')

test('live frames wait behind the stretch, in their order', async () => {
  const wire = openSocket()
  const outflow = createOutflow(wire.socket, bounds, never)
  outflow.push(frame(10))
  const opened = outflow.open([frame(1, 300_000), frame(2), frame(3, 300_000), frame(4)])
  outflow.push(frame(11))
  await settled()
  expect(wire.held).toBe(1)
  await wire.drain()
  outflow.push(frame(12))
  expect(wire.held).toBe(2)
  await wire.drain()
  await opened
  outflow.push(frame(13))
  await wire.drain()
  expect(wire.taken.join(' ')).toBe('1 2 3 4 10 11 12 13')
})

test('the stretch is read no faster than the connection takes it', async () => {
  const wire = openSocket()
  const outflow = createOutflow(wire.socket, bounds, never)
  let made = 0
  function* stretch(): Generator<Uint8Array> {
    for (; made < 100; made++) yield frame(made, 100_000)
  }
  const opened = outflow.open(stretch())
  await settled()
  expect(made).toBeLessThan(5)
  while (wire.taken.length < 100) await wire.drain()
  await opened
})

test.each(['live frames in the socket', 'live frames behind a stretch'])('overflows once over its bound: %s', async (where) => {
  const wire = openSocket()
  let overflows = 0
  const outflow = createOutflow(wire.socket, bounds, () => overflows++)
  if (where === 'live frames in the socket') await outflow.open([])
  for (let i = 0; i < 10; i++) outflow.push(frame(i, 100_000))
  expect(overflows).toBe(0)
  for (let i = 0; i < 10; i++) outflow.push(frame(i, 100_000))
  expect(overflows).toBe(1)
  const before = wire.held
  await outflow.open([frame(1)])
  expect(wire.held).toBe(before)
})

test('what goes out in one go is one write on the line, or waits behind the stretch frame by frame', async () => {
  const wire = openSocket()
  const lines: string[] = []
  const message = (frames: readonly Uint8Array[]): Uint8Array => new Uint8Array(frames.map(([first]) => first!))
  const outflow = createOutflow(wire.socket, { ...bounds, line: { write: (bytes) => lines.push(bytes.join(' ')) } }, never)
  const opened = outflow.open([frame(1, 300_000)])
  outflow.pushAll([frame(2), frame(3)], message)
  await settled()
  await wire.drain()
  await opened
  await wire.drain()
  outflow.pushAll([frame(4), frame(5)], message)
  wire.close()
  outflow.pushAll([frame(6)], message)
  expect([wire.taken, lines]).toEqual([['1', '2', '3'], ['4 5']])
})

test('a stretch whose connection ends is given up', async () => {
  const wire = openSocket()
  const outflow = createOutflow(wire.socket, bounds, never)
  const opened = outflow.open([frame(1, 300_000), frame(2)])
  wire.close()
  await expect(opened).rejects.toThrow('closed')
  outflow.push(frame(3))
  expect(wire.taken).toEqual([])
})
