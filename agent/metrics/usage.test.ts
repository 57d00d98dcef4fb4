import { currentLoad, mem } from 'systeminformation'
import { expect, test } from 'vitest'
import { createCgroupUsage, createMachineUsage, readCgroup } from './usage.ts'

const capacity = { cpuMillis: 2000, memoryBytes: 4_000_000 }

/** A file system in memory, whose files may be changed. */
function files(entries: Record<string, string>): { readonly entries: Record<string, string>; readonly readFile: (path: string) => Promise<string> } {
  return {
    entries,
    readFile: (path) => (path in entries ? Promise.resolve(entries[path]!) : Promise.reject(new Error(`no ${path}`))),
  }
}

const v1 = (nanos: number, memory = 900_000, inactive = 100_000): Record<string, string> => ({
  '/cg/cpuacct/n/cpuacct.usage': `${nanos}\n`,
  '/cg/memory/n/memory.usage_in_bytes': `${memory}\n`,
  '/cg/memory/n/memory.stat': `cache 5\ninactive_file 1\ntotal_inactive_file ${inactive}\n`,
})

const v2 = (micros: number): Record<string, string> => ({
  '/cg/cgroup.controllers': 'cpu memory\n',
  '/cg/n/cpu.stat': `usage_usec ${micros}\nuser_usec 1\n`,
  '/cg/n/memory.current': '500000\n',
  '/cg/n/memory.stat': 'anon 1\ninactive_file 200000\n',
})

test('both generations of cgroups give microseconds, and memory without inactive file pages', async () => {
  expect(await readCgroup({ mount: '/cg', path: '/n', readFile: files(v1(3_000_000)).readFile })).toEqual({ cpuMicros: 3000, memoryBytes: 800_000 })
  expect(await readCgroup({ mount: '/cg', path: '/n', readFile: files(v2(3000)).readFile })).toEqual({ cpuMicros: 3000, memoryBytes: 300_000 })
})

test('half a core over two seconds is 500 millis', async () => {
  const disk = files(v1(10_000_000_000))
  let now = 1_000
  const usage = createCgroupUsage({ mount: '/cg', path: '/n', readFile: disk.readFile, now: () => now, capacity })
  expect(await usage.sample()).toBeUndefined()
  now = 3_000
  Object.assign(disk.entries, v1(11_000_000_000))
  expect(await usage.sample()).toEqual({ cpuMillis: 500, memoryBytes: 800_000, cpuCapacityMillis: 2000, memoryCapacityBytes: 4_000_000 })
})

test('a cgroup that is made anew counts from zero, one that is not there has used nothing', async () => {
  const disk = files(v1(10_000_000_000))
  let now = 0
  const usage = createCgroupUsage({ mount: '/cg', path: '/n', readFile: disk.readFile, now: () => now, capacity })
  await usage.sample()
  now = 1_000
  Object.assign(disk.entries, v1(200_000_000))
  expect((await usage.sample())?.cpuMillis).toBe(200)
  now = 2_000
  for (const name of Object.keys(disk.entries)) delete disk.entries[name]
  expect(await usage.sample()).toMatchObject({ cpuMillis: 0, memoryBytes: 0 })
})

test('the machine: percent of all cores, memory that is not available', async () => {
  const usage = createMachineUsage({
    currentLoad: () => Promise.resolve({ currentLoad: 25 }),
    mem: () => Promise.resolve({ total: 1000, available: 400 }),
    cores: 4,
  })
  expect(await usage.sample()).toEqual({ cpuMillis: 1000, memoryBytes: 600, cpuCapacityMillis: 4000, memoryCapacityBytes: 1000 })
})

test('systeminformation has what the machine source asks for', async () => {
  const usage = await createMachineUsage({ currentLoad, mem, cores: 2 }).sample()
  expect(usage!.memoryBytes).toBeGreaterThan(0)
  expect(usage!.memoryBytes).toBeLessThan(usage!.memoryCapacityBytes)
  expect(usage!.cpuMillis).toBeGreaterThanOrEqual(0)
})
