/** The rules that a node sent, as something that packets can be walked through. Pure. */
import { RulesError } from '../../rules/error.ts'
import type { Family } from '../../rules/model.ts'
import { type Listing, outcomes, parse, tableIn, tableName } from '../../rules/nft/index.ts'
import type { Host, Journey, Packet } from '../../rules/packet.ts'
import { CliError } from '../error.ts'
import { familyOf } from './fronts.ts'

export interface KernelRules {
  /** Every way that a packet can take, each as likely as the others. @throws CliError RULES_UNREADABLE */
  journeys(host: Host, packet: Packet): readonly Journey[]
  /** By what interface a pod's packets come in, where the rules ask for that. */
  readonly podInterface?: string
}

/**
 * @param text what `nodeRules` gives
 * @throws CliError RULES_UNREADABLE for the rules of another mode than nftables, for no rules, and for those that nobody knows
 */
export function readKernel(text: string, node: string): KernelRules {
  const tables = new Map<Family, Listing>()
  for (const family of ['ip', 'ip6'] as const) {
    const table = tableIn(text, family, tableName)
    if (table !== undefined) tables.set(family, readable(node, () => parse(table)))
  }
  if (tables.size === 0) throw noTables(text, node)
  return kernelOf(tables, node)
}

/** @param tables of a node, by IP family; packets of a family without a table pass */
export function kernelOf(tables: ReadonlyMap<Family, Listing>, node: string): KernelRules {
  const rules = [...tables.values()].flatMap(({ chains }) => [...chains.values()].flatMap((chain) => chain.rules))
  const [, name, star] = rules.map((rule) => /\biifname (?:!= )?"([^"*]+)(\*?)"/.exec(rule)).find((match) => match) ?? []
  return {
    journeys(host, packet) {
      const listing = tables.get(familyOf(packet.destination))
      return listing ? readable(node, () => outcomes(listing, host, packet)) : [{ packet, fate: { kind: 'passed' }, masqueraded: false, steps: [] }]
    },
    ...(name !== undefined && { podInterface: star === '*' ? `${name}0` : name }),
  }
}

function noTables(text: string, node: string): CliError {
  const see = `\`wherry rules ${node}\` shows the rules`
  if (text.trim() === '') return new CliError('RULES_UNREADABLE', `the kernel of ${node} holds no rules of wherry`, `\`wherry status\` shows whether its agent works; ${see}`)
  return new CliError('RULES_UNREADABLE', `explain reads the nftables mode only so far, and ${node} runs another one`, see)
}

function readable<T>(node: string, read: () => T): T {
  try {
    return read()
  } catch (e) {
    if (!(e instanceof RulesError)) throw e
    throw new CliError('RULES_UNREADABLE', `the rules of ${node} hold something that explain does not know: ${e.message}`, `\`wherry rules ${node}\` shows the rules`, { cause: e })
  }
}
