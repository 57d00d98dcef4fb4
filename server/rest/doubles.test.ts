import fc from 'fast-check'
import { expect, test } from 'vitest'
import { doubledFields } from './doubles.ts'

const found = (text: string): readonly string[] => doubledFields(text, JSON.parse(text))

test.each([
  ['{"a":1,"b":2}', []],
  ['{ "a" : 1 }', []],
  ['{"a":1,"a":2}', ['a']],
  ['{"a":{"b":[{"c":1},{"c":1,"d":2,"c":3}]}}', ['a.b[1].c']],
  ['{"a":"\\"a\\":","b":"{\\"b\\":1,\\"b\\":2}" }', []],
  ['{"a":1,"\\u0061":2}', ['a']],
  ['{"a":[1,[2,{"x":1,"x":1}]],"a":[],"a":{}}', ['a[1][1].x', 'a']],
  ['{"a":{"k":1},"b":{"k":1} }', []],
  [' [ ] ', []],
])('%s', (text, doubles) => {
  expect(found(text)).toEqual(doubles)
})

test('no value that is printed with room has doubles', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(found(JSON.stringify(value, null, 1))).toEqual([])
    }),
    { numRuns: 200 },
  )
})

test('a field put in a second time is found', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, two) => {
      expect(found(`{"a":{"x":${JSON.stringify(one, null, 1)},"x":${JSON.stringify(two)}}}`)).toEqual(['a.x'])
    }),
    { numRuns: 200 },
  )
})
