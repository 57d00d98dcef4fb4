import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../api/log.ts'
import type { Met } from './event.ts'
import { openTrail } from './trail.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'wherry-audit-'))
  file = path.join(folder, 'logs/audit.log')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const met = (part: Partial<Met> = {}): Met => ({
  id: 'i',
  stage: 'ResponseComplete',
  uri: '/api',
  received: 0,
  at: 1,
  sourceIPs: ['127.0.0.1'],
  user: { name: 'jane', groups: [] },
  code: 200,
  ...part,
})
const open = (maxBytes = 1e6, backups = 2) => openTrail({ path: file, maxBytes, backups, log: silentLog })
const lines = (name = file) => readFileSync(name, 'utf8').split('\n').slice(0, -1)

test('each request is one line for its owner alone, whatever it says, and a restart appends', () => {
  const odd = 'a\nb\u2028"\\\u0000'
  const first = open()
  first.record(met({ uri: `/${odd}`, userAgent: odd, user: { name: odd, groups: [odd] }, wish: { verb: odd, path: '', resource: odd, name: odd } }))
  first.record(met({ uri: 'x'.repeat(1e6) }))
  first.close()
  const second = open()
  second.record(met())
  second.close()
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(lines().map((l) => (JSON.parse(l) as { user: { username: string } }).user.username)).toEqual([odd, 'jane', 'jane'])
  expect(lines()[1]!.length).toBeLessThan(4000)
})

test('a large file is moved aside, and so many are kept', () => {
  for (let i = 0; i < 5; i++) {
    const trail = open(300)
    trail.record(met({ uri: `/${i}` }))
    trail.close()
  }
  expect(readdirSync(path.dirname(file)).toSorted()).toEqual(['audit.log', 'audit.log.1', 'audit.log.2'])
  expect([file, `${file}.1`, `${file}.2`].map((f) => lines(f).map((l) => (JSON.parse(l) as { requestURI: string }).requestURI))).toEqual([['/4'], ['/3'], ['/2']])
})
