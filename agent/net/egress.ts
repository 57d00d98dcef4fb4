/**
 * Pods have addresses that only the nodes of the cluster know the way to. So what they send to anybody else, such as the hub or the
 * world outside, leaves with the node's address: a table of nftables of its own, beside that of the services, in any proxy mode.
 */
import type { Node } from '../../api/objects.ts'
import { ExecError, type Exec } from '../kernel/exec.ts'
import { familyOf, type RouteFamily } from './routes.ts'

export interface EgressWish {
  /** The ranges of all pods. */
  readonly clusterCIDRs: readonly string[]
  readonly nodes: readonly Node[]
}

export interface Egress {
  /** Lets the kernel hold what is wished. Asks it, and writes where it holds something else. @throws ExecError */
  sync(wish: EgressWish, signal: AbortSignal): Promise<void>
}

const table = 'wherry-egress'

/** What has no other way, or nothing to do with ways. */
const never: Readonly<Record<RouteFamily, readonly string[]>> = {
  ipv4: ['169.254.0.0/16', '224.0.0.0/4'],
  ipv6: ['fe80::/10', 'ff00::/8'],
}

/** The table for one family as nft(8) reads it, in place of the one before; undefined where the cluster has no pods of that family. */
export function egressText(family: RouteFamily, { clusterCIDRs, nodes }: EgressWish): string | undefined {
  const ranges = clusterCIDRs.filter((cidr) => familyOf(cidr) === family).toSorted()
  if (ranges.length === 0) return undefined
  const addresses = nodes.flatMap((node) => (node.status?.addresses ?? []).filter((a) => a.type === 'InternalIP' || a.type === 'ExternalIP').map((a) => a.address))
  const known = addresses.filter((address) => address !== '' && familyOf(address) === family)
  const inside = [...new Set([...ranges, ...never[family], ...known])].toSorted()
  const [nft, type] = family === 'ipv4' ? ['ip', 'ipv4_addr'] : ['ip6', 'ipv6_addr']
  return [
    `table ${nft} ${table}`,
    `delete table ${nft} ${table}`,
    `table ${nft} ${table} {`,
    `  set inside { type ${type}; flags interval; auto-merge; elements = { ${inside.join(', ')} } }`,
    '  chain postrouting {',
    // After the services' own: what that has decided stays.
    '    type nat hook postrouting priority 110; policy accept;',
    `    ${nft} saddr { ${ranges.join(', ')} } ${nft} daddr != @inside masquerade fully-random`,
    '  }',
    '}',
    '',
  ].join('\n')
}

/** What was written, and how the kernel showed it then. */
interface Written {
  readonly text: string
  readonly listing: string
}

export function createEgress(exec: Exec): Egress {
  const written = new Map<RouteFamily, Written>()
  const nft = async (args: readonly string[], signal: AbortSignal, input?: string): Promise<string> =>
    (await exec.run({ command: 'nft', args, ...(input !== undefined && { input }) }, signal)).stdout
  const list = (family: RouteFamily, signal: AbortSignal): Promise<string> => nft(['-s', 'list', 'table', family === 'ipv4' ? 'ip' : 'ip6', table], signal)

  return {
    async sync(wish, signal) {
      for (const family of ['ipv4', 'ipv6'] as const) {
        const text = egressText(family, wish)
        const before = written.get(family)
        if (text === undefined || (before?.text === text && (await list(family, signal).catch(gone)) === before.listing)) continue
        await nft(['-f', '-'], signal, text)
        written.set(family, { text, listing: await list(family, signal) })
      }
    },
  }
}

/** Somebody took the table away. */
function gone(e: unknown): undefined {
  if (!(e instanceof ExecError) || e.reason !== 'exit') throw e
}
