/**
 * Gives memory back in quiet times. What a wave of agents or of writes left behind would stay for hours, as nothing that comes later
 * makes V8 look for it.
 */
import { performance } from 'node:perf_hooks'
import type { Clock } from '../api/clock.ts'
import type { Memory } from '../api/memory.ts'

export interface TidyDeps {
  readonly clock: Clock
  readonly memory: Memory
  /** Bytes. */
  readonly rss: () => number
  /** Of the time since it was last asked, the share in which there was work. */
  readonly load: () => number
}

const everyMs = 30_000
/** Giving back holds everything up for a tenth of a second: only where hardly anybody waits, and there is something to gain. */
const quiet = { load: 0.1, growth: 1.1 } as const
/** OpenSSL and Node have two buffers of a little more for each connection, and hardly ever write to more than the beginning. */
const mapFromBytes = 16 * 1024

/** @returns ends it */
export function tidyWhenQuiet({ clock, memory, rss, load }: TidyDeps): () => void {
  let settled = 0
  const look = (): void => {
    cancel = clock.after(everyMs, look)
    if (load() < quiet.load && rss() > quiet.growth * settled) {
      memory.giveBack()
      settled = rss()
    } else {
      memory.trim()
    }
  }
  memory.mapFrom(mapFromBytes)
  let cancel = clock.after(everyMs, look)
  return () => cancel()
}

/** `load` of this process's event loop. */
export function createLoad(): () => number {
  let before = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    return utilization
  }
}
