/** A log from the bytes that a container writes to the bytes that a person reads. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLogFilter, type LogWish } from './log-filter.ts'
import { openLog } from './log-reader.ts'
import { logTime, maxRecordBytes, olderLog, parseRecord } from './runtime/log-format.ts'
import { createLogWriter } from './runtime/log-writer.ts'

let dir: string
let path: string
let now: number
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wp-logs-'))
  path = join(dir, 'pod', '0.log')
  now = Date.parse('2026-01-01T00:00:00Z')
})
afterEach(() => rmSync(dir, { recursive: true }))

const writer = (maxBytes?: number) => createLogWriter(path, () => now, maxBytes)
const bytes = (text: string): Uint8Array => Buffer.from(text)
/** All of the log, filtered. */
function read(wish: Partial<LogWish> = {}): string {
  const log = openLog(path)
  const text = Buffer.from(createLogFilter({ timestamps: false, ...wish }).begin(log.read())).toString()
  log.close()
  return text
}

describe('a written log', () => {
  test('has a record for each line, with time and stream, and what came without a newline at the end', () => {
    const log = writer()
    log.write('stdout', bytes('one\ntw'))
    now += 1_500
    log.write('stderr', bytes('err\n'))
    log.write('stdout', bytes('o\nrest'))
    log.end('stdout')
    log.end('stderr')
    log.close()
    expect(readFileSync(path, 'utf8').split('\n')).toEqual([
      '2026-01-01T00:00:00.000000000Z stdout F one',
      '2026-01-01T00:00:01.500000000Z stderr F err',
      '2026-01-01T00:00:01.500000000Z stdout F two',
      '2026-01-01T00:00:01.500000000Z stdout F rest',
      '',
    ])
  })

  test('is bounded: the older half is moved aside, what is older still is gone', () => {
    const log = writer(1_000)
    for (let i = 0; i < 100; i++) log.write('stdout', bytes(`line ${i}\n`))
    log.close()
    expect(statSync(path).size).toBeLessThanOrEqual(1_000)
    expect(statSync(olderLog(path)).size).toBeLessThanOrEqual(1_000)
    const lines = read().trimEnd().split('\n')
    expect(lines.at(-1)).toBe('line 99')
    expect(lines).toEqual(Array.from({ length: lines.length }, (_, i) => `line ${100 - lines.length + i}`))
  })

  test('goes on where an earlier logger stopped', () => {
    for (const text of ['one\n', 'two\n']) {
      const log = writer()
      log.write('stdout', bytes(text))
      log.close()
    }
    expect(read()).toBe('one\ntwo\n')
  })

  test('any bytes in any pieces come back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40_000, size: 'max' }), { maxLength: 4 }), (pieces) => {
        rmSync(join(dir, 'pod'), { recursive: true, force: true })
        const log = writer()
        for (const piece of pieces) log.write('stdout', piece)
        log.end('stdout')
        log.close()
        const whole = Buffer.concat(pieces)
        const ended = whole.length === 0 || whole.at(-1) === 10 ? whole : Buffer.concat([whole, Buffer.from('\n')])
        const reader = openLog(path)
        const text = createLogFilter({ timestamps: false }).begin(reader.read())
        reader.close()
        expect(Buffer.compare(Buffer.from(text), ended)).toBe(0)
      }),
      { numRuns: 30 },
    )
  })
})

describe('what is shown of it', () => {
  const at = (i: number): number => Date.parse('2026-01-01T00:00:00Z') + i * 1_000
  beforeEach(() => {
    const log = writer()
    for (const [i, line] of ['zero', 'one', 'x'.repeat(maxRecordBytes + 10), 'three'].entries()) {
      now = at(i)
      log.write('stdout', bytes(`${line}\n`))
    }
    log.close()
  })

  test.each([
    [{ tailLines: 1 }, 'three\n'],
    [{ tailLines: 0 }, ''],
    [{ tailLines: 9, limitBytes: 7 }, 'zero\non'],
    [{ sinceTime: '2026-01-01T00:00:03Z' }, 'three\n'],
    [{ sinceTime: '2026-01-01T00:00:02.001Z' }, 'three\n'],
    [{ sinceTime: '2026-01-01T01:00:03+01:00', timestamps: true }, '2026-01-01T00:00:03.000000000Z three\n'],
  ])('%j', (wish, text) => expect(read(wish)).toBe(text))

  test('a line of several records counts as one and has one time', () => {
    expect(read({ tailLines: 2, timestamps: true })).toBe(
      `${logTime(at(2))} ${'x'.repeat(maxRecordBytes + 10)}\n${logTime(at(3))} three\n`,
    )
  })
})

test('a reader that follows sees each byte once, over rotations', () => {
  const log = writer(300)
  const reader = openLog(path)
  const filter = createLogFilter({ timestamps: false })
  let seen = Buffer.from(filter.begin(reader.read())).toString()
  let wished = ''
  for (let i = 0; i < 40; i++) {
    log.write('stdout', bytes(`line ${i}\n`))
    wished += `line ${i}\n`
    seen += Buffer.from(filter.more(reader.read())).toString()
  }
  log.close()
  reader.close()
  expect(seen).toBe(wished)
})

test('a log that is not there yet is empty, and is read once it is', () => {
  const reader = openLog(path)
  expect(reader.read()).toHaveLength(0)
  const log = writer()
  log.write('stdout', bytes('late\n'))
  log.close()
  expect(Buffer.from(createLogFilter({ timestamps: false }).more(reader.read())).toString()).toBe('late\n')
  reader.close()
})

test.each([
  ['2026-01-01T00:00:00.000000000Z stdout F text of it', { stream: 'stdout', whole: true, text: 'text of it' }],
  ['2026-01-01T00:00:00.000000000Z stderr P ', { stream: 'stderr', whole: false, text: '' }],
  ['something else', undefined],
])('the record %j', (line, record) => {
  if (record) expect(parseRecord(line)).toMatchObject(record)
  else expect(parseRecord(line)).toBeUndefined()
})
