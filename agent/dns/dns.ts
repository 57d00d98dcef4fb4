/**
 * The node's name server: knows the cluster from the agent's tables, asks elsewhere for the rest, and answers pods at an
 * address of the node's own, so that no name has to cross the network and no rule of ours stands between.
 */
import { sleep, type Clock } from '../../api/clock.ts'
import { errorKeys, type Log } from '../../api/log.ts'
import type { Ip } from '../net/ip.ts'
import type { Batch } from '../state/tables.ts'
import { createCluster } from './cluster.ts'
import { createCounters, type DnsCounters } from './counters.ts'
import { createForwarder } from './forwarder.ts'
import { readHostResolv } from './host-resolv.ts'
import { lowerCase } from './names.ts'
import { createResponder } from './responder.ts'
import { listenTcp, listenUdp, type Listening } from './sockets.ts'
import { createUpstreams, dnsPort, type Upstream } from './upstreams.ts'
import { createZone } from './zone.ts'

export interface DnsDeps {
  /** Where to answer; it is put on `lo` if it is not there. */
  readonly address: string
  /** 53, but in tests. */
  readonly port?: number
  /** e.g. `cluster.local` */
  readonly domain: string
  /** Pods' and virtual IPs (CIDRs); see `ZoneOptions.ranges`. */
  readonly ranges: readonly string[]
  /** Whom to ask for other names; without it the node's own name servers. */
  readonly upstreams?: readonly Upstream[]
  /** The node's name servers, read whenever they are needed. */
  readonly readHost?: () => readonly string[]
  /** The `ip` program in the namespace that is answered in. */
  readonly ip: Ip
  readonly clock: Clock
  /** From 0 to 1, and not to be guessed. */
  readonly random: () => number
  readonly log: Log
}

export interface Dns {
  /** Takes what a `sync` of the hub completed. */
  take(batch: Batch): void
  /** Answers until the signal aborts; what cannot be had is tried again. The address stays. */
  run(signal: AbortSignal): Promise<void>
  readonly counters: Readonly<DnsCounters>
  /** Resolves when questions are listened for. */
  readonly listening: Promise<{ readonly udp: number; readonly tcp: number }>
}

const againMs = 5_000
/** How often the address is put back if somebody took it away. */
const addressMs = 60_000

export function createDns(deps: DnsDeps): Dns {
  const { clock, log, random } = deps
  const own = { address: deps.address, port: deps.port ?? dnsPort }
  const cluster = createCluster()
  const counters = createCounters()
  const zone = createZone(cluster, { ...deps, domain: lowerCase(deps.domain) })
  const readHost = deps.readHost ?? (() => readHostResolv().nameservers)
  const upstreams = createUpstreams({ ...(deps.upstreams && { named: deps.upstreams }), readHost, own, clock, log })
  const forwarder = createForwarder({ upstreams, counters, clock, random, log })
  const responder = createResponder({ zone, forwarder, counters, log })
  const listening = Promise.withResolvers<{ udp: number; tcp: number }>()

  /** Listens until the signal aborts or a socket fails. @throws DnsError, NetError, the signal's reason */
  const serve = async (signal: AbortSignal): Promise<void> => {
    const over = new AbortController()
    const until = AbortSignal.any([signal, over.signal])
    const sockets: Listening[] = []
    try {
      await putAddress(deps, until)
      const udp = await listenUdp(own, (message) => responder.respond(message, 'udp', until))
      sockets.push(udp)
      const tcp = await listenTcp(own, (message) => responder.respond(message, 'tcp', until))
      sockets.push(tcp)
      log.info('names are answered', { address: own.address, port: own.port, domain: deps.domain })
      listening.resolve({ udp: udp.port, tcp: tcp.port })
      await Promise.race([udp.ended, tcp.ended, keepAddress(deps, until)])
    } finally {
      over.abort(new DOMException('names are not answered any more', 'AbortError'))
      for (const socket of sockets) socket.close()
    }
  }

  return {
    take: (batch) => cluster.take(batch),
    counters,
    listening: listening.promise,
    async run(signal) {
      while (!signal.aborted) {
        try {
          await serve(signal)
        } catch (e) {
          if (signal.aborted) return
          log.error('names cannot be answered; trying again', { address: own.address, ...errorKeys(e), waitMs: againMs })
          await sleep(clock, againMs, signal).catch(() => {})
        }
      }
    },
  }
}

/** `replace` leaves an address that is there as it is. */
async function putAddress({ address, ip }: Pick<DnsDeps, 'address' | 'ip'>, signal: AbortSignal): Promise<void> {
  await ip(['address', 'replace', `${address}/${address.includes(':') ? 128 : 32}`, 'dev', 'lo'], signal)
}

/** Rejects with the signal's reason. */
async function keepAddress(deps: DnsDeps, signal: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(deps.clock, addressMs, signal)
    await putAddress(deps, signal).catch((e: unknown) => {
      if (!signal.aborted) deps.log.warn('the address for names could not be looked at', errorKeys(e))
    })
  }
}
