/** How long to wait before the Kubernetes API is asked again. */

export interface Pace {
  /** Milliseconds to wait after one more failure. @param atLeastMs what the server asked for (Retry-After) */
  next(atLeastMs?: number): number
  /** Something came that moved us on. */
  reset(): void
}

/** Milliseconds. Many nodes ask one server, so the cap is that of Kubernetes' own clients. */
const bounds = { first: 400, cap: 30_000, mostAsked: 120_000 } as const

/** Doubles from failure to failure, with half of it left to chance, so that nodes do not come back in step. */
export function createPace(random: () => number): Pace {
  let failures = 0
  return {
    next(atLeastMs = 0) {
      const whole = Math.min(bounds.cap, bounds.first * 2 ** failures)
      failures++
      return Math.max(whole * (0.5 + random() / 2), Math.min(atLeastMs, bounds.mostAsked))
    },
    reset: () => void (failures = 0),
  }
}
