/** Small HTTP servers for load balancers, probes and scrapers: no bodies in, short answers out, everything bounded. */
import { createServer, type Server } from 'node:http'
import { aborted, sleep, type Clock } from '../../api/clock.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import { HealthError } from './error.ts'

export interface Place {
  /** An IP address; `::` takes IPv4 as well. */
  readonly host: string
  readonly port: number
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** @param path without the query */
export type Handler = (path: string) => Answer

export interface Listener {
  /** The port that was taken, where 0 was asked for. */
  readonly port: number
  /** Resolves when the port is free again; open connections are cut. */
  close(): Promise<void>
}

/** @throws HealthError SETUP with the system's words as its cause */
export function listen(place: Place, handler: Handler): Promise<Listener> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 8_192 }, (request, response) => {
    request.resume()
    const { status, headers, body } = handler((request.url ?? '/').split('?')[0]!)
    response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) })
    response.end(request.method === 'HEAD' ? undefined : body)
  })
  server.maxConnections = 512
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(new HealthError('SETUP', `${told(place)} cannot be listened on: ${cause.message}`, { cause })))
    server.listen({ host: place.host, port: place.port, backlog: 128 }, () => {
      const address = server.address()
      resolve({ port: typeof address === 'object' && address ? address.port : place.port, close: () => closed(server) })
    })
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

export const told = ({ host, port }: Place): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)

/** KubeProxyConfiguration.bindAddressHardFail is false: tried again this often. */
const againMs = 5_000

export interface HeldListenerDeps {
  readonly place: Place
  readonly handler: Handler
  /** For the log: `health`, `metrics`. */
  readonly name: string
  /** Whether a port that is taken ends it, instead of being tried again. */
  readonly hardFail: boolean
  readonly clock: Clock
  readonly log: Log
}

/**
 * Serves until the signal aborts; a port that is not to be had is tried again every 5 s.
 * @throws HealthError SETUP where `hardFail` is set
 */
export async function holdListener({ place, handler, name, hardFail, clock, log }: HeldListenerDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const listener = await listen(place, handler)
      log.info('a server listens', { server: name, address: told({ ...place, port: listener.port }) })
      await aborted(signal)
      await listener.close()
      return
    } catch (e) {
      if (hardFail) throw e
      log.error('a server cannot listen; trying again', { server: name, ...errorKeys(e), waitMs: againMs })
      await sleep(clock, againMs, signal).catch(() => {})
    }
  }
}
