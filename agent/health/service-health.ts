/**
 * The servers behind `healthCheckNodePort`: a load balancer asks each node whether it has endpoints of a service of its own
 * (Service.spec.externalTrafficPolicy Local). One server for each such service, on any path.
 */
import type { Clock } from '../../api/clock.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import { listen, type Answer, type Listener, type Place } from './listener.ts'

export interface ServiceName {
  readonly namespace: string
  readonly name: string
}

export interface HealthCheck {
  readonly service: ServiceName
  readonly port: number
  /** How many endpoints on this node are ready; distinct addresses over all ports of the service. */
  readonly localEndpoints: number
}

export interface HealthServers {
  /** From now on exactly these. Servers that stay are not touched; only their counts change. */
  take(wanted: readonly HealthCheck[]): void
  /** Resolves when what was taken last is listened for, or has failed. */
  settled(): Promise<void>
  /** Closes all of them. */
  close(): Promise<void>
}

export interface HealthServersDeps {
  /** The addresses to listen on, asked for each server that opens; `::` alone stands for all. */
  readonly addresses: () => readonly string[]
  /** Whether the rules are up to date. */
  readonly isHealthy: () => boolean
  /** Told once for a server that cannot open, until it could or is not wanted any more. Reason: FailedToStartServiceHealthcheck. */
  readonly onFailure: (failure: { readonly service: ServiceName; readonly port: number; readonly message: string }) => void
  readonly clock: Clock
  readonly log: Log
}

interface Server {
  readonly port: number
  readonly listeners: readonly Listener[]
}

const againMs = 5_000

export function createHealthServers(deps: HealthServersDeps): HealthServers {
  const { clock, log } = deps
  let wanted: ReadonlyMap<string, HealthCheck> = new Map()
  const servers = new Map<string, Server>()
  /** What could not open, by service and port; so that it is told once. */
  const failed = new Set<string>()
  let working: Promise<void> | undefined
  let isStale = false
  let cancelRetry = (): void => {}

  const answer = (key: string): Answer => {
    const check = wanted.get(key)
    const count = check?.localEndpoints ?? 0
    const healthy = deps.isHealthy()
    const headers = { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff', 'X-Load-Balancing-Endpoint-Weight': String(count) }
    const service = { namespace: check?.service.namespace ?? '', name: check?.service.name ?? '' }
    const body = JSON.stringify({ service, localEndpoints: count, serviceProxyHealthy: healthy }, undefined, 2)
    return { status: count > 0 && healthy ? 200 : 503, headers, body }
  }

  const open = async (key: string, check: HealthCheck): Promise<void> => {
    const { port, service } = check
    const listeners: Listener[] = []
    try {
      for (const host of deps.addresses()) listeners.push(await listenOn({ host, port }, () => answer(key)))
      servers.set(key, { port, listeners })
      failed.delete(`${key} ${port}`)
      log.debug('a health check is served', { service: key, port })
    } catch (e) {
      await Promise.all(listeners.map((l) => l.close()))
      if (failed.has(`${key} ${port}`)) return
      failed.add(`${key} ${port}`)
      log.error('a health check cannot be served; trying again', { service: key, port, ...errorKeys(e) })
      deps.onFailure({ service, port, message: (e as Error).message })
    }
  }

  const reconcile = async (): Promise<void> => {
    do {
      isStale = false
      const now = wanted
      const leaving = [...servers].filter(([key, server]) => now.get(key)?.port !== server.port)
      for (const [key] of leaving) servers.delete(key)
      // All closed before any opens: a port may pass from one service to another.
      await Promise.all(leaving.flatMap(([, server]) => server.listeners.map((l) => l.close())))
      for (const entry of failed) if (!now.has(entry.split(' ')[0]!)) failed.delete(entry)
      for (const [key, check] of now) if (!servers.has(key)) await open(key, check)
    } while (isStale)
    if ([...wanted.keys()].some((key) => !servers.has(key))) cancelRetry = clock.after(againMs, wake)
  }

  const wake = (): void => {
    cancelRetry()
    isStale = true
    working ??= reconcile().finally(() => (working = undefined))
  }

  return {
    take(list) {
      wanted = new Map(list.map((check) => [`${check.service.namespace}/${check.service.name}`, check]))
      wake()
    },
    settled: async () => {
      while (working) await working
    },
    async close() {
      wanted = new Map()
      wake()
      while (working) await working
    },
  }
}

/** A machine without IPv6 has no `::`; there IPv4 is all of it. */
async function listenOn(place: Place, handler: () => Answer): Promise<Listener> {
  try {
    return await listen(place, handler)
  } catch (e) {
    const code = ((e as Error).cause as NodeJS.ErrnoException | undefined)?.code
    if (place.host !== '::' || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL')) throw e
    return listen({ ...place, host: '0.0.0.0' }, handler)
  }
}
