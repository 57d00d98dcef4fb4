/** Test machines, seen from the host: what they tell of a job, what they leave behind, and that a fault inside is seen outside. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createExec, ExecError } from '../../agent/kernel/exec.ts'
import { silentLog } from '../../api/log.ts'
import { createFrameReader, frame } from './frames.ts'
import { loadOrder } from './initramfs.ts'
import { checkout, findKernel, searchPath, type Host } from './kernel.ts'
import { startMachine, type Job, type Machine } from './machine.ts'

const found = findKernel()
const exec = createExec(silentLog)

test('frames come whole, however they were cut', () => {
  const values = [{ a: 1n, map: new Map([[1, new Date(0)]]) }, 'x'.repeat(1000), undefined, []]
  const bytes = Buffer.concat(values.map(frame))
  for (const size of [1, 3, 7, 1024, bytes.length]) {
    const read: unknown[] = []
    const reader = createFrameReader((value) => read.push(value))
    for (let at = 0; at < bytes.length; at += size) reader(bytes.subarray(at, at + size))
    expect(read, `cut every ${size} bytes`).toEqual(values)
  }
})

test('modules are loaded after what they need', () => {
  const table = 'net/9pv.ko: net/9p.ko net/virtio.ko net/ring.ko\nfs/9p.ko: net/9p.ko fs/cache.ko\nnet/9p.ko:\nnet/virtio.ko: net/ring.ko\n'
  expect(loadOrder(table, ['9pv', '9p'])).toEqual(['net/ring.ko', 'net/virtio.ko', 'net/9p.ko', 'net/9pv.ko', 'fs/cache.ko', 'fs/9p.ko'])
  expect(() => loadOrder(table, ['absent'])).toThrow('absent.ko')
})

describe('a host', () => {
  const host: Host = { platform: 'linux', arch: 'x64', path: searchPath(), cache: '/nowhere' }

  test.each([
    ['of another system', { platform: 'darwin' }, /Linux host.*darwin/],
    ['of another architecture', { arch: 'arm64' }, /x86-64.*arm64/],
    ['without QEMU', { path: '/nowhere' }, /no qemu-system-x86_64 here.*bin\/setup --test/],
  ] as const)('%s is told apart', (_, change, reason) => {
    expect(findKernel({ ...host, ...change })).toEqual({ kind: 'absent', reason: expect.stringMatching(reason) as string })
  })

  test.skipIf(found.kind === 'absent')(`without a kernel is told apart${found.kind === 'absent' ? ` (skipped: ${found.reason})` : ''}`, () => {
    expect(findKernel(host)).toEqual({ kind: 'absent', reason: expect.stringContaining('no kernel') as string })
  })

  test('without a machine skips the tests, with their names and the reason', async () => {
    const { exitCode, tests } = await runPlanted({ PLANTED_ABSENCE: 'for a trial' })
    expect(exitCode).toBe(0)
    expect(tests).toEqual({
      'skipped: for a trial > passes inside': 'skipped',
      'skipped: for a trial > fails inside': 'skipped',
      'skipped: for a trial > takes the kernel with it': 'skipped',
    })
  }, 120_000)
})

describe.skipIf(found.kind === 'absent')(`a machine${found.kind === 'absent' ? ` (skipped: ${found.reason})` : ''}`, () => {
  test('runs a job on the files of the host, and leaves them as they are', async () => {
    const mark = `test/vm/${process.pid}.mark`
    const { lines, end, machine, version } = await run({
      command: 'sh',
      args: ['-c', `echo "$WORDS"; pwd; cp /proc/version /job; echo >${mark}; ls ${mark}; node_modules/.bin/node -p 1+1 >&2; exit 7`],
      env: { WORDS: `it's "two" words` },
    })
    expect(lines).toEqual([`it's "two" words`, checkout, mark, '2'])
    expect(end).toMatchObject({ kind: 'exit', code: 7 })
    expect(version).toContain('Debian')
    expect(existsSync(join(checkout, mark))).toBe(false)
    expect(existsSync(machine.directory)).toBe(false)
  }, 120_000)

  test('that is not done by its deadline is ended, and leaves nothing', async () => {
    const { end, machine } = await run({ command: 'true', args: [] }, 1_000)
    expect(end).toEqual({ kind: 'death', reason: expect.stringContaining('deadline of 1000 ms') as string })
    expect(existsSync(machine.directory)).toBe(false)
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && commandLine(name).includes(machine.directory))
    expect(processes).toEqual([])
  }, 120_000)

  test('shows a failing test as failed, and a dying kernel as an error', async () => {
    const { exitCode, tests, said } = await runPlanted({})
    expect(exitCode).toBe(1)
    expect(tests).toEqual({ 'passes inside': 'passed', 'fails inside': 'failed', 'takes the kernel with it': 'pending' })
    expect(said).toContain('The test machine is gone')
    expect(said).toContain('Kernel panic - not syncing: sysrq triggered crash')
  }, 180_000)
})

async function run(job: Job, deadlineMs = 110_000) {
  if (found.kind === 'absent') throw new Error(found.reason)
  const lines: string[] = []
  const machine: Machine = await startMachine({ kernel: found.kernel, job, onLine: (line) => lines.push(line), deadlineMs })
  try {
    const end = await machine.ended
    const file = join(machine.directory, 'version')
    return { lines, end, machine, version: existsSync(file) ? readFileSync(file, 'utf8') : '' }
  } finally {
    await machine.stop()
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly ancestorTitles: readonly string[]; readonly title: string; readonly status: string }[]
  }[]
}

/** A run of the files beside this one that are made to fail: the state of each test by its name, and all that was said. */
async function runPlanted(env: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(join(tmpdir(), 'wherry-planted-'))
  try {
    const file = join(directory, 'report.json')
    const config = join(import.meta.dirname, 'planted/vitest.config.ts')
    const vitest = join(checkout, 'node_modules/vitest/vitest.mjs')
    const args = [vitest, 'run', '--config', config, '--reporter', 'default', '--reporter', 'json', '--outputFile.json', file]
    const command = { command: process.execPath, args, env, cwd: checkout, timeoutMs: 170_000 }
    const output = await exec.run(command, AbortSignal.timeout(175_000)).then(
      (ended) => ({ exitCode: 0, ...ended }),
      (error: unknown) => {
        if (error instanceof ExecError && error.reason === 'exit') return error
        throw error
      },
    )
    const report = JSON.parse(readFileSync(file, 'utf8')) as Report
    const results = report.testResults.flatMap(({ assertionResults }) => assertionResults)
    const tests = Object.fromEntries(results.map((test) => [[...test.ancestorTitles, test.title].join(' > '), test.status]))
    return { exitCode: output.exitCode, tests, said: output.stdout + output.stderr }
  } finally {
    rmSync(directory, { recursive: true })
  }
}
