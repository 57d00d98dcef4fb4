import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createOwning, settle } from './settle.ts'

const json = fc.jsonValue({ maxDepth: 4 })
const printed = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

function isDeepFrozen(value: unknown): boolean {
  return typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isDeepFrozen))
}

test('a settled value is what JSON gives back, frozen to its depth', () => {
  fc.assert(
    fc.property(json, json, (value, held) => {
      const settled = settle(value, settle(held, undefined))
      expect(settled).toEqual(printed(value))
      expect(JSON.stringify(settled)).toBe(JSON.stringify(value))
      expect(isDeepFrozen(settled)).toBe(true)
    }),
  )
})

test('an equal value is the held one itself', () => {
  fc.assert(
    fc.property(json, (value) => {
      const held = settle(value, undefined)
      expect(settle(printed(value), held)).toBe(held)
    }),
  )
})

test('equal parts are shared with the held value', () => {
  const held = settle({ a: { deep: [1, { x: 1 }] }, b: { y: 1 }, c: [] }, undefined) as Record<string, unknown>
  const next = settle({ a: { deep: [1, { x: 1 }] }, b: { y: 2 }, c: [] }, held) as Record<string, unknown>
  expect(next).not.toBe(held)
  expect(next['a']).toBe(held['a'])
  expect(next['c']).toBe(held['c'])
  expect(next['b']).toEqual({ y: 2 })
})

test.each([
  ['a field less', { a: 1, b: 2 }, { a: 1 }],
  ['a field more', { a: 1 }, { a: 1, b: 2 }],
  ['another field of the same value', { a: 1 }, { b: 1 }],
  ['a list that lost its end', [1, 2], [1]],
  ['a list instead of a map', { a: {} }, { a: [] }],
  ['null instead of a map', { a: {} }, { a: null }],
  ['0 instead of false', { a: false }, { a: 0 }],
])('%s is a change', (_, held, next) => {
  const settledHeld = settle(held, undefined)
  expect(settle(next, settledHeld)).not.toBe(settledHeld)
  expect(settle(next, settledHeld)).toEqual(next)
})

test('fields that are undefined are not there', () => {
  const held = settle({ a: 1 }, undefined)
  expect(settle({ a: 1, b: undefined }, held)).toBe(held)
  expect(Object.keys(settle({ b: undefined }, undefined) as object)).toEqual([])
})

test('a field named __proto__ stays a field', () => {
  const settled = settle(JSON.parse('{"__proto__":{"x":1}}'), undefined) as object
  expect(Object.keys(settled)).toEqual(['__proto__'])
  expect((settled as { x?: unknown }).x).toBeUndefined()
})

test.each([[new Date(0)], [Number.NaN], [Number.POSITIVE_INFINITY], [10n], [() => 1], [new Map()], [[undefined]]])('%s is refused', (value) => {
  expect(() => settle({ value }, undefined)).toThrow(TypeError)
})

test('what was just parsed is owned as it is, frozen to its depth', () => {
  fc.assert(
    fc.property(fc.array(json), (values) => {
      const own = createOwning()
      for (const value of values.map(printed)) {
        const owned = own(value)
        expect(owned).toBe(value)
        expect(isDeepFrozen(owned)).toBe(true)
      }
      expect(values.map(printed).map(own)).toEqual(values.map(printed))
    }),
  )
})
