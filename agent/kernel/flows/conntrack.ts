/**
 * Connection tracking follows the rules. A UDP client that keeps its port keeps its conntrack entry, and with it the
 * translation that was chosen first, for as long as it sends. So after the rules changed, the entries that contradict them
 * are deleted, and nothing else: TCP and SCTP end by themselves, and other flows to the same endpoint are not ours to touch.
 */
import { networkInterfaces } from 'node:os'
import { sleep, systemClock, type Clock } from '../../../api/clock.ts'
import type { Log } from '../../../api/log.ts'
import { ExecError } from '../exec.ts'
import type { Flow, FlowTable, Place } from './table.ts'

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
   * @throws as `FlowTable.remove` does
   */
  reconcile(expected: Expected, signal: AbortSignal): Promise<number>
}

export interface ConntrackDeps {
  readonly table: FlowTable
  readonly log: Log
  readonly clock?: Clock
  /** The host's own addresses; asked in each look. */
  readonly localAddresses?: () => ReadonlySet<string>
}

/** How long to leave the table alone after a look, in lengths of that look. */
const restShare = 3
const longestRestMs = 30_000

/** @returns also how many entries were deleted since the start */
export function createConntrack(deps: ConntrackDeps): Conntrack & { total(): number } {
  const { table, log, clock = systemClock, localAddresses = hostAddresses } = deps
  let isAbsent = false
  let total = 0
  let restUntil = 0

  const look = async (expected: Expected, signal: AbortSignal): Promise<number> => {
    const done = expected.begin(localAddresses())
    const before = total
    const removed = new Map<string, Flow & { entries: number }>()
    const onRemoved = (flow: Flow, entries: number): void => {
      total += entries
      const text = [flow.service, flow.target].map(({ address, port }) => `${address} ${port}`).join()
      const known = removed.get(text)
      if (known) known.entries += entries
      else removed.set(text, { ...flow, entries })
    }
    const isStale = ({ service, target }: Flow): boolean =>
      expected.isVirtual(service.address, service.port) && !expected.isLive(service, target)
    await table.remove({ isStale, onRemoved }, signal)
    for (const each of removed.values()) log.debug('UDP flows are to choose an endpoint again.', { ...each })
    done()
    return total - before
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
