/** The tools' own listings back into nouns. */
import { RulesError } from '../error.ts'
import type { Family, Protocol } from '../model.ts'
import type { RealKey, RealServer, VirtualKey, VirtualServer } from './model.ts'
import { socketOf, socketText, virtualKey } from './names.ts'

const protocols: Readonly<Record<string, Protocol>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' }

/**
 * Reads what `ipvsadm -Ln` prints, which tells of connections, too: the virtual servers of one family, other people's too.
 * @throws RulesError RULES_UNREADABLE, with the line
 */
export function parseServers(family: Family, text: string): ReadonlyMap<VirtualKey, VirtualServer> {
  const servers = new Map<VirtualKey, VirtualServer & { readonly reals: Map<RealKey, RealServer> }>()
  let reals: Map<RealKey, RealServer> | undefined
  for (const line of bodyOf(text)) {
    if (line.startsWith('  -> ')) {
      const [real, method, weight, active, inactive] = line.slice(5).trim().split(/\s+/)
      if (!reals || inactive === undefined) throw unreadable(line)
      const connections = Number(active) + Number(inactive)
      reals.set(canonicalSocket(real!), { weight: Number(weight), translated: method === 'Masq', connections })
      continue
    }
    const head = headOf(line)
    reals = new Map()
    if (head.family === family) servers.set(head.virtual, { settings: head.rest, reals })
  }
  return servers
}

export interface ServerCounts {
  readonly virtual: VirtualKey
  readonly connections: number
  readonly reals: readonly { readonly real: RealKey; readonly connections: number }[]
}

/**
 * Reads what `ipvsadm -Ln --stats --exact` prints, of both families.
 * @throws RulesError RULES_UNREADABLE, with the line
 */
export function parseCounts(text: string): readonly ServerCounts[] {
  const counts: (ServerCounts & { readonly reals: { readonly real: RealKey; readonly connections: number }[] })[] = []
  for (const line of bodyOf(text)) {
    if (line.startsWith('  -> ')) {
      const [real, connections] = line.slice(5).trim().split(/\s+/)
      if (connections === undefined) throw unreadable(line)
      counts.at(-1)?.reals.push({ real: canonicalSocket(real!), connections: Number(connections) })
    } else {
      const { virtual, rest } = headOf(line)
      counts.push({ virtual, connections: Number(rest.split(' ')[0]), reals: [] })
    }
  }
  return counts
}

/** The same text with the titles and only some of the virtual servers. */
export function selectServers(text: string, family: Family, keep: (virtual: VirtualKey) => boolean): string {
  let kept = true
  const lines = text.split('\n').filter((line) => {
    if (line !== '' && !isTitle(line) && !line.startsWith('  -> ')) {
      const head = headOf(line)
      kept = head.family === family && keep(head.virtual)
    }
    return kept || isTitle(line)
  })
  return `${lines.join('\n').trimEnd()}\n`
}

function bodyOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '' && !isTitle(line))
}

/** The version and the titles of columns. */
function isTitle(line: string): boolean {
  return /^(IP Virtual Server|Prot LocalAddress|\s+-> RemoteAddress)/.test(line)
}

/** `TCP  10.96.0.1:80 rr persistent 90`, `FWM  77 IPv6 rr`. */
function headOf(line: string): { readonly virtual: VirtualKey; readonly family: Family; readonly rest: string } {
  const [kind, name, ...rest] = line.trim().split(/\s+/)
  if (kind === undefined || name === undefined) throw unreadable(line)
  if (kind !== 'FWM') return { virtual: virtualNamed(kind, name, line), family: name.startsWith('[') ? 'ip6' : 'ip', rest: rest.join(' ') }
  const six = rest[0] === 'IPv6'
  return { virtual: markNamed(name, line), family: six ? 'ip6' : 'ip', rest: rest.slice(six ? 1 : 0).join(' ') }
}

/** Large marks are printed as negative numbers. */
function markNamed(name: string, line: string): VirtualKey {
  if (!/^-?\d+$/.test(name)) throw unreadable(line)
  return virtualKey({ kind: 'mark', mark: Number(name) >>> 0 })
}

function virtualNamed(kind: string, name: string, line: string): VirtualKey {
  const protocol = protocols[kind]
  if (protocol === undefined || !name.includes(':')) throw unreadable(line)
  return virtualKey({ kind: 'address', protocol, ...socketOf(name) })
}

function canonicalSocket(text: string): RealKey {
  const { address, port } = socketOf(text)
  return socketText(address, port)
}

function unreadable(line: string): RulesError {
  return new RulesError('RULES_UNREADABLE', `ipvsadm: the line "${line}" is nothing that this mode knows`)
}
