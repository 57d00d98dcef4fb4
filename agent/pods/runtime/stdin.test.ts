import { closeSync, constants, createReadStream, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../../api/log.ts'
import { createExec } from '../../kernel/exec.ts'
import { openStdin } from './stdin.ts'
import { createStdinPipes } from './stdin-pipes.ts'

const never = new AbortController().signal
let dir: string
let path: string
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'wstr-stdin-'))
  path = await createStdinPipes(createExec(silentLog), dir).make('web', never)
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const { O_RDONLY } = constants
const text = async (fd: number): Promise<string> => Buffer.concat(await Array.fromAsync(createReadStream('', { fd }) as AsyncIterable<Buffer>)).toString()

test('there is a writer before there is a reader; it reads all, and the end', async () => {
  const stdin = openStdin(path)
  const reader = openSync(path, O_RDONLY)
  await stdin.write(Buffer.from('one '), never)
  await stdin.write(Buffer.from('two'), never)
  stdin.close()
  expect(await text(reader)).toBe('one two')
  await stdin.write(Buffer.from('late'), never)
})

test('a reader that has closed it takes nothing, and holds up nobody', async () => {
  const stdin = openStdin(path)
  closeSync(openSync(path, O_RDONLY))
  await stdin.write(Buffer.from('one'), never)
  await stdin.write(Buffer.from('two'), never)
  stdin.close()
})

test('what a slow reader has not taken waits; who goes away takes theirs along', async () => {
  const stdin = openStdin(path)
  const reader = openSync(path, O_RDONLY)
  const order: string[] = []
  const say = (name: string, bytes: Uint8Array, gone = never): Promise<void> => stdin.write(bytes, gone).then(() => void order.push(name))
  const leaving = new AbortController()
  await say('fills', Buffer.alloc(65_536, 'a'))
  const [waits, leaves] = [say('waits', Buffer.alloc(100_000, 'b')), say('leaves', Buffer.from('c'), leaving.signal)]
  leaving.abort()
  await leaves
  expect(order).toEqual(['fills', 'leaves'])
  const all = text(reader)
  await waits
  stdin.close()
  expect(await all).toBe('a'.repeat(65_536) + 'b'.repeat(100_000))
})

test('closing lets what is under way be read, and drops what waits behind it', async () => {
  const stdin = openStdin(path)
  const reader = openSync(path, O_RDONLY)
  const words = [stdin.write(Buffer.alloc(100_000, 'a'), never), stdin.write(Buffer.from('b'), never)]
  stdin.close()
  expect(await text(reader)).toBe('a'.repeat(100_000))
  await Promise.all(words)
})
