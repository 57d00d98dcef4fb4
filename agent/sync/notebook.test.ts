import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLog } from '../../api/log.ts'
import { openNotebook } from './notebook.ts'

let dir: string
let lines: Record<string, unknown>[]
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'notebook-'))
  lines = []
})
afterEach(() => rmSync(dir, { recursive: true }))
const open = (path = join(dir, 'rules-ip.json')) =>
  openNotebook(path, createLog({ level: 'info', write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>), now: () => 0 }))

test('holds one entry, which another process reads', () => {
  expect(open().read()).toBeUndefined()
  open().write({ stamp: 'a', note: '{"b":1}' })
  open().write({ stamp: 'c', note: '{"d":2}' })
  expect(open().read()).toEqual({ stamp: 'c', note: '{"d":2}' })
  expect(readdirSync(dir)).toEqual(['rules-ip.json'])
  expect(statSync(join(dir, 'rules-ip.json')).mode & 0o777).toBe(0o600)
  open().clear()
  open().clear()
  expect(open().read()).toBeUndefined()
  expect(lines).toEqual([])
})

test.each(['', '{"stamp":"a"', '5', '{"stamp":1,"note":"b"}', '{"note":"b"}'])('a file with %j holds nothing', (text) => {
  writeFileSync(join(dir, 'rules-ip.json'), text)
  expect(open().read()).toBeUndefined()
  expect(lines.every(({ level, path }) => level === 'warn' && path === join(dir, 'rules-ip.json'))).toBe(true)
})

test('a place that cannot be written to is told, and does no harm', () => {
  const place = join(dir, 'a-folder')
  mkdirSync(join(place, 'with'), { recursive: true })
  const notebook = open(place)
  notebook.write({ stamp: 'a', note: 'b' })
  expect(notebook.read()).toBeUndefined()
  notebook.clear()
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    ['warn', 'what the kernel holds could not be noted'],
    ['warn', 'what the kernel holds could not be recalled'],
    ['warn', 'what the kernel holds could not be forgotten'],
  ])
})
