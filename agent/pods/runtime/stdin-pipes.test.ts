import { closeSync, constants, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../../api/log.ts'
import { createExec } from '../../kernel/exec.ts'
import { createStdinPipes, type StdinPipes } from './stdin-pipes.ts'

const never = new AbortController().signal
const exec = createExec(silentLog)
let dir: string
let pipes: StdinPipes
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'wstr-stdin-'))
  pipes = createStdinPipes(exec, join(dir, "it's"))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('a pipe is fresh each time, for its owner alone, and goes', async () => {
  const path = await pipes.make('web', never)
  const first = statSync(path)
  expect([first.isFIFO(), first.mode & 0o777]).toEqual([true, 0o600])
  writeFileSync(join(path, '..', 'left'), '')
  expect(await pipes.make('web', never)).toBe(path)
  expect(readdirSync(join(path, '..'))).toEqual(['pipe'])
  pipes.drop('web')
  pipes.drop('web')
  expect(existsSync(path)).toBe(false)
})

test('what belongs to no container any more is dropped', async () => {
  pipes.keepOnly([])
  for (const id of ['a', 'b', 'c']) await pipes.make(id, never)
  pipes.keepOnly(['b'])
  expect(readdirSync(join(dir, "it's"))).toEqual(['b'])
})

describe('in place of runc', () => {
  /** A runc that tells how it was called, and the line that it reads. */
  async function launch(args: readonly string[]): Promise<string> {
    const path = await pipes.make('web', never)
    const launcher = pipes.launcher('web')
    mkdirSync(join(dir, 'bin'))
    writeFileSync(join(dir, 'bin', 'runc'), '#!/bin/sh\nprintf "%s\\n" "$@"\nread line\necho "$line"\n', { mode: 0o755 })
    const pipe = openSync(path, constants.O_RDWR)
    writeSync(pipe, 'from the pipe\n')
    try {
      return (await exec.run({ command: launcher, args, env: { PATH: `${join(dir, 'bin')}:${process.env.PATH}` } }, never)).stdout
    } finally {
      closeSync(pipe)
    }
  }

  test('a container is created with the pipe as its stdin, and the arguments stay', async () => {
    const args = ['--root', '/r u n', 'create', '--bundle', '/b', 'create']
    expect(await launch(args)).toBe(`${[...args, 'from the pipe'].join('\n')}\n`)
  })

  test('whatever else runc is asked for has its own', async () => {
    const args = ['--root', '/r', 'kill', 'create', '9']
    expect(await launch(args)).toBe(`${[...args, ''].join('\n')}\n`)
  })
})
