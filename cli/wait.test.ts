import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../test/kit/clock.ts'
import { createSteps } from './progress.ts'
import { formatTable } from './table.ts'
import { waitFor } from './wait.ts'

const signal = new AbortController().signal

describe('waiting with a deadline', () => {
  test('ends with the first value', async () => {
    const clock = createFakeClock()
    const answers = [undefined, 'not yet', { found: 3 }]
    const waiting = waitFor('it', async () => answers.shift(), { clock, signal, timeoutMs: 1_000, advice: 'look' })
    await clock.advance(200)
    expect(await waiting).toEqual({ found: 3 })
  })

  test('says at the deadline what was missing last, be it a word or an error', async () => {
    const clock = createFakeClock()
    const word = waitFor('it', async () => 'two of three', { clock, signal, timeoutMs: 1_000, advice: 'look there' }).catch(
      (e: unknown) => e,
    )
    const fault = waitFor('it', () => Promise.reject(new TypeError('refused')), {
      clock,
      signal,
      timeoutMs: 1_000,
      advice: 'x',
    }).catch((e: unknown) => e)
    await clock.advance(2_000)
    expect(await word).toMatchObject({ code: 'EXEC_TIMEOUT', message: 'waited 1 s for it: two of three', advice: 'look there' })
    expect(await fault).toMatchObject({ code: 'EXEC_TIMEOUT', message: 'waited 1 s for it: refused' })
  })

  test('ends at once when it is aborted', async () => {
    const clock = createFakeClock()
    const stop = new AbortController()
    const waiting = waitFor('it', async () => undefined, { clock, signal: stop.signal, timeoutMs: 1_000, advice: 'x' }).catch(
      (e: unknown) => e,
    )
    await clock.advance(100)
    stop.abort(new TypeError('enough'))
    expect(await waiting).toMatchObject({ message: 'enough' })
  })
})

describe('lines of progress', () => {
  test('each step has its time, a detail if it gave one, and a cross if it failed', async () => {
    const clock = createFakeClock()
    let text = ''
    const steps = createSteps({ write: (part) => (text += part), now: () => clock.now(), colour: false })
    const slow = steps.step('network', async () => {
      await new Promise<void>((resolve) => clock.after(1_200, resolve))
      return '3 nodes'
    })
    await clock.advance(1_200)
    await slow
    await expect(steps.step('hub', () => Promise.reject(new TypeError('no')))).rejects.toThrow('no')
    expect(text).toBe('  ✓ network: 3 nodes (1.2 s)\n  ✗ hub (0.0 s)\n')
  })

  test('tables have columns as wide as their widest cell', () => {
    expect(
      formatTable(
        ['A', 'B'],
        [
          ['long', 'x'],
          ['s', ''],
        ],
        ' ',
      ),
    ).toBe(' A     B\n long  x\n s\n')
  })
})
