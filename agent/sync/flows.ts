/**
 * What connection tracking should know of UDP services: where packets to them arrive, and who may answer for them. Kept beside
 * the rules, service by service, so that a change costs what it changes and TCP costs nothing.
 *
 * Whoever may answer is wider than who is chosen for new flows: an endpoint that only left the choice (traffic policy,
 * topology, termination while it still serves) keeps the flows that it has.
 */
import { cidrContains } from '../../rules/address.ts'
import { openLedger, reseat, settle, type Ledger } from '../../rules/ledger.ts'
import type { Family, NodeView, ServiceKey, ServiceView } from '../../rules/model.ts'
import type { Front, Route, ServiceRoutes } from '../../rules/routes.ts'
import type { Expected } from '../kernel/flows/conntrack.ts'
import type { Place } from '../kernel/flows/table.ts'

export interface Flows {
  /** Takes what a pass changed. @returns whether entries may contradict the rules now, and so should be looked at */
  take(view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>): boolean
  readonly expected: Expected
}

export interface FlowsOptions {
  readonly family: Family
  /** CIDRs of which every address is virtual, whether a service has it now or had it before this process started. */
  readonly virtualRanges?: readonly string[]
}

/** Where packets arrive: `10.96.0.10 53`, or `* 30053` for a node port. */
type FrontText = string
/** Places that may answer, ` 10.244.1.2:53 10.244.1.3:53 `: one text takes a tenth of the room of a set. */
type Targets = string

export function createFlows({ family, virtualRanges = [] }: FlowsOptions): Flows {
  const ledger = openLedger(family)
  const live = new Map<FrontText, Targets>()
  /** Fronts that went, and the look since which they are known to be gone. They are forgotten when one is completed. */
  const gone = new Map<FrontText, number>()
  let looks = 0
  /** Of the look at hand. */
  let local: ReadonlySet<string> = new Set()
  const inRanges = new Map<string, boolean>()

  const isNodeAddress = (address: string): boolean =>
    local.has(address) && (ledger.config?.nodePortAddresses.some((range) => cidrContains(range, address)) ?? false)
  const isInRange = (address: string): boolean => {
    if (virtualRanges.length === 0) return false
    const known = inRanges.get(address) ?? virtualRanges.some((range) => cidrContains(range, address))
    inRanges.set(address, known)
    return known
  }
  /** The front that takes packets to this place, served or gone. */
  const frontOf = ({ address, port }: Place): FrontText | undefined => {
    const exact = `${address} ${port}`
    if (live.has(exact) || gone.has(exact)) return exact
    const nodePort = `* ${port}`
    return (live.has(nodePort) || gone.has(nodePort)) && isNodeAddress(address) ? nodePort : undefined
  }

  return {
    take(view, changed) {
      const udp = udpPart(ledger, view, changed)
      if (udp.changed !== 'all' && udp.changed.size === 0) return false
      const reseating = reseat(ledger, udp.view, udp.changed)
      // Another configuration: an address of the node may take node ports now that did not before.
      let concerned = ledger.config !== view.config && reseating.affected.size > 0
      const before = new Set<FrontText>()
      const after = new Map<FrontText, Targets>()
      for (const key of reseating.affected) {
        const service = udp.view.services.get(key) ?? ledger.views.get(key)
        for (const { front } of udpRoutes(reseating.before(key))) before.add(frontText(front))
        for (const route of udpRoutes(reseating.after(key))) after.set(frontText(route.front), targetsOf(service!, route))
      }
      settle(ledger, reseating)
      for (const front of before) {
        if (after.has(front)) continue
        live.delete(front)
        gone.set(front, looks)
        concerned = true
      }
      for (const [front, targets] of after) {
        if (live.get(front) === targets) continue
        live.set(front, targets)
        concerned = true
      }
      return concerned
    },
    expected: {
      begin(addresses) {
        const look = ++looks
        local = addresses
        inRanges.clear()
        return () => {
          for (const [front, since] of gone) if (since < look) gone.delete(front)
        }
      },
      isVirtual: (address, port) => frontOf({ address, port }) !== undefined || isInRange(address),
      isLive(service, target) {
        const front = frontOf(service)
        const targets = front === undefined ? undefined : live.get(front)
        if (targets !== undefined) return targets.includes(` ${target.address}:${target.port} `)
        // Nobody translates packets to a front that is gone: who answers there by itself is a program of the host.
        return front !== undefined && target.address === service.address && target.port === service.port
      },
    },
  }
}

/** What `reseat` needs of a change where only services with UDP ports matter; all of them after another configuration. */
function udpPart(ledger: Ledger, view: NodeView, changed: 'all' | ReadonlySet<ServiceKey>) {
  const everything = changed === 'all' || ledger.config !== view.config
  const services = new Map<ServiceKey, ServiceView>()
  for (const key of everything ? view.services.keys() : changed) {
    const service = view.services.get(key)
    if (service?.ports.some(({ protocol }) => protocol === 'udp')) services.set(key, service)
  }
  const keys = everything ? 'all' : new Set([...changed].filter((key) => services.has(key) || ledger.views.has(key)))
  return { view: { config: view.config, services }, changed: keys } as const
}

function udpRoutes(service: ServiceRoutes | undefined): readonly Route[] {
  return service?.routes.filter(({ front }) => front.protocol === 'udp') ?? []
}

function frontText(front: Front): FrontText {
  return `${front.kind === 'node-port' ? '*' : front.address} ${front.port}`
}

/** An endpoint that is neither ready nor on its way out is as good as gone, whatever it says of serving. */
function targetsOf({ ports }: ServiceView, { portName }: Route): Targets {
  const usable = ports
    .filter(({ name, protocol }) => name === portName && protocol === 'udp')
    .flatMap(({ endpoints }) => endpoints.filter(({ ready, serving, terminating }) => ready || (serving && terminating)))
  return ` ${usable.map(({ address, port }) => `${address}:${port} `).join('')}`
}
