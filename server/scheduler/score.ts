/**
 * How good a node is for a pod: by what is measured on it, not by what was promised. A node that was just given a pod does
 * not show it in its figures yet, so what it was given lately is added; replicas of one owner are kept apart. Pure.
 */
import type { NodeUsage } from '../../api/frames.ts'
import type { Requests } from './requests.ts'

export interface Load {
  /** Measured; undefined where the node has not reported lately: then what is promised stands for it. */
  readonly usage: NodeUsage | undefined
  readonly promised: Requests
  readonly capacity: Requests
  /** Requests of pods bound since the last measurement, with a floor for those that ask for nothing. */
  readonly recent: Requests
  /** Pods of the same owner that are on the node already. */
  readonly siblings: number
}

export interface Score {
  /** 0 to 100, less 10 for each sibling. */
  readonly total: number
  /** Shares of capacity in use, 0 to 1, as used for the score. */
  readonly cpu: number
  readonly memory: number
  readonly measured: boolean
  readonly siblings: number
}

const siblingCost = 10

export function score({ usage, promised, capacity, recent, siblings }: Load): Score {
  const base = usage
    ? { cpu: usage.cpuMillis, memory: usage.memoryBytes, ofCpu: usage.cpuCapacityMillis, ofMemory: usage.memoryCapacityBytes }
    : { cpu: promised.cpuMillis, memory: promised.memoryBytes, ofCpu: capacity.cpuMillis, ofMemory: capacity.memoryBytes }
  const cpu = share(base.cpu + (usage ? recent.cpuMillis : 0), base.ofCpu)
  const memory = share(base.memory + (usage ? recent.memoryBytes : 0), base.ofMemory)
  return { total: 50 * (1 - cpu) + 50 * (1 - memory) - siblingCost * siblings, cpu, memory, measured: usage !== undefined, siblings }
}

const share = (part: number, whole: number): number => (whole > 0 ? Math.min(1, part / whole) : 1)

/** `cpu 12%, memory 34% in use, 1 pod of the same owner` */
export function describe(s: Score): string {
  const percent = (x: number): string => `${Math.round(x * 100)}%`
  const siblings = s.siblings > 0 ? `, ${s.siblings} pod${s.siblings > 1 ? 's' : ''} of the same owner` : ''
  return `cpu ${percent(s.cpu)}, memory ${percent(s.memory)} ${s.measured ? 'measured' : 'requested'}${siblings}`
}
