import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesOf, numberOf, read, textOf, written } from './messages.ts'

test('what is written is read, field by field, lists in their order', () => {
  const fields = fc.record({ 1: fc.string(), 2: fc.uint8Array(), 5: fc.nat(), 200: fc.boolean(), 7: fc.array(fc.uint8Array({ minLength: 1 })) })
  fc.assert(
    fc.property(fields, (all) => {
      const message = read(written(all))
      expect([textOf(message, 1), numberOf(message, 5), numberOf(message, 200)]).toEqual([all[1], all[5], Number(all[200])])
      expect(Buffer.compare(bytesOf(message, 2), all[2])).toBe(0)
      expect((message[7] ?? []).map((item) => [...(item as Uint8Array)])).toEqual(all[7].map((item) => [...item]))
    }),
  )
})

test('what is empty takes no bytes, the last of a field counts, and other kinds of fields are passed over', () => {
  expect(written({ 1: '', 2: false, 3: 0, 4: [] }).length).toBe(0)
  expect(textOf(read(written({ 1: ['a', 'b'] })), 1)).toBe('b')
  // A fixed32 (field 3) before a text (field 1).
  expect(textOf(read(Buffer.from([0x1d, 1, 2, 3, 4, 0x0a, 1, 0x78])), 1)).toBe('x')
})
