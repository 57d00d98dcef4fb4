import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../api/clock.ts'
import { waitFor } from '../../test/kit/wait.ts'
import { createExec } from '../exec.ts'
import { createProcesses, endProcess, parseStat } from './process.ts'
import { createRecords, holdLab } from './records.ts'

const processes = createProcesses()
const exec = createExec('/usr/bin:/bin')
const signal = new AbortController().signal
let dir: string
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'wherry-process-'))))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('who a process is', () => {
  test('the line of /proc/PID/stat, with blanks and brackets in the command', () => {
    const rest = Array.from({ length: 30 }, (_, i) => `${i + 4}`).join(' ')
    expect(parseStat(`4711 (a) b (c) S ${rest}\n`)).toEqual({ pid: 4711, command: 'a) b (c', state: 'S', threads: 20, startTicks: 22 })
  })

  test('the same id with another start is another process', () => {
    const me = processes.identify(process.pid)!
    expect(processes.isAlive(me)).toBe(true)
    expect(processes.isAlive({ ...me, startTicks: me.startTicks - 1 })).toBe(false)
    expect(processes.isAlive({ ...me, boot: 'an earlier one' })).toBe(false)
  })

  test('a zombie does not live, unless one of its threads still does', () => {
    expect(createProcesses(dir).identify(1)).toBeUndefined()
    expect(createProcesses(procWith('Z')).identify(7)).toBeUndefined()
    expect(createProcesses(procWith('S')).identify(7)).toEqual({ pid: 7, startTicks: 1, boot: 'b' })
    expect(createProcesses(procWith('Z', 2)).identify(7)).toEqual({ pid: 7, startTicks: 1, boot: 'b' })
  })

  test('never signals a process that only has the same id', async () => {
    const child = await exec.detach(['sleep', '30'], { log: join(dir, 'log') })
    const identity = processes.identify(child.pid)!
    processes.signal({ ...identity, startTicks: identity.startTicks + 1 }, 'SIGKILL')
    expect(processes.isAlive(identity)).toBe(true)
    processes.signal(identity, 'SIGKILL')
    expect(await child.ended).toBe('SIGKILL')
  })

  function procWith(state: string, threads = 1): string {
    const proc = mkdtempSync(join(dir, 'proc-'))
    for (const path of ['sys/kernel/random', '7']) mkdirSync(join(proc, path), { recursive: true })
    writeFileSync(join(proc, 'sys/kernel/random/boot_id'), 'b\n')
    writeFileSync(join(proc, '7/stat'), `7 (x) ${state} ${Array.from({ length: 30 }, (_, i) => (i + 4 === 20 ? threads : 1)).join(' ')}`)
    return proc
  }
})

describe('ending a process', () => {
  const options = { processes, clock: systemClock, signal }

  test('asks politely', async () => {
    const child = await exec.detach(['sleep', '30'], { log: join(dir, 'log') })
    expect(await endProcess(processes.identify(child.pid)!, { ...options, graceMs: 5_000 })).toBe('term')
    expect(await child.ended).toBe('SIGTERM')
  })

  test('kills what does not listen, and its whole group', async () => {
    const log = join(dir, 'log')
    const child = await exec.detach(['sh', '-c', 'trap "" TERM; sleep 30 & echo $!; wait; wait'], { log })
    const grandchild = await eventually(() => Number(readFileSync(log, 'utf8')))
    expect(await endProcess(processes.identify(child.pid)!, { ...options, graceMs: 100 })).toBe('kill')
    expect(await child.ended).toBe('SIGKILL')
    await eventually(() => processes.identify(grandchild) === undefined)
  })

  test('what is gone already is no error', async () => {
    expect(await endProcess({ pid: process.pid, startTicks: 1, boot: 'x' }, { ...options, graceMs: 10 })).toBe('gone')
  })
})

describe('records', () => {
  test('are written whole, read again, listed and dropped', () => {
    const records = createRecords(join(dir, 'r'))
    expect(records.all()).toEqual([])
    const record = { name: 'hub', pid: 1, startTicks: 2, boot: 'b', argv: ['x'] }
    records.write(record)
    writeFileSync(join(dir, 'r/torn.json'), '{"name":')
    expect([records.read('hub'), records.read('torn'), records.all()]).toEqual([record, undefined, [record]])
    records.drop('hub')
    expect(records.read('hub')).toBeUndefined()
  })

  test('one holder at a time; a dead one holds nothing', () => {
    const letGo = holdLab(dir, processes)
    expect(() => holdLab(dir, processes)).toThrow(`another wherry (process ${process.pid})`)
    letGo()
    writeFileSync(join(dir, 'holder.json'), JSON.stringify({ pid: process.pid, startTicks: 1, boot: 'x' }))
    holdLab(dir, processes)()
  })
})

async function eventually<T>(look: () => T): Promise<T> {
  let found = look()
  await waitFor('it', () => Boolean((found = look())))
  return found
}
