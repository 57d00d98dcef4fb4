/**
 * A short trace of many elements, in whatever order they came and went. Two tables that differ in an element have the same trace once
 * in 2^64 times: enough against accidents, and nobody can choose the elements of two tables of the same kernel.
 */
import type { PlacedElement } from './model.ts'
import { spread } from './names.ts'

/** Sums, modulo 2^32, of two hashes of each element. */
export interface Digest {
  readonly count: number
  readonly sums: readonly [number, number]
}

export const noElements: Digest = Object.freeze({ count: 0, sums: Object.freeze([0, 0] as const) })

export interface DigestSum {
  add(element: PlacedElement): void
  remove(element: PlacedElement): void
  value(): Digest
}

export function createDigestSum({ count: before, sums }: Digest): DigestSum {
  let count = before
  let [a, b] = sums
  const take = (element: PlacedElement, step: 1 | -1): void => {
    const found = hashes(element)
    count += step
    a = (a + step * found.a) >>> 0
    b = (b + step * found.b) >>> 0
  }
  return {
    add: (element) => take(element, 1),
    remove: (element) => take(element, -1),
    value: () => ({ count, sums: [a, b] }),
  }
}

/** For all calls, as there may be a hundred thousand in a row. */
const latest = { a: 0, b: 0 }

function hashes({ set, key, value, comment }: PlacedElement): typeof latest {
  latest.a = 0x811c9dc5
  latest.b = 0x2f0b4c47
  take(set)
  take(key)
  take(value ?? '')
  take(comment ?? '')
  latest.a = spread(latest.a)
  latest.b = spread(latest.b)
  return latest
}

/** A text and its end. */
function take(text: string): void {
  let { a, b } = latest
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ code, 0x9e3779b1) ^ (b >>> 15)
  }
  latest.a = Math.imul(a ^ end, 0x01000193)
  latest.b = Math.imul(b ^ end, 0x9e3779b1)
}

/** No character. */
const end = 0x10000
