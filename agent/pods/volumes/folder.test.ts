import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { VolumeFile } from './contents.ts'
import { isComplete, readFile, writeFolder } from './folder.ts'

let dir: string
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'wp-folder-'))))
afterEach(() => rmSync(dir, { recursive: true }))

const now = Date.UTC(2026, 0, 2, 3, 4, 5)
const file = (path: string, text: string, mode = 0o644): VolumeFile => ({ path, bytes: Buffer.from(text), mode })
const text = (path: string): string => readFileSync(join(dir, path), 'utf8')
const target = (): string => readlinkSync(join(dir, '..data'))
const names = (): readonly string[] => readdirSync(dir).toSorted()

test('names lead through ..data to files with their modes, whatever our umask', () => {
  const umask = process.umask(0o077)
  writeFolder(dir, [file('a', '1', 0o400), file('deep/er/b', '2')], now)
  process.umask(umask)
  expect([text('a'), text('deep/er/b')]).toEqual(['1', '2'])
  expect(['a', 'deep'].map((name) => readlinkSync(join(dir, name)))).toEqual(['..data/a', '..data/deep'])
  expect(target()).toMatch(/^\.\.2026_01_02_03_04_05\../)
  expect([statSync(join(dir, 'a')).mode & 0o777, statSync(join(dir, 'deep/er/b')).mode & 0o777]).toEqual([0o400, 0o644])
  expect([statSync(dir).mode & 0o777, statSync(join(dir, 'deep')).mode & 0o777, statSync(join(dir, '..data')).mode & 0o777]).toEqual([0o755, 0o755, 0o755])
})

test('what has not changed is not written; any change moves ..data, and nothing of before stays', () => {
  expect(writeFolder(dir, [file('a', '1'), file('b', '2')], now)).toBe(true)
  const first = target()
  const { ino } = statSync(join(dir, 'a'))
  expect(writeFolder(dir, [file('b', '2'), file('a', '1')], now)).toBe(false)
  expect([target(), statSync(join(dir, 'a')).ino]).toEqual([first, ino])
  for (const [files, seen] of [
    [[file('a', '2'), file('b', '2')], ['a', 'b']],
    [[file('a', '2', 0o600), file('b', '2')], ['a', 'b']],
    [[file('c', '3')], ['c']],
    [[], []],
  ] as const) {
    const before = target()
    expect(writeFolder(dir, files, now)).toBe(true)
    expect(target()).not.toBe(before)
    expect(names()).toEqual(['..data', target(), ...seen].toSorted())
  }
})

test('a name that becomes a folder, and the other way', () => {
  writeFolder(dir, [file('x', '1')], now)
  writeFolder(dir, [file('x/y', '2')], now)
  expect(text('x/y')).toBe('2')
  writeFolder(dir, [file('x', '3')], now)
  expect(text('x')).toBe('3')
})

test('what a crash left half-made is taken away, and is not taken for complete', () => {
  mkdirSync(join(dir, '..2025_01_01_00_00_00.half'))
  writeFileSync(join(dir, '..2025_01_01_00_00_00.half/a'), 'half')
  symlinkSync('..2025_01_01_00_00_00.half', join(dir, '..data_tmp'))
  expect(isComplete(dir)).toBe(false)
  expect(readFile(dir, 'a')).toBeUndefined()
  writeFolder(dir, [file('a', 'whole')], now)
  expect(isComplete(dir)).toBe(true)
  expect(readFile(dir, 'a')?.toString()).toBe('whole')
  expect(names()).toEqual(['..data', target(), 'a'].toSorted())
  // Killed between the new ..data and the names.
  rmSync(join(dir, 'a'))
  writeFolder(dir, [file('a', 'whole')], now)
  expect(lstatSync(join(dir, 'a')).isSymbolicLink()).toBe(true)
})
