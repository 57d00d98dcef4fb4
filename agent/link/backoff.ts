/** How long to wait before the next connection. */

export interface Backoff {
  /** Milliseconds to wait now. `refused`: the hub will hardly change its mind soon. */
  next(why: 'lost' | 'refused'): number
  /** The connection that just ended had stood for so long. */
  stood(ms: number): void
}

/** Milliseconds. */
const bounds = { first: [50, 200], cap: 5_000, stable: 5_000 } as const

/**
 * Exponential, with full jitter, so that the agents of a hub that restarts do not come back in step. The first try is a quick
 * one. A connection counts only if it stood for a while: one that breaks again and again is not tried faster and faster.
 */
export function createBackoff(random: () => number): Backoff {
  let failures = 0
  const between = (low: number, high: number): number => low + random() * (high - low)
  return {
    next(why) {
      failures++
      if (why === 'refused') return between(bounds.cap / 2, bounds.cap)
      const [low, high] = bounds.first
      return between(low, Math.min(bounds.cap, high * 2 ** (failures - 1)))
    },
    stood(ms) {
      if (ms >= bounds.stable) failures = 0
    },
  }
}
