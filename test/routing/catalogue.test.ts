import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { cataloguePage, elsewhere } from './catalogue.ts'

const root = resolve(import.meta.dirname, '../..')

test('the page says what the behaviours say; `npm run vitest test/routing/catalogue.test.ts -- -u` writes it anew', async () => {
  await expect(cataloguePage()).toMatchFileSnapshot(join(root, 'docs/catalogue.md'))
})

test('the tests that it names are there', () => {
  expect(elsewhere.flatMap(({ tests }) => tests).filter((file) => !existsSync(join(root, file)))).toEqual([])
})
