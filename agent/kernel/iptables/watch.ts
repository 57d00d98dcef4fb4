/** Tells our own changes of iptables from other people's: what is seen is compared with what our own transactions have left. */
import type { Clock } from '../../../api/clock.ts'
import { errorKeys, type Log } from '../../../api/log.ts'
import { strays, type Listing } from '../../../rules/iptables/index.ts'
import type { ForeignChange } from '../kernel.ts'
import { rested } from '../pace.ts'

export interface IptablesWatchDeps {
  readonly clock: Clock
  readonly log: Log
  /** Whether other people may have changed any rule since the last look; costs next to nothing. */
  readonly mayHaveChanged: () => boolean
  /** Reads the kernel while no change of our own goes on, and what those have left; that is undefined while it is not known. */
  readonly look: (signal: AbortSignal) => Promise<{ readonly left: Listing | undefined; readonly seen: Listing }>
}

/** How often it is looked, and at most which share of the time is spent on it: a listing of 30,000 rules takes 100 ms. */
const looks = { everyMs: 500, share: 0.05 } as const

/** Resolves when the signal aborts. */
export async function watchIptables(deps: IptablesWatchDeps, tell: (change: ForeignChange) => void, signal: AbortSignal): Promise<void> {
  const { clock, log, mayHaveChanged, look } = deps
  let pause: number = looks.everyMs
  while (await rested(clock, pause, signal)) {
    const began = clock.now()
    try {
      if (!mayHaveChanged()) continue
      const { left, seen } = await look(signal)
      const found = left ? [...strays(left, seen)] : []
      if (found.length > 0) tell({ what: found.length === 1 ? found[0]! : `${found[0]} and ${found.length - 1} more` })
    } catch (error) {
      if (signal.aborted) return
      log.warn('The kernel could not be looked at for changes by others.', errorKeys(error))
    } finally {
      pause = Math.max(looks.everyMs, (clock.now() - began) / looks.share)
    }
  }
}
