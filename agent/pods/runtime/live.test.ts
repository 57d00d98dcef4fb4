import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CallInput } from '../../../api/call-flow.ts'
import { silentLog } from '../../../api/log.ts'
import { attachTo } from './attach.ts'
import { writeChunk } from './chunks.ts'
import { createLive, livePath, type Live, type LiveInput } from './live.ts'
import type { LogStream } from './log-format.ts'
import type { ContainerStreams } from './runtime.ts'
import type { Stdin } from './stdin.ts'
import { createFakeClock, type FakeClock } from '../../../test/kit/clock.ts'
import { waitFor } from '../../../test/kit/wait.ts'

let dir: string
let live: Live
let clock: FakeClock
const path = (): string => livePath(dir, 'web-1')
const tell = (stream: LogStream, bytes: Uint8Array): void => void live.write(stream, bytes)
const never = new AbortController().signal
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wstr-live-'))
  live = createLive(path())
  clock = createFakeClock()
})
afterEach(() => {
  live.close()
  rmSync(dir, { recursive: true, force: true })
})

const follow = (where: string, signal: AbortSignal) =>
  attachTo(where, {}, ReadableStream.from<CallInput>([]), { clock, log: silentLog, signal, resize: () => Promise.resolve() })
/** Follows, and says the same until it was heard, as who comes later misses what was said before. */
async function following(signal = never) {
  const chunks = follow(path(), signal)
  const first = chunks.next()
  let heard = false
  void first.then(() => (heard = true), () => (heard = true))
  while (!heard) {
    tell('stdout', Buffer.from('.'))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await first).value).toEqual({ kind: 'out', bytes: Buffer.from('.') })
  return chunks
}

test('who follows hears both outputs from then on, whole, until the end', async () => {
  const chunks = await following()
  const long = Buffer.alloc(300_000, 'x')
  tell('stderr', Buffer.from('no'))
  tell('stdout', long)
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
  tell('stdout', Buffer.from('nobody hears it'))
})

test('where nobody says anything any more, it is refused by its code', async () => {
  live.close()
  await expect(follow(path(), never).next()).rejects.toMatchObject({ code: 'CONTAINER_UNKNOWN' })
})

test('a path is short, whatever the name', () => {
  expect(livePath('/s', 'a'.repeat(76)).length).toBeLessThan(30)
  expect(livePath('/s', 'a')).not.toBe(livePath('/s', 'b'))
})

