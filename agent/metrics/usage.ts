/**
 * Measured load of a node. Two sources: the whole machine (systeminformation), or one cgroup where several nodes share a
 * machine. Each `sample` averages over the time since the one before.
 */
import { join } from 'node:path'
import type { NodeUsage } from '../../api/frames.ts'

export interface UsageSampler {
  /** Undefined where there is nothing to compare with yet (the first time) or nothing to read. */
  sample(): Promise<NodeUsage | undefined>
}

export interface Capacity {
  readonly cpuMillis: number
  readonly memoryBytes: number
}

export interface CgroupSource {
  /** Where cgroups are mounted, e.g. /sys/fs/cgroup. */
  readonly mount: string
  /** The node's cgroup below it, e.g. /wherry/node-a. */
  readonly path: string
  /** Rejects where there is no such file. */
  readonly readFile: (path: string) => Promise<string>
  /** ms; only differences count. */
  readonly now: () => number
  readonly capacity: Capacity
}

/** What a cgroup has used: CPU since it was made, memory now without what the kernel can take back (inactive file pages). */
export interface CgroupReading {
  readonly cpuMicros: number
  readonly memoryBytes: number
}

/** Reads cgroup v2 where it is mounted, else v1 (cgroups(7); v1: cpuacct.usage is in nanoseconds). */
export async function readCgroup(source: Pick<CgroupSource, 'mount' | 'path' | 'readFile'>): Promise<CgroupReading | undefined> {
  const { mount, path, readFile } = source
  const file = (...parts: string[]): Promise<string> => readFile(join(mount, ...parts))
  const v2 = await file('cgroup.controllers').then(
    () => true,
    () => false,
  )
  try {
    const [cpu, memory, stat] = v2
      ? await Promise.all([file(path, 'cpu.stat'), file(path, 'memory.current'), file(path, 'memory.stat')])
      : await Promise.all([
          file('cpuacct', path, 'cpuacct.usage'),
          file('memory', path, 'memory.usage_in_bytes'),
          file('memory', path, 'memory.stat'),
        ])
    const cpuMicros = v2 ? field(cpu, 'usage_usec') : Number(cpu) / 1000
    const inactive = field(stat, v2 ? 'inactive_file' : 'total_inactive_file')
    return { cpuMicros, memoryBytes: Math.max(0, Number(memory) - inactive) }
  } catch {
    // The cgroup is made with the node's first pod.
    return undefined
  }
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

export function createCgroupUsage(source: CgroupSource): UsageSampler {
  let before: { readonly at: number; readonly cpuMicros: number } | undefined
  return {
    async sample() {
      // A cgroup that is not there has used nothing.
      const reading = (await readCgroup(source)) ?? { cpuMicros: 0, memoryBytes: 0 }
      const at = source.now()
      const last = before
      before = { at, cpuMicros: reading.cpuMicros }
      if (!last || at <= last.at) return undefined
      // It counts from zero again when it was removed and made anew.
      const used = reading.cpuMicros >= last.cpuMicros ? reading.cpuMicros - last.cpuMicros : reading.cpuMicros
      return usageOf(used / (at - last.at), reading.memoryBytes, source.capacity)
    },
  }
}

export interface MachineSource {
  /** `systeminformation.currentLoad`: percent of all cores, averaged since its last call. */
  readonly currentLoad: () => Promise<{ readonly currentLoad: number }>
  /** `systeminformation.mem`: bytes. */
  readonly mem: () => Promise<{ readonly total: number; readonly available: number }>
  readonly cores: number
}

export function createMachineUsage(source: MachineSource): UsageSampler {
  return {
    async sample() {
      const [{ currentLoad }, { total, available }] = await Promise.all([source.currentLoad(), source.mem()])
      const cpuMillis = source.cores * 1000
      return usageOf((currentLoad / 100) * cpuMillis, total - available, { cpuMillis, memoryBytes: total })
    },
  }
}

function usageOf(cpuMillis: number, memoryBytes: number, capacity: Capacity): NodeUsage {
  return {
    cpuMillis: Math.round(cpuMillis),
    memoryBytes: Math.round(memoryBytes),
    cpuCapacityMillis: capacity.cpuMillis,
    memoryCapacityBytes: capacity.memoryBytes,
  }
}
