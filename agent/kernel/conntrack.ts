/**
 * Connection tracking follows the rules. A UDP client that keeps its port keeps its conntrack entry, and with it the
 * translation that was chosen first, for as long as it sends. So after the rules changed, the entries that contradict them
 * are deleted, and nothing else: TCP and SCTP end by themselves, and other flows to the same endpoint are not ours to touch.
 */
import type { Log } from '../../api/log.ts'
import type { Family } from '../../rules/model.ts'
import { ExecError, type Exec } from './exec.ts'

/** A UDP address and port. */
export interface Place {
  readonly address: string
  readonly port: number
}

/** What the rules say now. Both are asked for every UDP entry or so, and should be quick. */
export interface Expected {
  /** Whether traffic to this service's address may be answered by this target. */
  isLive(service: Place, target: Place): boolean
  /**
   * Whether this is the address of a UDP service: cluster IP and port, or node address and node port. Also of one that the
   * last change took away or left without endpoints; its entries contradict the rules too.
   */
  isVirtual(address: string, port: number): boolean
}

export interface Conntrack {
  /**
   * Deletes the entries whose destination is virtual and whose answers come from a place that is not live: an endpoint that
   * is gone, or the virtual address itself, where a flow began before there was anything to translate it to. To be called
   * after the rules are in the kernel, not before: a packet in between would make a new wrong entry.
   * @returns how many entries were deleted; 0 where there is no conntrack(8), which is said once in the log
   * @throws ExecError if conntrack fails
   */
  reconcile(expected: Expected, signal: AbortSignal): Promise<number>
}

export interface ConntrackDeps {
  readonly exec: Exec
  readonly family: Family
  readonly log: Log
}

/** A listing of a million entries takes some seconds. */
const timeoutMs = 60_000

const families: Readonly<Record<Family, string>> = { ip: 'ipv4', ip6: 'ipv6' }

export function createConntrack({ exec, family, log }: ConntrackDeps): Conntrack {
  let isAbsent = false

  const stale = async (expected: Expected, signal: AbortSignal): Promise<ReadonlyMap<string, Flow>> => {
    const flows = new Map<string, Flow>()
    const args = ['-L', '-f', families[family], '-p', 'udp']
    const take = (line: string): void => {
      const flow = flowOf(line)
      if (!flow || !expected.isVirtual(flow.service.address, flow.service.port)) return
      if (!expected.isLive(flow.service, flow.target)) flows.set(matchOf(flow).join(' '), flow)
    }
    await exec.stream({ command: 'conntrack', args, timeoutMs }, take, signal)
    return flows
  }

  /** One call for all clients of the same wrong translation, also for those that came since the listing. */
  const remove = async (flow: Flow, signal: AbortSignal): Promise<number> => {
    const args = ['-D', '-f', families[family], '-p', 'udp', ...matchOf(flow)]
    try {
      return deleted((await exec.run({ command: 'conntrack', args, timeoutMs }, signal)).stderr)
    } catch (e) {
      // Nothing matched any more: conntrack counts that as failure.
      if (e instanceof ExecError && e.reason === 'exit' && /\b0 flow entries have been deleted/.test(e.stderr)) return 0
      throw e
    }
  }

  return {
    async reconcile(expected, signal) {
      if (isAbsent) return 0
      try {
        let count = 0
        for (const flow of (await stale(expected, signal)).values()) {
          const removed = await remove(flow, signal)
          count += removed
          log.debug('UDP flows are to choose an endpoint again.', { ...flow, removed })
        }
        return count
      } catch (e) {
        if (!(e instanceof ExecError) || e.reason !== 'absent') throw e
        isAbsent = true
        log.warn(
          'UDP flows keep sending to endpoints that are gone, because conntrack is not installed; install the package conntrack.',
        )
        return 0
      }
    },
  }
}

interface Flow {
  readonly service: Place
  /** Where answers come from: after translation the endpoint. */
  readonly target: Place
}

/** conntrack(8) prints the original tuple, then the reply tuple. */
function flowOf(line: string): Flow | undefined {
  const [original, reply] = [...line.matchAll(/src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g)]
  if (!original || !reply) return undefined
  return { service: { address: original[2]!, port: Number(original[4]) }, target: { address: reply[1]!, port: Number(reply[3]) } }
}

function matchOf({ service, target }: Flow): readonly string[] {
  const to = ['--orig-dst', service.address, '--orig-port-dst', String(service.port)]
  return [...to, '--reply-src', target.address, '--reply-port-src', String(target.port)]
}

/** `conntrack v1.4.7 (conntrack-tools): 3 flow entries have been deleted.` */
function deleted(stderr: string): number {
  return Number(/(\d+) flow entries have been deleted/.exec(stderr)?.[1] ?? 0)
}
