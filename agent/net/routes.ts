/**
 * Routes to other nodes' pods by way of those nodes (host-gw), and to virtual IPs where nothing else covers them.
 *
 * Invariant: only routes that carry our protocol number are ever changed or removed.
 */
import ipaddr from 'ipaddr.js'
import type { Node } from '../../api/objects.ts'
import type { Ip } from './ip.ts'
import { readJson } from './ip.ts'

/** Marks our routes (rtnetlink(7): a number above 4 that no other routing program has). */
export const routeProtocol = 177

export interface Route {
  /** CIDR text in canonical form. */
  readonly to: string
  readonly via?: string
  readonly device?: string
  readonly source?: string
}

export interface RouteWish {
  /** This node's name. */
  readonly self: string
  /** This node's addresses. */
  readonly addresses: readonly string[]
  readonly nodes: readonly Node[]
  readonly serviceCIDRs: readonly string[]
}

export interface RouteFailure {
  readonly route: Route
  readonly message: string
}

/** As `ip -json route` tells it. */
interface KernelRoute {
  readonly dst: string
  readonly gateway?: string
  readonly dev?: string
  readonly prefsrc?: string
  readonly protocol?: string
  readonly type?: string
}

export type RouteFamily = 'ipv4' | 'ipv6'

export const familyOf = (address: string): RouteFamily => (address.includes(':') ? 'ipv6' : 'ipv4')

/** A route for each pod range of each other node whose address of that family is known. */
export function podRoutes(wish: Pick<RouteWish, 'self' | 'nodes'>): readonly Route[] {
  return wish.nodes.flatMap((node) => {
    if (node.metadata.name === wish.self) return []
    const ranges = node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : [])
    const internal = (node.status?.addresses ?? []).flatMap((a) => (a.type === 'InternalIP' ? [a.address] : []))
    return ranges.flatMap((range) => {
      const via = internal.find((address) => familyOf(address) === familyOf(range))
      return via ? [{ to: canonical(range), via }] : []
    })
  })
}

/** `10.244.1.7/24` and `10.244.1.0/24` are one range; a single address stands without a length, as `ip` prints it. */
function canonical(cidr: string): string {
  const [address, bits] = ipaddr.parseCIDR(cidr.includes('/') ? cidr : `${cidr}/${familyOf(cidr) === 'ipv6' ? 128 : 32}`)
  const family = address.kind() === 'ipv6' ? ipaddr.IPv6 : ipaddr.IPv4
  return cidrText(family.networkAddressFromCIDR(cidrText(address, bits)), bits)
}

const cidrText = (address: ipaddr.IPv4 | ipaddr.IPv6, bits: number): string => `${address.toString()}/${bits}`

/** Whether every address of `inner` lies in `outer`. */
function covers(outer: string, inner: string): boolean {
  if (outer === 'default') return true
  const [network, bits] = ipaddr.parseCIDR(canonical(outer))
  const [address, length] = ipaddr.parseCIDR(canonical(inner))
  return network.kind() === address.kind() && length >= bits && address.match(network as never, bits)
}

export interface RouteChange {
  readonly replace: readonly Route[]
  readonly remove: readonly Route[]
}

/**
 * What has to change.
 * @param ours routes that carry our protocol number
 */
export function routeChange(wished: readonly Route[], ours: readonly Route[]): RouteChange {
  const same = (a: Route, b: Route): boolean =>
    a.to === b.to && a.via === b.via && (a.device === undefined || a.device === b.device)
  return {
    replace: wished.filter((w) => !ours.some((o) => same(w, o))),
    remove: ours.filter((o) => !wished.some((w) => w.to === o.to)),
  }
}

export interface Routes {
  /** Brings the kernel to the wish. @returns the routes that it refused. @throws NetError KERNEL_REFUSED if it cannot be asked */
  sync(wish: RouteWish, signal: AbortSignal): Promise<readonly RouteFailure[]>
}

export function createRoutes(ip: Ip): Routes {
  async function syncFamily(family: RouteFamily, wish: RouteWish, signal: AbortSignal): Promise<readonly RouteFailure[]> {
    const flag = family === 'ipv6' ? '-6' : '-4'
    const all = readJson<KernelRoute>(await ip(['-json', flag, 'route', 'show', 'table', 'main'], signal))
    const ours = all.filter((r) => r.protocol === String(routeProtocol)).map(toRoute)
    const foreign = all.filter((r) => r.protocol !== String(routeProtocol)).map((r) => r.dst)
    const wished = [
      ...podRoutes(wish).filter((r) => familyOf(r.to) === family),
      ...(await serviceRoutes(wish, { family, foreign }, signal)),
    ]
    const { replace, remove } = routeChange(wished, ours)
    const failures: RouteFailure[] = []
    const attempt = async (verb: 'replace' | 'delete', route: Route): Promise<void> => {
      try {
        await ip([flag, 'route', verb, ...routeWords(route), 'proto', String(routeProtocol)], signal)
      } catch (e) {
        signal.throwIfAborted()
        failures.push({ route, message: (e as Error).message })
      }
    }
    for (const route of remove) await attempt('delete', route)
    for (const route of replace) await attempt('replace', route)
    return failures
  }

  /** Without any route to a virtual IP, connect() fails before the rules could translate the address. */
  async function serviceRoutes(
    wish: RouteWish,
    at: { readonly family: RouteFamily; readonly foreign: readonly string[] },
    signal: AbortSignal,
  ): Promise<readonly Route[]> {
    const source = wish.addresses.find((a) => familyOf(a) === at.family)
    const bare = wish.serviceCIDRs.filter((c) => familyOf(c) === at.family && !at.foreign.some((dst) => covers(dst, c)))
    if (!source || bare.length === 0) return []
    const links = readJson<{ ifname?: string }>(await ip(['-json', 'address', 'show', 'to', source], signal))
    const device = links.find((l) => l.ifname)?.ifname
    return device ? bare.map((c) => ({ to: canonical(c), device, source })) : []
  }

  return {
    async sync(wish, signal) {
      const families: readonly RouteFamily[] = ['ipv4', 'ipv6']
      const failures: RouteFailure[] = []
      for (const family of families) failures.push(...(await syncFamily(family, wish, signal)))
      return failures
    },
  }
}

function toRoute(route: KernelRoute): Route {
  return {
    to: canonical(route.dst === 'default' ? '0.0.0.0/0' : route.dst),
    ...(route.gateway && { via: route.gateway }),
    ...(route.dev && { device: route.dev }),
    ...(route.prefsrc && { source: route.prefsrc }),
  }
}

function routeWords(route: Route): readonly string[] {
  return [
    route.to,
    ...(route.via ? ['via', route.via] : []),
    ...(route.device ? ['dev', route.device] : []),
    ...(route.source ? ['src', route.source] : []),
  ]
}
