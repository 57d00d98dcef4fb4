import { describe, expect, it } from 'vitest'
import { isWherryError } from '../../api/errors.ts'
import { silentLog } from '../../api/log.ts'
import { createExec, ExecError, type Command } from './exec.ts'

const exec = createExec(silentLog)
const never = new AbortController().signal
/** A process that runs this program text. */
const node = (text: string, more: Partial<Command> = {}): Command => ({ command: process.execPath, args: ['-e', text], ...more })

async function failureOf(promise: Promise<unknown>): Promise<ExecError> {
  const e: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  )
  if (!(e instanceof ExecError)) throw new Error('no ExecError', { cause: e })
  return e
}

/** Whether a process is there; signal 0 asks without sending. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('a run', () => {
  it('gives stdin as text and both outputs back, byte for byte', async () => {
    const echo = node('process.stdin.pipe(process.stdout); console.error("aside")', { input: 'ä\nb\n\n' })
    expect(await exec.run(echo, never)).toEqual({ stdout: 'ä\nb\n\n', stderr: 'aside\n' })
  })

  it('hands arguments on as they are: no shell looks at them', async () => {
    const args = ['-e', 'process.stdout.write(JSON.stringify(process.argv.slice(1)))', '--', '$HOME', '* ; id', '"']
    expect(JSON.parse((await exec.run({ command: process.execPath, args }, never)).stdout)).toEqual(['$HOME', '* ; id', '"'])
  })

  it('has an empty stdin when no input is given', async () => {
    const text = 'process.stdin.resume().on("end", () => console.log("end")).on("error", () => console.log("end"))'
    expect((await exec.run(node(text), never)).stdout).toBe('end\n')
  })

  it('adds variables to the environment', async () => {
    const command = node('console.log(process.env.LC_ALL, typeof process.env.PATH)', { env: { LC_ALL: 'C' } })
    expect((await exec.run(command, never)).stdout).toBe('C string\n')
  })

  it('fails with exit code, arguments and stderr kept', async () => {
    const e = await failureOf(exec.run(node('console.error("no such table"); process.exit(3)'), never))
    expect(e).toMatchObject({
      code: 'EXEC_FAILED',
      reason: 'exit',
      exitCode: 3,
      stderr: 'no such table\n',
      command: process.execPath,
    })
    expect(e.args[0]).toBe('-e')
    expect(e.message).toContain('ended with code 3: no such table')
  })

  it('tells a missing program from one that failed', async () => {
    const e = await failureOf(exec.run({ command: 'wherry-no-such-program', args: [] }, never))
    expect(e).toMatchObject({ code: 'EXEC_FAILED', reason: 'absent', exitCode: undefined })
  })

  it('fails by the signal that ended it', async () => {
    const e = await failureOf(exec.run(node('process.kill(process.pid, "SIGKILL")'), never))
    expect(e).toMatchObject({ code: 'EXEC_FAILED', reason: 'signal', exitCode: undefined })
    expect(e.message).toContain('SIGKILL')
  })

  it('is ended at its deadline, even if it ignores SIGTERM and a child of it keeps stdout open', async () => {
    const text = `
      process.on('SIGTERM', () => {})
      const { spawn } = require('node:child_process')
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
      console.error(child.pid)
      setInterval(() => {}, 1000)`
    const e = await failureOf(exec.run(node(text, { timeoutMs: 400 }), never))
    expect(e).toMatchObject({ code: 'EXEC_TIMEOUT', reason: 'timeout' })
    if (e.stderr !== '') expect(isAlive(Number(e.stderr))).toBe(false)
  })

  it('is ended when it writes more than it may', async () => {
    const text = 'const line = "x".repeat(1000); setInterval(() => process.stdout.write(line), 1)'
    expect(await failureOf(exec.run(node(text, { maxStdout: 5000 }), never))).toMatchObject({
      code: 'EXEC_FAILED',
      reason: 'output',
    })
  })

  it('keeps the beginning of a stderr without bounds', async () => {
    const text = 'process.stderr.write("first" + "x".repeat(300000), () => process.exit(1))'
    const e = await failureOf(exec.run(node(text), never))
    expect(e.stderr).toHaveLength(65_536)
    expect(e.stderr.startsWith('first')).toBe(true)
    expect(e.message.length).toBeLessThan(1200)
  })

  it('is ended by an abort, which rejects with its reason', async () => {
    const stop = new AbortController()
    const reason = new Error('stopping')
    const run = exec.run(node('setInterval(() => {}, 1000)'), stop.signal)
    stop.abort(reason)
    await expect(run).rejects.toBe(reason)
  })

  it('does not start after an abort', async () => {
    const reason = new Error('stopped')
    await expect(exec.run({ command: 'wherry-no-such-program', args: [] }, AbortSignal.abort(reason))).rejects.toBe(reason)
  })
})

describe('a stream', () => {
  it('delivers lines as they come, and resolves at the end', async () => {
    const lines: string[] = []
    await exec.stream(
      node('process.stdout.write("a\\nb"); process.stdout.write("c\\n\\nlast")'),
      (line) => lines.push(line),
      never,
    )
    expect(lines).toEqual(['a', 'bc', '', 'last'])
  })

  it('is ended by its signal: the process is gone when the promise settles', async () => {
    const stop = new AbortController()
    const reason = new Error('enough')
    let pid = 0
    const stream = exec.stream(
      node('console.log(process.pid); setInterval(() => {}, 1000)'),
      (line) => {
        pid = Number(line)
        stop.abort(reason)
      },
      stop.signal,
    )
    await expect(stream).rejects.toBe(reason)
    expect(pid).toBeGreaterThan(0)
    expect(isAlive(pid)).toBe(false)
  })

  it('fails as a run does when the process fails', async () => {
    const e = await failureOf(
      exec.stream(node('console.log("one"); console.error("lost"); process.exitCode = 2'), () => {}, never),
    )
    expect(e).toMatchObject({ code: 'EXEC_FAILED', reason: 'exit', exitCode: 2, stderr: 'lost\n' })
  })

  it('ends the process when the taker of lines throws, and rejects with that error', async () => {
    const broken = new Error('cannot parse')
    let pid = 0
    const stream = exec.stream(
      node('console.log(process.pid); setInterval(() => {}, 1000)'),
      (line) => {
        pid = Number(line)
        throw broken
      },
      never,
    )
    await expect(stream).rejects.toBe(broken)
    expect(isAlive(pid)).toBe(false)
  })

  it('has no deadline unless one is given', async () => {
    const e = await failureOf(exec.stream(node('setInterval(() => {}, 1000)', { timeoutMs: 100 }), () => {}, never))
    expect(isWherryError(e, 'EXEC_TIMEOUT')).toBe(true)
  })
})
