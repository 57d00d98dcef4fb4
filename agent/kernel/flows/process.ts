/** The table of flows by way of conntrack(8): one process lists, and one for each wrong translation deletes. */
import type { Family } from '../../../rules/model.ts'
import { ExecError, type Exec } from '../exec.ts'
import type { Flow, FlowTable, Place } from './table.ts'

/** A listing of a million entries takes some seconds. */
const timeoutMs = 60_000
/** How often it is tried to delete the same: an entry that ends by itself meanwhile makes conntrack leave the others. */
const attempts = 5

const families: Readonly<Record<Family, string>> = { ip: 'ipv4', ip6: 'ipv6' }

export function createFlowProcess({ exec, family }: { readonly exec: Exec; readonly family: Family }): FlowTable {
  const which = ['-f', families[family], '-p', 'udp', '-w', '0']

  /** One call for all clients of the same wrong translation, also for those that came since the listing. */
  const removeAll = async (flow: Flow, signal: AbortSignal, attempt = 1): Promise<number> => {
    const args = ['-D', ...which, ...matchOf(flow)]
    try {
      return deleted((await exec.run({ command: 'conntrack', args, timeoutMs }, signal)).stderr)
    } catch (e) {
      if (!(e instanceof ExecError) || e.reason !== 'exit') throw e
      // Nothing matched any more: conntrack counts that as failure.
      if (/\b0 flow entries have been deleted/.test(e.stderr)) return 0
      if (attempt === attempts || !e.stderr.includes("such conntrack doesn't exist")) throw e
      return removeAll(flow, signal, attempt + 1)
    }
  }

  return {
    async remove({ isStale, onRemoved }, signal) {
      const stale = new Map<string, Flow>()
      const take = (line: string): void => {
        const flow = flowOf(line)
        if (flow && isStale(flow)) stale.set(matchOf(flow).join(' '), flow)
      }
      await exec.stream({ command: 'conntrack', args: ['-L', ...which], timeoutMs }, take, signal)
      for (const flow of stale.values()) onRemoved(flow, await removeAll(flow, signal))
    },
  }
}

/** conntrack(8) prints the original tuple first, then, perhaps after counts and words, the reply tuple. */
function flowOf(line: string): Flow | undefined {
  const [, address, port] = /dst=(\S+) sport=\d+ dport=(\d+)/.exec(line) ?? []
  const [, target, targetPort] = /dst=.* src=(\S+) dst=\S+ sport=(\d+)/.exec(line) ?? []
  if (address === undefined || target === undefined) return undefined
  return { service: placeOf(address, port), target: placeOf(target, targetPort) }
}

function placeOf(address: string, port: string | undefined): Place {
  return { address, port: Number(port) }
}

function matchOf({ service, target }: Flow): readonly string[] {
  const to = ['--orig-dst', service.address, '--orig-port-dst', String(service.port)]
  return [...to, '--reply-src', target.address, '--reply-port-src', String(target.port)]
}

/** `conntrack v1.4.7 (conntrack-tools): 3 flow entries have been deleted.` */
function deleted(stderr: string): number {
  return Number(/(\d+) flow entries have been deleted/.exec(stderr)?.[1] ?? 0)
}
