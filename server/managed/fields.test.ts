import { describe, expect, test } from 'vitest'
import { difference, fieldsOf, intersection, none, paths, textOf, union } from './fields.ts'
import type { Fields } from './fields.ts'

const at = (value: unknown): Fields => fieldsOf(value)!

describe('sets of fields', () => {
  const a = at({ 'f:spec': { 'f:replicas': {}, 'f:template': { '.': {}, 'f:x': {} } } })
  const b = at({ 'f:spec': { 'f:replicas': {}, 'f:template': {} }, 'f:status': {} })

  test('union, intersection and difference look at each step', () => {
    expect(union(a, b)).toEqual({ 'f:spec': { 'f:replicas': {}, 'f:template': { '.': {}, 'f:x': {} } }, 'f:status': {} })
    expect(intersection(a, b)).toEqual({ 'f:spec': { 'f:replicas': {}, 'f:template': {} } })
    expect(difference(a, b)).toEqual({ 'f:spec': { 'f:template': { 'f:x': {} } } })
    expect(difference(b, a)).toEqual({ 'f:status': {} })
    expect(difference(a, a)).toEqual(none)
  })

  test('a step with children is in the set only where it says so', () => {
    const below = at({ 'f:a': { 'f:b': {} } })
    const itself = at({ 'f:a': {} })
    expect(intersection(below, itself)).toEqual(none)
    expect(difference(itself, below)).toEqual(itself)
    expect(union(below, itself)).toEqual({ 'f:a': { '.': {}, 'f:b': {} } })
  })

  test('any three sets obey the laws of sets', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const draw = drawing(seed)
      const [x, y, z] = [tree(draw), tree(draw), tree(draw)]
      const same = (left: Fields, right: Fields): void => expect(textOf(left)).toBe(textOf(right))
      same(union(x, y), union(y, x))
      same(union(union(x, y), z), union(x, union(y, z)))
      same(intersection(x, y), intersection(y, x))
      same(difference(x, y), difference(x, intersection(x, y)))
      same(union(difference(x, y), intersection(x, y)), x)
      same(intersection(difference(x, y), y), none)
    }
  })

  test('paths are those that people read', () => {
    const fields = at({
      'f:spec': { 'f:containers': { 'k:{"name":"web"}': { '.': {}, 'f:image': {} } } },
      'f:metadata': { 'f:finalizers': { 'v:"x"': {} } },
      'f:list': { 'i:3': {} },
    })
    expect(paths(fields)).toEqual([
      '.spec.containers[name="web"]',
      '.spec.containers[name="web"].image',
      '.metadata.finalizers[="x"]',
      '.list[3]',
    ])
  })

  test.each([['text'], [{ spec: {} }], [{ 'f:a': 1 }], [{ 'k:{': {} }], [{ 'k:1': {} }], [{ 'i:-': {} }], [null], [[]]])('%j is no set', (value) => {
    expect(fieldsOf(value)).toBeUndefined()
  })
})

/** Whole numbers below `n`, the same for the same seed. */
function drawing(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * n)
  }
}

/** A random set of up to three levels over few names, so that sets meet. */
function tree(draw: (n: number) => number, depth = 0): Fields {
  const fields: Record<string, Fields> = {}
  for (const step of ['f:a', 'f:b', 'k:{"n":1}']) {
    if (draw(2) === 0) continue
    const child = depth < 2 && draw(2) === 0 ? tree(draw, depth + 1) : none
    fields[step] = Object.keys(child).length > 0 && draw(2) === 0 ? { '.': none, ...child } : child
  }
  return fields
}
