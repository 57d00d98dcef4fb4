/** The hub's HTTP face for tests: the real one, over a real store and registry, on a port of its own. */
import { randomUUID } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach } from 'vitest'
import { createLog } from '../../api/log.ts'
import { createApi } from './api.ts'
import type { Api } from './api.ts'
import { noSessions } from './calls.ts'
import { createFakeClock } from './clock.ts'
import type { FakeClock } from './clock.ts'
import { createKinds, type Kinds } from '../../server/custom/kinds.ts'
import { openTestStore } from './store.ts'
import type { Registry } from '../../server/registry/registry.ts'
import type { Store } from '../../server/store/store.ts'
import { createAllocators } from '../../server/admit/allocators.ts'
import { createRegistry } from '../../server/registry/verbs.ts'
import type { RestDeps } from '../../server/rest/call.ts'
import { createRest } from '../../server/rest/rest.ts'

/** A fake clock that also tells when somebody waits on it. */
export interface TrialClock extends FakeClock {
  /** Resolves when somebody waits for exactly `ms`. */
  armed(ms: number): Promise<void>
}

function createTrialClock(): TrialClock {
  const clock = createFakeClock()
  const active = new Set<{ readonly ms: number }>()
  const watchers: { readonly ms: number; readonly resolve: () => void }[] = []
  return {
    now: () => clock.now(),
    get waiting() {
      return clock.waiting
    },
    advance: (ms) => clock.advance(ms),
    after(ms, call) {
      const timer = { ms }
      const cancel = clock.after(ms, () => {
        active.delete(timer)
        call()
      })
      active.add(timer)
      for (const watcher of watchers) if (watcher.ms === ms) watcher.resolve()
      return () => {
        active.delete(timer)
        cancel()
      }
    },
    armed(ms) {
      if ([...active].some((timer) => timer.ms === ms)) return Promise.resolve()
      return new Promise((resolve) => void watchers.push({ ms, resolve }))
    },
  }
}

export interface Trial {
  readonly api: Api
  readonly store: Store
  readonly kinds: Kinds
  readonly registry: Registry
  readonly clock: TrialClock
  readonly server: http.Server
  /** Lines logged so far at warn and error. */
  readonly complaints: readonly string[]
  close(): Promise<void>
}

/** Starts with the namespace `default`, and an anonymous who may do everything; `deps` changes what is handed to the room. */
export async function startTrial(deps: Partial<RestDeps> = {}): Promise<Trial> {
  const clock = createTrialClock()
  const complaints: string[] = []
  const log = createLog({ level: 'warn', write: (line) => void complaints.push(line), now: () => clock.now() })
  const store = deps.store ?? (await openTestStore({ log, clock }))
  const allocators = createAllocators({ store, random: Math.random })
  const kinds = createKinds(store)
  const registry = deps.registry ?? createRegistry({ store, kinds, clock, random: Math.random, uuid: randomUUID, allocators, log })
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }
  await registry.create({ resource: 'namespaces', namespace: '', name: 'default' }, namespace)
  const rest = createRest({
    store,
    kinds,
    registry,
    sessions: noSessions,
    authenticate: () => ({ name: 'system:anonymous', groups: [] }),
    authorize: () => ({ allowed: true, why: '' }),
    log,
    clock,
    version: '0.1.0',
    ...deps,
  })
  const server = http.createServer((req, res) => rest.handle(req, res))
  server.on('upgrade', (req, socket, head) => {
    if (!rest.upgrade(req, socket, head)) socket.destroy()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const api = createApi({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  return {
    api,
    store,
    kinds,
    registry,
    clock,
    server,
    complaints,
    async close() {
      api.close()
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
      allocators.close()
      await store.close()
    },
  }
}

/** `startTrial` whose trials are closed after each test of the file. */
export function useTrials(): typeof startTrial {
  const trials: Trial[] = []
  afterEach(async () => {
    for (const trial of trials.splice(0)) await trial.close()
  })
  return async (deps) => {
    const trial = await startTrial(deps)
    trials.push(trial)
    return trial
  }
}
