/** The rules that a node sent, as something that packets can be walked through. Pure. */
import { familyOf } from '../../rules/address.ts'
import { RulesError } from '../../rules/error.ts'
import * as iptables from '../../rules/iptables/index.ts'
import * as ipvs from '../../rules/ipvs/index.ts'
import type { Family } from '../../rules/model.ts'
import * as nft from '../../rules/nft/index.ts'
import type { Host, Journey, Packet, Step } from '../../rules/packet.ts'
import { CliError } from '../error.ts'
import { ruleWays, serverWays, slotWays, type Way } from './ways.ts'

export interface KernelRules {
  /** Every way that a packet can take. @throws CliError RULES_UNREADABLE */
  ways(host: Host, packet: Packet): readonly Way[]
  /** Whether it is a drop of ours, by a policy or by source ranges, and none of somebody else. */
  isOwnDrop(step: Step): boolean
  /** By what interface a pod's packets come in, where the rules ask for that. */
  readonly podInterface?: string
}

/** The rules of one IP family. */
interface FamilyRules {
  readonly rules: readonly string[]
  ways(host: Host, packet: Packet): readonly Way[]
  isOwnDrop(step: Step): boolean
}

/**
 * @param text what `nodeRules` gives
 * @throws CliError RULES_UNREADABLE for no rules, and for those that nobody knows
 */
export function readKernel(text: string, node: string): KernelRules {
  return readable(node, () => {
    const tables = (['ip', 'ip6'] as const).flatMap((family): readonly (readonly [Family, string])[] => {
      const table = nft.tableIn(text, family, nft.tableName)
      return table === undefined ? [] : [[family, table]]
    })
    if (tables.length > 0) return kernelOf(new Map(tables.map(([family, table]) => [family, nftRules(nft.parse(table))])), node)
    const printed = ipvs.printedIn(text)
    if (printed.length > 0) return kernelOf(new Map(printed.map((part) => [part.family, ipvsRules(ipvs.listingOf(part))])), node)
    const saved = savedFamilies(text)
    if (saved.size > 0) return kernelOf(saved, node)
    throw noRules(node)
  })
}

/** @param families packets of a family that is not in it pass */
export function kernelOf(families: ReadonlyMap<Family, FamilyRules>, node: string): KernelRules {
  const rules = [...families.values()].flatMap((family) => family.rules)
  const [, name, open] = rules.map((rule) => /(?:\biifname (?:!= )?"|(?:^|! )-i )([^"*+ ]+)([*+]?)/.exec(rule)).find((match) => match) ?? []
  return {
    ways(host, packet) {
      const nothing: Journey = { packet, fate: { kind: 'passed' }, masqueraded: false, steps: [] }
      return readable(node, () => families.get(familyOf(packet.destination))?.ways(host, packet) ?? [{ ...nothing, share: 1 }])
    },
    isOwnDrop: (step) => [...families.values()].some((family) => family.isOwnDrop(step)),
    ...(name !== undefined && { podInterface: open === '' ? name : `${name}0` }),
  }
}

export function nftRules(listing: nft.Listing): FamilyRules {
  return {
    rules: [...listing.chains.values()].flatMap((chain) => chain.rules),
    ways: (host, packet) => slotWays(nft.outcomes(listing, host, packet)),
    isOwnDrop: ({ text }) => / @(dropped|external-local|source-ranges) drop$/.test(text),
  }
}

export function iptablesRules(listing: iptables.Listing): FamilyRules {
  return {
    rules: [...listing.nat.chains.values(), ...listing.filter.chains.values()].flat(),
    ways: (host, packet) => ruleWays(iptables.outcomes(listing, host, packet)),
    isOwnDrop: ({ place, text }) => /^filter WHERRY-[RM]-/.test(place) && / --comment "\S+" -j DROP$/.test(text),
  }
}

export function ipvsRules(listing: ipvs.Listing): FamilyRules {
  return {
    rules: [...(listing.table?.chains.values() ?? [])].flatMap((chain) => chain.rules),
    ways: (host, packet) => serverWays(ipvs.outcomes(listing, host, packet)),
    isOwnDrop: ({ place, text }) => text.endsWith(' @source-ranges drop') || (place === 'services' && text.endsWith(' : drop')) || (place === 'external-local' && text === 'drop'),
  }
}

/** The families of `iptables-save` come one behind the other, each table once; their addresses tell which is which. */
function savedFamilies(text: string): ReadonlyMap<Family, FamilyRules> {
  const families = new Map<Family, FamilyRules>()
  for (const tables of savedParts(text)) {
    const saved = [...tables.values()].join('')
    const listing = iptables.parse(saved)
    const family: Family = /icmp6-| -[sd] [\da-f]*:[\da-f:]+/.test(saved) || families.has('ip') ? 'ip6' : 'ip'
    if (listing) families.set(family, iptablesRules(listing))
  }
  return families
}

/** Table by name; a name that comes again begins the next part. */
function savedParts(text: string): readonly ReadonlyMap<string, string>[] {
  const parts: Map<string, string>[] = []
  for (const table of text.split(/^(?=\*\w+$)/m).filter((piece) => piece.startsWith('*'))) {
    const name = table.slice(1, table.indexOf('\n'))
    const open = parts.at(-1)
    if (open && !open.has(name)) open.set(name, table)
    else parts.push(new Map([[name, table]]))
  }
  return parts
}

function noRules(node: string): CliError {
  return new CliError('RULES_UNREADABLE', `the kernel of ${node} holds no rules of wherry`, `\`wherry status\` shows whether its agent works; \`wherry rules ${node}\` shows the rules`)
}

function readable<T>(node: string, read: () => T): T {
  try {
    return read()
  } catch (e) {
    if (!(e instanceof RulesError)) throw e
    throw new CliError('RULES_UNREADABLE', `the rules of ${node} hold something that explain does not know: ${e.message}`, `\`wherry rules ${node}\` shows the rules`, { cause: e })
  }
}
