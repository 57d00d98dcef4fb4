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

/** @param store with `problem` where it is somewhere else and may be out of reach; starting a hub again does not bring it back */
export function createChecks(store: Store & { problem?(): string | undefined }): Checks {
  let running = false
  let leaving = false
  return {
    all: [
      {
        name: 'store',
        readyOnly: store.problem !== undefined,
        async run(signal) {
          await store.fresh(signal)
          return undefined
        },
      },
      ...(store.problem ? [{ name: 'etcd', readyOnly: true, run: () => store.problem?.() }] : []),
      { name: 'controllers', readyOnly: true, run: () => (running ? undefined : 'they are not started yet') },
      { name: 'shutdown', readyOnly: true, run: () => (leaving ? 'the hub is stopping' : undefined) },
    ],
    started: () => void (running = true),
    stopping: () => void (leaving = true),
  }
}
