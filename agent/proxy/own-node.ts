/**
 * What the proxy reads off its own Node object. The node's pod ranges, where it goes by them, are read once: when they change,
 * the process has to start again, as kube-proxy does. Addresses are followed.
 */
import { isIP } from 'node:net'
import type { Clock } from '../../api/clock.ts'
import type { Node } from '../../api/objects.ts'
import type { Log } from '../../api/log.ts'
import type { DetectLocal } from './config/proxy-config.ts'
import { ProxyError } from './error.ts'

export interface NodeFacts {
  readonly podCIDRs: readonly string[]
  /** Addresses of the type InternalIP, then ExternalIP, as they stand; the first of a family is the primary one. */
  readonly addresses: readonly string[]
}

export interface OwnNode {
  /** The Node object as it is now, or that there is none. */
  take(node: Node | undefined): void
  /**
   * Resolves with the facts that the proxy starts with, when they are all there. Where the node has no address within half
   * a minute, or does not exist, it starts without; pod ranges that it cannot do without it waits for, five minutes.
   * @param onAddresses called later on, whenever the primary addresses are others
   * @throws ProxyError SETUP after these
   */
  facts(onAddresses: (facts: NodeFacts) => void, signal: AbortSignal): Promise<NodeFacts>
  /** The facts that count now; none before they were given out. */
  known(): NodeFacts
  /** Rejects with RESTART_NEEDED once the pod ranges that were given out, and count, are others; never resolves. */
  readonly outdated: Promise<never>
}

export interface OwnNodeDeps {
  readonly name: string
  readonly detectLocal: DetectLocal['kind']
  readonly clock: Clock
  readonly log: Log
}

const nothing: NodeFacts = { podCIDRs: [], addresses: [] }
const podCIDRMs = 5 * 60_000
const addressMs = 30_000

export function createOwnNode({ name, detectLocal, clock, log }: OwnNodeDeps): OwnNode {
  let node: Node | undefined
  let given: NodeFacts | undefined
  let tell: (facts: NodeFacts) => void = () => {}
  let ring = (): void => {}
  const { promise: outdated, reject } = Promise.withResolvers<never>()
  // Who waits for it is told; until somebody does it is no unhandled rejection.
  outdated.catch(() => {})
  const needsRanges = detectLocal === 'node-cidr'

  const compare = (before: NodeFacts, now: Node): void => {
    const after = factsOf(now)
    if (needsRanges && !same(before.podCIDRs, after.podCIDRs)) {
      const [from, to] = [before.podCIDRs, after.podCIDRs].map((ranges) => ranges.join(', ') || 'none')
      return reject(new ProxyError('RESTART_NEEDED', `podCIDRs of node ${name} changed from ${from} to ${to}: the proxy has to start again`))
    }
    if (after.addresses.length === 0 || same(primary(before.addresses), primary(after.addresses))) return
    given = after
    tell(after)
  }

  const wait = (ms: number, enough: (facts: NodeFacts) => boolean, signal: AbortSignal): Promise<NodeFacts | undefined> =>
    new Promise((resolve, fail) => {
      const end = (act: () => void): void => {
        cancel()
        signal.removeEventListener('abort', abort)
        ring = (): void => {}
        act()
      }
      const abort = (): void => end(() => fail(signal.reason as Error))
      const look = (): void => {
        const facts = node && !node.metadata.deletionTimestamp ? factsOf(node) : undefined
        if (facts && enough(facts)) end(() => resolve(facts))
      }
      const cancel = clock.after(ms, () => end(() => resolve(undefined)))
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      ring = look
      look()
    })

  return {
    take(now) {
      node = now
      if (given && now) compare(given, now)
      ring()
    },
    async facts(onAddresses, signal) {
      tell = onAddresses
      const ms = needsRanges ? podCIDRMs : addressMs
      const found = await wait(ms, (facts) => facts.addresses.length > 0 && (!needsRanges || facts.podCIDRs.length > 0), signal)
      const facts = found ?? (node ? factsOf(node) : nothing)
      if (needsRanges && facts.podCIDRs.length === 0) {
        throw new ProxyError('SETUP', `node ${name} got no podCIDRs within ${ms / 60_000} minutes, and detectLocalMode NodeCIDR needs them`)
      }
      if (facts.addresses.length === 0) log.warn('the Node object tells no address of this node', { name, exists: node !== undefined })
      return (given = facts)
    },
    known: () => given ?? nothing,
    outdated,
  }
}

function factsOf({ spec, status }: Node): NodeFacts {
  const addresses = status?.addresses ?? []
  const of = (type: string): readonly string[] => addresses.filter((a) => a.type === type && isIP(a.address) !== 0).map((a) => a.address)
  return { podCIDRs: spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : []), addresses: [...of('InternalIP'), ...of('ExternalIP')] }
}

/** The first address of each family. */
export function primary(addresses: readonly string[]): readonly string[] {
  return [4, 6].flatMap((family) => addresses.find((a) => isIP(a) === family) ?? [])
}

const same = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((one, i) => one === b[i])
