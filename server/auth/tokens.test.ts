import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openToken, sameToken } from './tokens.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wherry-token-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the join token', () => {
  test('is made once, of the known form, for its owner only', () => {
    const path = join(folder, 'fresh', 'join-token')
    const token = openToken(path)
    expect(token).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/)
    expect(openToken(path)).toBe(token)
    expect(readFileSync(path, 'utf8')).toBe(`${token}\n`)
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600')
    expect(openToken(join(folder, 'other', 'join-token'))).not.toBe(token)
  })

  test('a file with something else is refused and kept', () => {
    const path = join(folder, 'bad-token')
    writeFileSync(path, 'hunter2\n')
    expect(() => openToken(path)).toThrowError(expect.objectContaining({ code: 'SETUP', message: expect.stringContaining(path) }))
    expect(readFileSync(path, 'utf8')).toBe('hunter2\n')
  })

  test.each([['abc', 'abc', true], ['abc', 'abd', false], ['abc', 'abcd', false], ['', 'a', false]])('%j and %j', (a, b, same) => {
    expect(sameToken(a, b)).toBe(same)
  })
})