describe('who speaks', () => {
  /** A stdin that takes a chunk when it is told to. */
  function openEnds() {
    const said: string[] = []
    const taking: (() => void)[] = []
    const stdin: Stdin = {
      write: (bytes) =>
        new Promise((resolve) => {
          if (bytes.length === 0) return resolve()
          said.push(Buffer.from(bytes).toString())
          taking.push(resolve)
        }),
      close: () => void said.push('(end)'),
      destroy: () => {},
    }
    return { said, stdin, take: () => taking.shift()!() }
  }
  const words = (...all: readonly string[]) => ReadableStream.from<CallInput>(all.map((word) => ({ kind: 'bytes', bytes: Buffer.from(word) })))
  const attached = (streams: ContainerStreams, input: AsyncIterable<CallInput>, signal = never, resize = () => Promise.resolve()) =>
    attachTo(path(), streams, input, { clock, log: silentLog, signal, resize })
  const answer = (list: readonly { readonly kind: string; readonly bytes: Uint8Array }[]) => list.map(({ kind, bytes }) => `${kind} ${Buffer.from(bytes).toString()}`)
  const reopen = (input: LiveInput): void => {
    live.close()
    live = createLive(path(), input)
  }

  test('says the next when the last was taken, and the end; it hears what comes after', async () => {
    const { said, stdin, take } = openEnds()
    reopen({ stdin, once: true })
    const all = Array.fromAsync(attached({ stdin: true, stdinOnce: true }, words('one', 'two')))
    await waitFor('the first word', () => said.length === 1)
    take()
    await waitFor('the second', () => said.length === 2)
    take()
    await waitFor('the end', () => said.length === 3)
    tell('stdout', Buffer.from('answer'))
    live.close()
    expect([said, answer(await all)]).toEqual([['one', 'two', '(end)'], ['out answer']])
  })

  test('a stdin that goes on: the session ends soon after its input, and the next one may speak', async () => {
    const { said, stdin, take } = openEnds()
    reopen({ stdin, once: false })
    for (const word of ['one', 'two']) {
      const all = Array.fromAsync(attached({ stdin: true }, words(word)))
      await waitFor('the word', () => said.includes(word))
      take()
      await waitFor('the end of the input to be told', () => clock.waiting > 0)
      tell('stderr', Buffer.from(word))
      await clock.advance(1_000)
      expect(answer(await all)).toEqual([`err ${word}`])
    }
    expect(said).toEqual(['one', 'two'])
  })

  test('who goes away ends a stdin that is for one, and no other', async () => {
    for (const once of [true, false]) {
      const { said, stdin } = openEnds()
      reopen({ stdin, once })
      const leaving = new AbortController()
      const all = Array.fromAsync(attached({ stdin: true, stdinOnce: once }, words('one'), leaving.signal))
      await waitFor('the word', () => said.length === 1)
      leaving.abort(new TypeError('enough'))
      await expect(all).rejects.toThrow('enough')
      if (once) await waitFor('the end', () => said.includes('(end)'))
      else {
        const next = Array.fromAsync(attached({ stdin: true }, words()))
        await waitFor('the next one to have been heard', () => clock.waiting > 0)
        await clock.advance(1_000)
        await next
      }
      expect(said).toEqual(once ? ['one', '(end)'] : ['one'])
    }
  })

  test('who only listens ends nothing, whatever they say, and sizes reach only terminals', async () => {
    const { said, stdin } = openEnds()
    reopen({ stdin, once: true })
    const sizes: unknown[] = []
    const resize = (size: unknown): Promise<void> => Promise.resolve(void sizes.push(size))
    const input = (): AsyncIterable<CallInput> => ReadableStream.from<CallInput>([{ kind: 'bytes', bytes: Buffer.from('no') }, { kind: 'resize', width: 80, height: 24 }])
    const heard = [{}, { tty: true }].map((streams) => Array.fromAsync(attached(streams, input(), never, resize as () => Promise<void>)))
    await waitFor('the size', () => sizes.length === 1)
    live.close()
    await Promise.all(heard)
    expect([said, sizes]).toEqual([[], [{ kind: 'resize', width: 80, height: 24 }]])
  })

  test('who speaks and is slow is waited for; who only listens is cut off', async () => {
    const { stdin } = openEnds()
    reopen({ stdin, once: false })
    const listener = connect(path())
    await once(listener, 'connect')
    const speaker = connect(path())
    speaker.write(writeChunk('input'))
    // Told that it was taken, it is in; and whoever came before.
    let heard = ((await once(speaker, 'data')) as [Buffer])[0].length
    speaker.pause()
    const chunk = Buffer.alloc(65_536)
    const full = Array.from({ length: 40 }, () => live.write('stdout', chunk)).at(-1)
    let isFree = false
    void full!.then(() => (isFree = true))
    // What is cut off still reads what the kernel has taken for it.
    let rest = 0
    listener.on('data', (bytes) => (rest += bytes.length))
    await once(listener, 'close')
    expect([rest < 40 * chunk.length, isFree]).toEqual([true, false])
    speaker.on('data', (bytes) => (heard += bytes.length)).resume()
    await full
    live.close()
    await once(speaker, 'close')
    expect(heard).toBe(writeChunk('taken').length + 40 * writeChunk('out', chunk).length)
  })

  test('what is no chunk ends the session, and a stdin that nobody has is passed over', async () => {
    const stranger = connect(path())
    stranger.on('error', () => {}).write(Buffer.alloc(100, 0xff))
    await once(stranger.resume(), 'close')
    const all = Array.fromAsync(attached({ stdin: true }, words('to nobody')))
    await waitFor('the end of the input to be told', () => clock.waiting > 0)
    await clock.advance(1_000)
    expect(await all).toEqual([])
  })
})
