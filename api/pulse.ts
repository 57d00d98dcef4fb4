/** Pings a connection and notices when it has fallen silent. */
import type { Clock } from './clock.ts'

export interface Pulse {
  /** Something came from the other side. */
  heard(): void
  stop(): void
}

export interface PulseDeps {
  readonly clock: Clock
  readonly everyMs: number
  /** Called at each beat. */
  readonly beat: () => void
  /** Called once, when nothing was heard during two whole beats. */
  readonly silent: () => void
}

/** Beats are counted, not the time: a clock that is set, or a machine that slept, ends no connection. */
export function startPulse({ clock, everyMs, beat, silent }: PulseDeps): Pulse {
  let unheard = 0
  let cancel = (): void => {}
  const next = (): void => {
    cancel = clock.after(everyMs, () => {
      if (unheard >= 2) return silent()
      unheard++
      next()
      beat()
    })
  }
  next()
  return { heard: () => void (unheard = 0), stop: () => cancel() }
}
