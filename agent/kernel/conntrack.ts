/**
 * Connection tracking follows the rules. A UDP client that keeps its port keeps its conntrack entry, and with it the
 * translation that was chosen first, for as long as it sends. So after the rules changed, the entries that contradict them
 * are deleted, and nothing else: TCP and SCTP end by themselves, and other flows to the same endpoint are not ours to touch.
 */
import { networkInterfaces } from 'node:os'
import { sleep, systemClock, type Clock } from '../../api/clock.ts'
import type { Log } from '../../api/log.ts'
import type { Family } from '../../rules/model.ts'
import { ExecError, type Exec } from './exec.ts'

/** A UDP address and port. */
export interface Place {
  readonly address: string
  readonly port: number
}

/** What the rules say now. What is asked for every entry or so should be quick. */
export interface Expected {
  /**
   * A look at all entries begins.
   * @param local the addresses that the host has now: node ports are taken there
   * @returns to be called when all that contradicted the rules was deleted; after a failure it is not
   */
  begin(local: ReadonlySet<string>): () => void
  /** Whether traffic to this place may be answered by this target. */
  isLive(service: Place, target: Place): boolean
  /**
   * Whether packets to this place are a UDP service's: cluster, load balancer or external IP and port, or node address and
   * node port. Also of one that changes took away since the last look that was completed; its entries contradict the rules too.
   */
  isVirtual(address: string, port: number): boolean
}

export interface Conntrack {
  /**
   * Deletes the entries whose destination is virtual and whose answers come from a place that is not live: an endpoint that
   * is gone, or the virtual address itself, where a flow began before there was anything to translate it to. To be called
   * after the rules are in the kernel, not before: a packet in between would make a new wrong entry.
   *
   * Waits before it looks, if that would make looking more than a quarter of the time; one call at a time.
   * @returns how many entries were deleted; 0 where there is no conntrack(8), which is said once in the log
   * @throws ExecError if conntrack fails
   */
  reconcile(expected: Expected, signal: AbortSignal): Promise<number>
}

export interface ConntrackDeps {
  readonly exec: Exec
  readonly family: Family
  readonly log: Log
  readonly clock?: Clock
  /** The host's own addresses; asked in each look. */
  readonly localAddresses?: () => ReadonlySet<string>
}

/** A listing of a million entries takes some seconds. */
const timeoutMs = 60_000
/** How long to leave the table alone after a look, in lengths of that look. */
const restShare = 3
const longestRestMs = 30_000

const families: Readonly<Record<Family, string>> = { ip: 'ipv4', ip6: 'ipv6' }

/** @returns also how many entries were deleted since the start */
export function createConntrack(deps: ConntrackDeps): Conntrack & { total(): number } {
  const { exec, family, log, clock = systemClock, localAddresses = hostAddresses } = deps
  let isAbsent = false
  let total = 0
  let restUntil = 0
  // Zones other than 0 are for other networks that share the table.
  const which = ['-f', families[family], '-p', 'udp', '-w', '0']

  const stale = async (expected: Expected, signal: AbortSignal): Promise<ReadonlyMap<string, Flow>> => {
    const flows = new Map<string, Flow>()
    const take = (line: string): void => {
      const service = serviceOf(line)
      if (!service || !expected.isVirtual(service.address, service.port)) return
      const target = targetOf(line)
      if (target && !expected.isLive(service, target)) flows.set(matchOf({ service, target }).join(' '), { service, target })
    }
    await exec.stream({ command: 'conntrack', args: ['-L', ...which], timeoutMs }, take, signal)
    return flows
  }

  /** One call for all clients of the same wrong translation, also for those that came since the listing. */
  const remove = async (flow: Flow, signal: AbortSignal): Promise<number> => {
    const args = ['-D', ...which, ...matchOf(flow)]
    try {
      return deleted((await exec.run({ command: 'conntrack', args, timeoutMs }, signal)).stderr)
    } catch (e) {
      // Nothing matched any more: conntrack counts that as failure.
      if (e instanceof ExecError && e.reason === 'exit' && /\b0 flow entries have been deleted/.test(e.stderr)) return 0
      throw e
    }
  }

  const look = async (expected: Expected, signal: AbortSignal): Promise<number> => {
    const done = expected.begin(localAddresses())
    let count = 0
    for (const flow of (await stale(expected, signal)).values()) {
      const removed = await remove(flow, signal)
      count += removed
      total += removed
      log.debug('UDP flows are to choose an endpoint again.', { ...flow, removed })
    }
    done()
    return count
  }

  return {
    total: () => total,
    async reconcile(expected, signal) {
      if (isAbsent) return 0
      // The clock may have been set back.
      const rest = Math.min(restUntil - clock.now(), longestRestMs)
      if (rest > 0) await sleep(clock, rest, signal)
      const started = clock.now()
      try {
        return await look(expected, signal)
      } catch (e) {
        if (!(e instanceof ExecError) || e.reason !== 'absent') throw e
        isAbsent = true
        log.warn(
          'UDP flows keep sending to endpoints that are gone, because conntrack is not installed; install the package conntrack.',
        )
        return 0
      } finally {
        restUntil = clock.now() + restShare * (clock.now() - started)
      }
    },
  }
}

function hostAddresses(): ReadonlySet<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)))
}

interface Flow {
  readonly service: Place
  /** Where answers come from: after translation the endpoint. */
  readonly target: Place
}

/** conntrack(8) prints the original tuple first, */
function serviceOf(line: string): Place | undefined {
  const [, address, port] = /dst=(\S+) sport=\d+ dport=(\d+)/.exec(line) ?? []
  return address === undefined ? undefined : { address, port: Number(port) }
}

/** then, perhaps after counts and words, the reply tuple. */
function targetOf(line: string): Place | undefined {
  const [, address, port] = /dst=.* src=(\S+) dst=\S+ sport=(\d+)/.exec(line) ?? []
  return address === undefined ? undefined : { address, port: Number(port) }
}

function matchOf({ service, target }: Flow): readonly string[] {
  const to = ['--orig-dst', service.address, '--orig-port-dst', String(service.port)]
  return [...to, '--reply-src', target.address, '--reply-port-src', String(target.port)]
}

/** `conntrack v1.4.7 (conntrack-tools): 3 flow entries have been deleted.` */
function deleted(stderr: string): number {
  return Number(/(\d+) flow entries have been deleted/.exec(stderr)?.[1] ?? 0)
}
