/**
 * What connection tracking should know of UDP services: their addresses and who may answer for them. Kept beside the rules,
 * service by service, so that a change costs what it changes.
 */
import ipaddr from 'ipaddr.js'
import { select } from '../../rules/index.ts'
import type { NodeView, ServiceKey, ServiceView } from '../../rules/model.ts'
import type { Expected } from '../kernel/conntrack.ts'

export interface UdpServices {
  /** Takes what a pass changed. @returns whether any UDP service is concerned, and so the entries should be looked at */
  take(view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>): boolean
  readonly expected: Expected
}

type Places = ReadonlyMap<string, ReadonlySet<string>>

/** @param serviceCIDR every address in it is a virtual IP, whether a service has it now or had it once */
export function createUdpServices(serviceCIDR: string): UdpServices {
  const byService = new Map<ServiceKey, Places>()
  /** Place of a service to the places that may answer; of services that are gone the set is empty. */
  const live = new Map<string, ReadonlySet<string>>()
  const range = ipaddr.IPv4.parseCIDR(serviceCIDR)

  const replace = (key: ServiceKey, places: Places): boolean => {
    const before = byService.get(key)
    for (const place of before?.keys() ?? []) live.set(place, new Set())
    for (const [place, targets] of places) live.set(place, targets)
    if (places.size > 0) byService.set(key, places)
    else byService.delete(key)
    return places.size > 0 || before !== undefined
  }

  return {
    take(view, changed) {
      const keys = changed === 'all' ? new Set([...byService.keys(), ...view.services.keys()]) : changed
      let concerned = false
      for (const key of keys) {
        const service = view.services.get(key)
        if (replace(key, service ? placesOf(service, view.config.nodePortAddresses) : new Map())) concerned = true
      }
      return concerned
    },
    expected: {
      isLive: (service, target) => live.get(text(service))?.has(text(target)) ?? false,
      isVirtual: (address, port) =>
        live.has(text({ address, port })) || (ipaddr.IPv4.isValid(address) && ipaddr.IPv4.parse(address).match(range)),
    },
  }
}

const text = ({ address, port }: { readonly address: string; readonly port: number }): string => `${address} ${port}`

function placesOf(service: ServiceView, nodePortAddresses: readonly string[]): Places {
  const places = new Map<string, ReadonlySet<string>>()
  for (const port of service.ports) {
    if (port.protocol !== 'udp') continue
    const targets = new Set(select(port.endpoints).cluster.map(text))
    for (const address of service.clusterIPs) places.set(text({ address, port: port.port }), targets)
    if (port.nodePort !== undefined) for (const address of nodePortAddresses) places.set(text({ address, port: port.nodePort }), targets)
  }
  return places
}
