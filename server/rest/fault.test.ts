import fc from 'fast-check'
import { expect, test } from 'vitest'
import { faultOf } from './fault.ts'

/** Each text has a ^ where the fault is. */
test.each([
  '^',
  '{^',
  '{"a"^',
  '{"a":^',
  '{"a":1^',
  '{"a":1,^',
  '{"a":1,^}',
  '{"kind": ^ConfigMap}',
  '{^a: 1}',
  '{"a" ^1}',
  '[1,^]',
  '[1 ^2]',
  '[1^}',
  '{"a":1^]',
  '{"a":[]}^x',
  '{} ^{}',
  '{"a": ^01}',
  '{"a": ^1.}',
  '{"a": ^"x\ny"}',
  '{"a": ^"\\x"}',
  '{"a": ^\'x\'}',
  '{"a": ^tru}',
  '^// comment',
])('%s', (marked) => {
  expect(faultOf(marked.replace('^', ''))).toBe(marked.indexOf('^'))
})

test('whole JSON has no fault before its end, and a character that is too much is one', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom('}', ']', ',', ':', '"', 'x', '\\'), (json, odd) => {
      expect(faultOf(json)).toBe(json.length)
      expect(faultOf(json + ' ' + odd)).toBe(json.length + 1)
      expect(faultOf(odd + json)).toBeLessThanOrEqual(odd === '"' ? json.length + 1 : 1)
    }),
  )
})
