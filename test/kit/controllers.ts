/** The hub's controllers on a trial, in real time. */
import { systemClock } from '../../api/clock.ts'
import { silentLog } from '../../api/log.ts'
import { createControllers } from '../../server/controllers/controllers.ts'
import type { Trial } from './trial.ts'

/** @returns the way to stop them, to be taken before the trial is closed */
export function startControllers({ store, kinds, registry }: Pick<Trial, 'store' | 'kinds' | 'registry'>): () => Promise<void> {
  const deps = { store, kinds, registry, clock: systemClock, random: Math.random, log: silentLog }
  const stops = createControllers({ ...deps, clusterCIDR: '10.244.0.0/16' }).map((c) => c.start())
  return async () => void (await Promise.all(stops.map((stop) => stop())))
}
