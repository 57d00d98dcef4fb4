/** What Prometheus' clients say of the process that they are in (`process_…`), read from proc(5). */
import { readdirSync, readFileSync } from 'node:fs'
import type { Registry } from './prometheus.ts'

/** USER_HZ and the page size are fixed on the machines that Linux runs on today (sysconf(3)): 100 and, as told by smaps, kB. */
const ticksPerSecond = 100

/** @param proc where procfs is */
export function addProcessMeasures(registry: Registry, proc = '/proc'): void {
  const read = (file: string): string => readFileSync(`${proc}/${file}`, 'utf8')
  /** The fields of /proc/self/stat behind the command, which may hold anything: field 3 is the first. */
  const stat = (field: number): number => {
    const text = read('self/stat')
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[field - 3])
  }
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(read('self/status'))?.[1]) * 1024
  const measure = (name: string, kind: 'counter' | 'gauge', options: { readonly help: string; readonly value: () => number }): void =>
    registry.measured(name, kind, { help: options.help, value: () => orNothing(options.value) })

  measure('process_cpu_seconds_total', 'counter', {
    help: 'Total user and system CPU time spent in seconds.',
    value: () => (stat(14) + stat(15)) / ticksPerSecond,
  })
  measure('process_resident_memory_bytes', 'gauge', { help: 'Resident memory size in bytes.', value: () => kilobytes('VmRSS') })
  measure('process_virtual_memory_bytes', 'gauge', { help: 'Virtual memory size in bytes.', value: () => kilobytes('VmSize') })
  measure('process_open_fds', 'gauge', { help: 'Number of open file descriptors.', value: () => readdirSync(`${proc}/self/fd`).length })
  measure('process_max_fds', 'gauge', {
    help: 'Maximum number of open file descriptors.',
    value: () => Number(/^Max open files\s+(\d+)/m.exec(read('self/limits'))?.[1]),
  })
  measure('process_start_time_seconds', 'gauge', {
    help: 'Start time of the process since unix epoch in seconds.',
    value: () => Number(/^btime (\d+)$/m.exec(read('stat'))?.[1]) + stat(22) / ticksPerSecond,
  })
}

function orNothing(value: () => number): number | undefined {
  try {
    const now = value()
    return Number.isFinite(now) ? now : undefined
  } catch {
    return undefined
  }
}
