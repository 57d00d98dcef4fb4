/** The part of the table that no service decides: base chains, rules, sets, and what the node's configuration puts in. */
import { addressFault, canonicalCIDR, disjointCIDRs, wordsOf, type FamilyWords } from './family.ts'
import type { Problem } from './fragment.ts'
import type { Chain, ChainName, Element, ElementKey, Family, NodeConfig, SetDeclaration, SetName } from './model.ts'
import { chainNames, masqueradeMark, setNames, shapeName, type Shape } from './names.ts'

export interface Skeleton {
  readonly chains: ReadonlyMap<ChainName, Chain>
  readonly sets: ReadonlyMap<SetName, SetDeclaration>
  /** Of the two sets that the configuration fills. */
  readonly elements: ReadonlyMap<SetName, ReadonlyMap<ElementKey, Element>>
  /** Whether pods can be told from others; without that, traffic to a cluster IP is never masqueraded. */
  readonly detectsPods: boolean
  readonly problems: readonly Problem[]
}

/** The chain and the map of one endpoint count. */
export interface ShapeParts {
  readonly chain: Chain
  readonly set: SetDeclaration
}

/** @throws RulesError RULES_MISUSED for a family that is not served */
export function skeletonOf(family: Family, config: NodeConfig): Skeleton {
  const words = wordsOf(family)
  const problems: Problem[] = []
  const cidrs = config.clusterCIDRs.flatMap((text) => {
    const cidr = canonicalCIDR(text)
    if (cidr === undefined) problems.push({ what: 'cluster CIDR is not an IPv4 range', value: text })
    return cidr ?? []
  })
  const addresses = config.nodePortAddresses.filter((text) => {
    const fault = addressFault(text)
    if (fault) problems.push({ what: `node port address ${fault}`, value: text })
    return !fault
  })
  return {
    chains: new Map(baseChains(words).map((chain) => [chain.name, chain])),
    sets: new Map(fixedSets(words).map((set) => [set.name, set])),
    elements: new Map([
      [setNames.clusterCIDRs, keyed(disjointCIDRs(cidrs))],
      [setNames.nodePortAddresses, keyed(addresses)],
    ]),
    detectsPods: cidrs.length > 0,
    problems,
  }
}

/** What a shape needs in the kernel before an element may lead to it. */
export function shapeParts(family: Family, skeleton: Skeleton, shape: Shape): ShapeParts {
  const { ip } = wordsOf(family)
  const name = shapeName(shape)
  const front = shape.kind === 'cluster-ip' ? addressAndPort(ip) : protocolAndPort
  const mark = `meta mark set meta mark | ${masqueradeMark}`
  const markOthers = skeleton.detectsPods ? [`${ip} saddr != @${setNames.clusterCIDRs} ${mark}`] : []
  const marks = shape.kind === 'node-port' ? [mark] : markOthers
  const key = `${front} . numgen random mod ${shape.count}`
  return {
    chain: { name, rules: [...marks, `dnat ${ip} to ${key} map @${name}`].map((text) => ({ text })) },
    set: { name, kind: 'map', type: `typeof ${key} : ${ip} daddr . th dport;` },
  }
}

/** Key of the maps that are looked up by protocol and port alone. */
const protocolAndPort = 'meta l4proto . th dport'
const addressAndPort = (ip: string): string => `${ip} daddr . ${protocolAndPort}`

function keyed(keys: readonly string[]): ReadonlyMap<ElementKey, Element> {
  return new Map(keys.map((key) => [key, { key }]))
}

function fixedSets({ addressType }: FamilyWords): readonly SetDeclaration[] {
  return [
    { name: setNames.clusterIPs, kind: 'set', type: `type ${addressType};` },
    { name: setNames.clusterCIDRs, kind: 'set', type: `type ${addressType}; flags interval;` },
    { name: setNames.nodePortAddresses, kind: 'set', type: `type ${addressType};` },
    { name: setNames.hairpin, kind: 'set', type: `type ${addressType} . ${addressType};` },
    { name: setNames.refusedNodePorts, kind: 'set', type: 'type inet_proto . inet_service;' },
    { name: setNames.services, kind: 'map', type: `type ${addressType} . inet_proto . inet_service : verdict;` },
    { name: setNames.nodePorts, kind: 'map', type: 'type inet_proto . inet_service : verdict;' },
  ]
}

/**
 * Every rule is in the words in which nft prints it. Priorities are numbers, because versions of nft differ in when they
 * print a name. What was not translated at -100 (dstnat) is refused at -90; that early, no route to a virtual address is
 * needed for packets from outside. `reject with tcp reset` matches TCP only; a bare `reject` answers port-unreachable.
 */
function baseChains({ ip }: FamilyWords): readonly Chain[] {
  const toNode = `${ip} daddr @${setNames.nodePortAddresses} ${protocolAndPort}`
  const translate = [`${addressAndPort(ip)} vmap @${setNames.services}`, `${toNode} vmap @${setNames.nodePorts}`]
  const refuse = [
    `ct state new ${ip} daddr @${setNames.clusterIPs} goto ${chainNames.refuse}`,
    `ct state new ${toNode} @${setNames.refusedNodePorts} goto ${chainNames.refuse}`,
  ]
  const masquerade = [
    `meta mark & ${masqueradeMark} != 0x00000000 meta mark set meta mark ^ ${masqueradeMark} masquerade fully-random`,
    `ct status dnat ${ip} saddr . ${ip} daddr @${setNames.hairpin} masquerade fully-random`,
  ]
  const chain = (name: ChainName, base: string | undefined, rules: readonly string[]): Chain => ({
    name,
    ...(base && { base: `type ${base}; policy accept;` }),
    rules: rules.map((text) => ({ text })),
  })
  return [
    chain(chainNames.natPrerouting, 'nat hook prerouting priority -100', translate),
    chain(chainNames.natOutput, 'nat hook output priority -100', translate),
    chain(chainNames.natPostrouting, 'nat hook postrouting priority 100', masquerade),
    chain(chainNames.refusePrerouting, 'filter hook prerouting priority -90', refuse),
    chain(chainNames.refuseOutput, 'filter hook output priority -90', refuse),
    chain(chainNames.refuse, undefined, ['reject with tcp reset', 'reject']),
  ]
}
