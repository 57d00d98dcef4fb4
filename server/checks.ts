/** What /livez and /readyz look at, and the turns in the hub's life that change it. */
import type { HealthCheck } from './rest/call.ts'
import type { Store } from './store/store.ts'

export interface Checks {
  readonly all: readonly HealthCheck[]
  /** Controllers and scheduler run. */
  started(): void
  /** The hub takes its leave; who can should go elsewhere. */
  stopping(): void
}

export function createChecks(store: Store): Checks {
  let running = false
  let leaving = false
  return {
    all: [
      {
        name: 'store',
        async run(signal) {
          await store.fresh(signal)
          return undefined
        },
      },
      { name: 'controllers', readyOnly: true, run: () => (running ? undefined : 'they are not started yet') },
      { name: 'shutdown', readyOnly: true, run: () => (leaving ? 'the hub is stopping' : undefined) },
    ],
    started: () => void (running = true),
    stopping: () => void (leaving = true),
  }
}
