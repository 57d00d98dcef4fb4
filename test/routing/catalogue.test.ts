import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { cataloguePage, elsewhere, sayings } from './catalogue.ts'

const root = resolve(import.meta.dirname, '../..')

test('the page says what the behaviours say; `npm run vitest test/routing/catalogue.test.ts -- -u` writes it anew', async () => {
  await expect(cataloguePage()).toMatchFileSnapshot(join(root, 'docs/catalogue.md'))
})

/** How many rows the catalogue has in each of its areas. */
const rows = { I: 12, E: 9, A: 9, D: 12, M: 10, N: 6, P: 7, L: 6, S: 7, T: 6, H: 8, C: 11, U: 12, R: 7, F: 4 }

test('every row is there, and no other', () => {
  const all = Object.entries(rows).flatMap(([letter, count]) => Array.from({ length: count }, (_, i) => `${letter}${i + 1}`))
  expect([...sayings().keys()].toSorted()).toEqual(all.toSorted())
})

test('the tests that it names are there', () => {
  expect(elsewhere.flatMap(({ tests }) => tests).filter((file) => !existsSync(join(root, file)))).toEqual([])
})
