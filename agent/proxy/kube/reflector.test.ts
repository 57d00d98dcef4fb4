/** How long the reflector waits before it asks again, with a server that the test plays and a clock of its own. */
import { Buffer } from 'node:buffer'
import { afterEach, describe, expect, test } from 'vitest'
import { sleep } from '../../../api/clock.ts'
import { createLog } from '../../../api/log.ts'
import { createFakeClock } from '../../../test/kit/clock.ts'
import type { ApiClient } from './client.ts'
import { ApiFailure } from './failure.ts'
import { createReflector } from './reflector.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

/** What a watch meets: a failure before any answer, or silence for so long, perhaps an event, and then a cut. */
type Watch = 'lost' | 'forgotten' | { readonly standsMs: number; readonly event?: true }

const failures = { lost: 'API_LOST', forgotten: 'API_EXPIRED' } as const

/** @returns the waits after each failure, in the order of the watches */
async function waitsOf(...watches: readonly Watch[]): Promise<readonly number[]> {
  const clock = createFakeClock()
  const waits: number[] = []
  const write = (line: string): void => {
    const { waitMs } = JSON.parse(line) as { waitMs?: number }
    if (waitMs !== undefined) waits.push(waitMs)
  }
  const left = [...watches]
  const stop = new AbortController()
  const fail = (how: 'lost' | 'forgotten'): ApiFailure => new ApiFailure(failures[how], how)
  const client: ApiClient = {
    ask: async () => ({ metadata: { resourceVersion: '7' }, items: [] }),
    async follow(_question, { onOpen, onChunk }, signal) {
      const next = left.shift()
      if (next === undefined) return sleep(clock, 1e9, signal)
      if (next === 'lost' || next === 'forgotten') throw fail(next)
      onOpen?.()
      await sleep(clock, next.standsMs, signal)
      if (next.event) onChunk(Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '8' } } })}\n`))
      throw fail('lost')
    },
    close() {},
  }
  const reflector = createReflector({
    client,
    followed: { resource: 'services', path: '/api/v1/services', selectors: {} },
    clock,
    random: () => 1,
    log: createLog({ level: 'info', write, now: () => 0 }),
    onChange() {},
    onSettled() {},
  })
  const running = reflector.run(stop.signal)
  stops.push(async () => {
    stop.abort()
    await running
  })
  for (let i = 0; i < 100 && (left.length > 0 || waits.length < watches.length); i++) await clock.advance(30_000)
  return waits
}

describe('the wait before the server is asked again', () => {
  test('doubles while it is not reached, up to a half minute', async () => {
    expect(await waitsOf(...Array<Watch>(9).fill('lost'))).toEqual([400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
  })
  test('is short when the server is back and has forgotten our revision', async () => {
    expect(await waitsOf('lost', 'lost', 'lost', 'lost', 'forgotten')).toEqual([400, 800, 1600, 3200, 400])
  })
  test('doubles where a server forgets at once what it listed', async () => {
    expect(await waitsOf('forgotten', 'forgotten', 'forgotten')).toEqual([400, 800, 1600])
  })
  test('begins anew after a watch that stood, also one that had nothing to say', async () => {
    expect(await waitsOf('lost', 'lost', { standsMs: 20_000 }, 'lost')).toEqual([400, 800, 400, 800])
    expect(await waitsOf('lost', 'lost', { standsMs: 0, event: true }, 'lost')).toEqual([400, 800, 400, 800])
  })
  test('doubles where watches end as soon as they have begun', async () => {
    expect(await waitsOf('lost', { standsMs: 0 }, { standsMs: 100 })).toEqual([400, 800, 1600])
  })
})
