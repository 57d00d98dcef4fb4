import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CallInput } from '../../../api/call-flow.ts'
import { systemClock } from '../../../api/clock.ts'
import { silentLog } from '../../../api/log.ts'
import { attachTo } from './attach.ts'
import { createLive, livePath, type Live } from './live.ts'

let dir: string
let live: Live
const path = (): string => livePath(dir, 'web-1')
const never = new AbortController().signal
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wstr-live-'))
  live = createLive(path())
})
afterEach(() => {
  live.close()
  rmSync(dir, { recursive: true, force: true })
})

const follow = (where: string, signal: AbortSignal) =>
  attachTo(where, {}, ReadableStream.from<CallInput>([]), { clock: systemClock, log: silentLog, signal, resize: () => Promise.resolve() })
/** Follows, and says the same until it was heard, as who comes later misses what was said before. */
async function following(signal = never) {
  const chunks = follow(path(), signal)
  const first = chunks.next()
  let heard = false
  void first.then(() => (heard = true), () => (heard = true))
  while (!heard) {
    live.write('stdout', Buffer.from('.'))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await first).value).toEqual({ kind: 'out', bytes: Buffer.from('.') })
  return chunks
}

test('who follows hears both outputs from then on, whole, until the end', async () => {
  const chunks = await following()
  const long = Buffer.alloc(300_000, 'x')
  live.write('stderr', Buffer.from('no'))
  live.write('stdout', long)
  live.close()
  const rest = (await Array.fromAsync(chunks)).filter(({ bytes }) => bytes.length > 1)
  expect(rest.map(({ kind, bytes }) => [kind, bytes.length])).toEqual([['err', 2], ['out', long.length]])
})

test('several may follow', async () => {
  const [one, two] = [await following(), await following()]
  live.close()
  await Promise.all([Array.fromAsync(one), Array.fromAsync(two)])
})

test('who goes away is forgotten, and an abort ends the loop', async () => {
  const stop = new AbortController()
  const chunks = await following(stop.signal)
  const all = Array.fromAsync(chunks)
  stop.abort(new TypeError('enough'))
  await expect(all).rejects.toThrow('enough')
  live.write('stdout', Buffer.from('nobody hears it'))
})

test('where nobody says anything any more, it is refused by its code', async () => {
  live.close()
  await expect(follow(path(), never).next()).rejects.toMatchObject({ code: 'CONTAINER_UNKNOWN' })
})

test('a path is short, whatever the name', () => {
  expect(livePath('/s', 'a'.repeat(76)).length).toBeLessThan(30)
  expect(livePath('/s', 'a')).not.toBe(livePath('/s', 'b'))
})
