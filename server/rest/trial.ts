/** For this room's tests: the room over a real store and registry, on a port of its own. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../api/clock.ts'
import { createLog } from '../../api/log.ts'
import { createApi } from '../../test/kit/api.ts'
import type { Api } from '../../test/kit/api.ts'
import type { Sessions } from '../hub/sessions.ts'
import type { Registry } from '../registry/registry.ts'
import type { Store } from '../store/store.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { stubRegistry } from './stub.ts'
import type { RestDeps } from './call.ts'
import { createRest } from './rest.ts'

/** A clock that moves by `advance` only. */
export interface HandClock extends Clock {
  advance(ms: number): void
  /** Resolves when somebody waits for exactly `ms`. */
  armed(ms: number): Promise<void>
}

export function handClock(start = Date.parse('2030-01-01T00:00:00Z')): HandClock {
  let now = start
  let timers: readonly { readonly ms: number; readonly at: number; readonly call: () => void }[] = []
  let watchers: readonly { readonly ms: number; readonly resolve: () => void }[] = []
  return {
    now: () => now,
    after(ms, call) {
      const timer = { ms, at: now + ms, call }
      timers = [...timers, timer]
      for (const watcher of watchers) if (watcher.ms === ms) watcher.resolve()
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    armed(ms) {
      if (timers.some((timer) => timer.ms === ms)) return Promise.resolve()
      return new Promise((resolve) => {
        watchers = [...watchers, { ms, resolve }]
      })
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const [due] = timers.filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at)
        if (!due) break
        timers = timers.filter((other) => other !== due)
        now = due.at
        due.call()
      }
      now = end
    },
  }
}

export interface Trial {
  readonly api: Api
  readonly store: Store
  readonly registry: Registry
  readonly clock: HandClock
  readonly server: http.Server
  /** Lines logged so far at warn and error. */
  readonly complaints: readonly string[]
  close(): Promise<void>
}

const noSessions: Sessions = {
  nodes: () => [],
  usage: () => undefined,
  // eslint-disable-next-line require-yield
  async *call() {},
}

/** Starts with the namespace `default`, and an anonymous who may do everything; `deps` changes what is handed to the room. */
export async function startTrial(deps: Partial<RestDeps> = {}): Promise<Trial> {
  const clock = handClock()
  const complaints: string[] = []
  const log = createLog({ level: 'warn', write: (line) => void complaints.push(line), now: () => clock.now() })
  const store = deps.store ?? openSqliteStore({ path: ':memory:', log, clock })
  const registry = deps.registry ?? stubRegistry(store)
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }
  await registry.create({ resource: 'namespaces', namespace: '', name: 'default' }, namespace)
  const rest = createRest({
    store,
    registry,
    sessions: noSessions,
    authenticate: () => ({ name: 'system:anonymous', groups: [] }),
    authorize: () => true,
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
    registry,
    clock,
    server,
    complaints,
    async close() {
      api.close()
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
      await store.close()
    },
  }
}
