import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfig } from './config.ts'
import { CliError, describeError, exitCodeOf } from './error.ts'
import { createExec } from './exec.ts'

const exec = createExec('/usr/bin:/bin')
const signal = new AbortController().signal
const quick = { signal, timeoutMs: 10_000 }

describe('running a program to its end', () => {
  test('gives its output; the environment is the one that was chosen', async () => {
    const { stdout } = await exec.run(['env'], quick)
    expect(stdout.trim().split('\n').toSorted()).toEqual(['LANG=C.UTF-8', 'PATH=/usr/bin:/bin'])
  })

  test('standard input is what was given, or empty', async () => {
    expect((await exec.run(['cat'], { ...quick, input: 'a line' })).stdout).toBe('a line')
    expect((await exec.run(['cat'], quick)).stdout).toBe('')
  })

  test('a failing program is an error with its own words, and an answer for tryRun', async () => {
    await expect(exec.run(['ls', '/nowhere-at-all'], quick)).rejects.toMatchObject({
      code: 'EXEC_FAILED',
      message: expect.stringContaining('/nowhere-at-all') as string,
    })
    expect((await exec.tryRun(['false'], quick)).exitCode).toBe(1)
  })

  test('a program that takes too long is ended', async () => {
    await expect(exec.run(['sleep', '30'], { signal, timeoutMs: 50 })).rejects.toMatchObject({ code: 'EXEC_TIMEOUT' })
  })

  test('aborting ends it with the reason of the signal', async () => {
    const stop = new AbortController()
    const running = exec.run(['sleep', '30'], { signal: stop.signal, timeoutMs: 20_000 })
    stop.abort(new TypeError('enough'))
    await expect(running).rejects.toThrow('enough')
  })

  test('a program that is not there is named, with the way out', async () => {
    const error = await exec.run(['no-such-program'], quick).catch((e: unknown) => e as CliError)
    expect(error).toMatchObject({ code: 'SETUP', advice: expect.stringContaining('bin/setup') as string })
    expect((error as CliError).message).toContain('no-such-program')
  })

  test('lending resolves with the exit code, 128 and more for a signal', async () => {
    expect(await exec.lend(['sh', '-c', 'exit 7'])).toBe(7)
    expect(await exec.lend(['sh', '-c', 'kill -KILL $$'])).toBe(137)
  })

  test("while it is lent, Ctrl-C is the program's", async () => {
    const before = process.listenerCount('SIGINT')
    expect(await exec.lend(['sh', '-c', `trap "exit 5" INT; kill -INT ${process.pid}; kill -INT $$`])).toBe(5)
    expect(process.listenerCount('SIGINT')).toBe(before)
  })
})

describe('a process that outlives us', () => {
  let dir: string
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'wherry-exec-'))))
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  test('leads a group of its own, writes to its log, and its end is told', async () => {
    const log = join(dir, 'log')
    const child = await exec.detach(['sh', '-c', 'cut -d" " -f1,5 /proc/$$/stat; exit 3'], { log })
    expect(await child.ended).toBe('exit code 3')
    expect(readFileSync(log, 'utf8')).toBe(`${child.pid} ${child.pid}\n`)
    const again = await exec.detach(['echo', 'more'], { log })
    await again.ended
    expect(readFileSync(log, 'utf8')).toContain('more')
  })

  test('a program that is not there is an error at once', async () => {
    await expect(exec.detach(['no-such-program'], { log: join(dir, 'log') })).rejects.toMatchObject({ code: 'SETUP' })
  })
})

describe('what a person is told', () => {
  test('two lines, and the exit code of the kind of error', () => {
    const error = new CliError('SETUP', 'first\n second', 'do that')
    expect(describeError(error)).toBe('wherry: first; second\n        do that\n')
    expect(
      [error, new CliError('USAGE', 'a', 'b'), new CliError('EXEC_FAILED', 'a', 'b'), new TypeError('x')].map(exitCodeOf),
    ).toEqual([3, 2, 1, 1])
    expect(describeError(new TypeError('oh'))).toContain('fault of wherry')
  })

  test("the administrator's directories are searched even where PATH lacks them", () => {
    const config = readConfig({ isTTY: true }, { PATH: '/opt/x:/usr/bin' })
    expect(config.path).toBe('/opt/x:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin')
    expect([config.colour, readConfig({ isTTY: true }, { NO_COLOR: '1' }).colour, readConfig({}, {}).colour]).toEqual([
      true,
      false,
      false,
    ])
  })
})
