/** What a node can read off its machine for `Node.status.nodeInfo` and for its pressure conditions. */
import { readFileSync, statfsSync } from 'node:fs'
import { arch, availableParallelism, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Pressures } from './node-status.ts'

export interface NodeFacts {
  readonly cores: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly kernelVersion: string
  readonly osImage: string
  /** As Go names it. */
  readonly architecture: string
  readonly machineID: string
  readonly bootID: string
  readonly systemUUID: string
}

/** amd64 for Node's x64; the other names that matter are the same. */
export const goArchitecture = (name: string = arch()): string => (name === 'x64' ? 'amd64' : name)

/** @param disk a path on the file system that holds images and pods; @param root where /etc, /proc and /sys are */
export function readNodeFacts(disk: string, root = '/'): NodeFacts {
  const text = (path: string): string => readOrEmpty(join(root, path)).trim()
  const machineID = text('etc/machine-id')
  return {
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    diskBytes: diskOf(disk).total,
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text('etc/os-release'))?.[1] ?? 'Linux',
    architecture: goArchitecture(),
    machineID,
    bootID: text('proc/sys/kernel/random/boot_id'),
    systemUUID: text('sys/class/dmi/id/product_uuid') || machineID,
  }
}

/** Below this much available memory a node is under pressure (the kubelet's default, too). */
const memoryFloor = 100 * 1024 * 1024
const diskFloor = 0.1
const pidFloor = 0.1

export function readPressures(disk: string, root = '/'): Pressures {
  const text = (path: string): string => readOrEmpty(join(root, path))
  const available = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(text('proc/meminfo'))?.[1] ?? Infinity) * 1024
  const { free, total } = diskOf(disk)
  const tasks = Number(/^\S+ \S+ \S+ \d+\/(\d+)/.exec(text('proc/loadavg'))?.[1] ?? 0)
  const most = Number(text('proc/sys/kernel/pid_max') || Infinity)
  return { memory: available < memoryFloor, disk: free < total * diskFloor, pids: tasks > most * (1 - pidFloor) }
}

function diskOf(path: string): { readonly free: number; readonly total: number } {
  try {
    const { bavail, blocks, bsize } = statfsSync(path)
    return { free: bavail * bsize, total: blocks * bsize }
  } catch {
    return { free: 0, total: 0 }
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
