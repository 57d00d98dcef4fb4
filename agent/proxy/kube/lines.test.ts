import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLines } from './lines.ts'
import { createPace } from './pace.ts'

test('however the bytes are cut, the lines are the same', () => {
  const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((s) => s.replaceAll(/\s/g, '_') || 'x')
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((l) => `${l}\n`).join(''))
      const reader = createLines(1_000)
      const found: string[] = []
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const end = at + cuts[i % cuts.length]!
        found.push(...reader.push(bytes.subarray(at, end)))
        at = end
      }
      expect(found).toEqual(lines)
    }),
  )
})

test.each([
  ['in one piece', [Buffer.from(`${'x'.repeat(11)}\n`)]],
  ['over several', [Buffer.from('xxxxxx'), Buffer.from('xxxxxx')]],
])('a line beyond the bound is refused: %s', (_how, chunks) => {
  const reader = createLines(10)
  expect(() => chunks.flatMap((c) => reader.push(c))).toThrow(expect.objectContaining({ code: 'API_UNREADABLE' }))
})

test('the pace doubles up to half a minute, keeps half to chance, and minds what the server asks for', () => {
  const pace = createPace(() => 1)
  expect(Array.from({ length: 8 }, () => pace.next())).toEqual([400, 800, 1600, 3200, 6400, 12800, 25600, 30000])
  expect(pace.next(60_000)).toBe(60_000)
  expect(pace.next(10 ** 9), 'but not for ever').toBe(120_000)
  pace.reset()
  expect(createPace(() => 0).next()).toBe(200)
  expect(pace.next()).toBe(400)
})
