/** The name servers that know the rest of the world: named by a flag, else the node's own, never ourselves. */
import { isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Clock } from '../../api/clock.ts'
import type { Log } from '../../api/log.ts'
import { isPort } from '../../rules/address.ts'

export interface Upstream {
  readonly address: string
  readonly port: number
}

export const dnsPort = 53

export interface Upstreams {
  /** As of now; empty where there is none to ask. The same array as long as they stay the same. */
  list(): readonly Upstream[]
}

export interface UpstreamsDeps {
  /** Named by a person; then the node's own are not looked at. */
  readonly named?: readonly Upstream[]
  /** Reads the node's name servers. */
  readonly readHost: () => readonly string[]
  /** Where we answer. */
  readonly own: Upstream
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

/** How old what was read may be. */
const rereadMs = 5_000

export function createUpstreams({ named, readHost, own, clock, log }: UpstreamsDeps): Upstreams {
  let current: readonly Upstream[] = []
  let known: string | undefined
  let readAt = -Infinity
  const take = (found: readonly Upstream[]): void => {
    const text = found.map(upstreamText).join(' ')
    if (text === known) return
    known = text
    current = found.filter((upstream) => {
      const fault = upstreamFault(upstream, own)
      const server = upstreamText(upstream)
      if (fault) log.warn('a name server is not asked, as that could go round in a circle', { server, why: fault })
      return !fault
    })
    const servers = current.map(upstreamText)
    if (current.length > 0) log.info('names outside the cluster are asked for elsewhere', { servers })
    else log.warn('names outside the cluster cannot be resolved: the node has no name server to ask')
  }
  return {
    list() {
      const now = clock.now()
      if (known === undefined || (!named && (now - readAt >= rereadMs || now < readAt))) {
        readAt = now
        take(named ?? readHost().map((address) => ({ address, port: dnsPort })))
      }
      return current
    },
  }
}

export function upstreamText({ address, port }: Upstream): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`
}

/**
 * Why a name server must not be asked; undefined if it may. What listens at port 53 of a loopback address is a forwarder of
 * this node, which may well ask us; on another port it is there for somebody who named it.
 */
export function upstreamFault({ address, port }: Upstream, own: Upstream): string | undefined {
  const [bare = ''] = address.split('%')
  const ip = ipaddr.process(bare)
  if (ip.toString() === ipaddr.process(own.address).toString() && port === own.port) return 'it is ourselves'
  if (ip.range() === 'unspecified') return 'it is an unspecified address'
  return port === dnsPort && ip.range() === 'loopback' ? 'it is a loopback address' : undefined
}

/** @returns undefined for what is none: `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353` */
export function parseUpstream(text: string): Upstream | undefined {
  const [, bracketed, port = bracketed === undefined ? undefined : '53'] = /^\[([^\]]+)\](?::(\d+))?$/.exec(text) ?? []
  const [, plain, plainPort] = /^([\d.]+):(\d+)$/.exec(text) ?? []
  const found = { address: bracketed ?? plain ?? text, port: Number(port ?? plainPort ?? dnsPort) }
  const isAddress = ipaddr.isValid(found.address.split('%')[0]!) && /[.:]/.test(found.address)
  return isAddress && isPort(found.port) ? found : undefined
}
