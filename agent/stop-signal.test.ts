import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const program = `
  import { onStopSignal } from '${resolve(import.meta.dirname, 'stop-signal.ts')}'
  import { execa } from 'execa'
  let calls = 0
  onStopSignal(() => { calls++ })
  const child = execa('sleep', ['60'])
  child.catch(() => {}).finally(() => process.exit(calls))
  for (const signal of ['SIGTERM', 'SIGINT']) process.kill(process.pid, signal)
  process.on('SIGINT', () => setImmediate(() => child.kill()))
`

test('a signal is told once, and does not end a process that runs programs', async () => {
  const args = ['--input-type=module', '-e', program]
  const { promise, resolve: done } = Promise.withResolvers<unknown>()
  execFile(process.execPath, args, { cwd: resolve(import.meta.dirname, '..'), timeout: 20_000 }, (error) => done(error?.code ?? error?.signal ?? 'ended with 0'))
  expect(await promise).toBe(1)
})
