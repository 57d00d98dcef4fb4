/**
 * The chains and sets of the table: what IPVS cannot say. No chain and no set belongs to one service. IPVS itself acts in the
 * hooks input (98, 99) and output (-99, -98); the priorities here are chosen around it. A packet that it has given to an
 * endpoint elsewhere goes through output once more, and then through postrouting, with its mark.
 *
 * Every rule is in the words in which nft prints it.
 */
import { canonicalCIDR, disjointCIDRs } from '../address.ts'
import type { Family, NodeConfig, Problem } from '../model.ts'
import type { Chain, ChainName, Element, Rule, SetDeclaration, SetName } from '../nft/model.ts'
import { words } from '../nft/names.ts'
import { chainNames as chain, setNames as set } from './names.ts'

export interface Layout {
  readonly chains: ReadonlyMap<ChainName, Chain>
  readonly sets: ReadonlyMap<SetName, SetDeclaration>
  /** Of the set that the configuration fills. */
  readonly podRanges: readonly Element[]
  readonly problems: readonly Problem[]
}

export function layoutOf(family: Family, config: NodeConfig): Layout {
  const problems: Problem[] = []
  const { pods } = config
  const known = (pods.kind === 'cidrs' ? pods.cidrs : []).flatMap((text) => {
    const cidr = canonicalCIDR(family, text)
    if (cidr === undefined) problems.push({ what: 'pod range is no range of this IP family', value: text })
    return cidr ?? []
  })
  for (const text of config.nodePortAddresses)
    if (canonicalCIDR(family, text) === undefined) problems.push({ what: 'node port address is no range of this IP family', value: text })
  if (family === 'ip' && config.localhostNodePorts)
    problems.push({ what: 'mode ipvs has no NodePorts on 127.0.0.0/8: take another mode, or do without', value: 'localhostNodePorts: true' })
  return {
    chains: new Map(chainsOf(family, config).map((c) => [c.name, c])),
    sets: new Map(setsOf(family).map((s) => [s.name, s])),
    podRanges: disjointCIDRs(family, known).map((key) => ({ key })),
    problems,
  }
}

function chainsOf(family: Family, config: NodeConfig): readonly Chain[] {
  const { ip } = words[family]
  const bit = `0x${(2 ** config.masqueradeBit).toString(16).padStart(8, '0')}`
  const front = `${ip} daddr . meta l4proto . th dport`
  const mark = `meta mark set meta mark | ${bit}`
  const unmark = `meta mark @${set.marks} meta mark set 0x00000000`
  const isPod = podMatch(ip, config)
  return [
    baseChain(chain.arriving, 'filter hook input priority 90', [`ct state new goto ${chain.front}`]),
    // Not what IPVS has forwarded: that keeps its foreign source.
    baseChain(chain.leaving, 'filter hook output priority -110', [`ct state new fib saddr type local goto ${chain.front}`]),
    chainOf(chain.front, [
      `${front} @${set.restricted} ${front} . ${ip} saddr != @${set.sourceRanges} drop`,
      // The node takes the virtual address itself as its source, and no other node would send answers back here.
      `${ip} saddr @${set.addresses} ${mark}`,
      `${front} vmap @${set.services}`,
    ]),
    chainOf(chain.clusterIP, strangers(ip, config, mark)),
    chainOf(chain.external, [mark]),
    chainOf(chain.externalLocal, [
      ...(isPod === undefined ? [] : [`${isPod} accept`]),
      `fib saddr type local ${mark} accept`,
      `meta mark set ${front} map @${set.outsiders} accept`,
      'drop',
    ]),
    // After IPVS: what is still here for an address of ours, IPVS did not want.
    baseChain(chain.unserved, 'filter hook input priority 110', [unmark, `ct state new ${ip} daddr @${set.addresses} goto ${chain.refuse}`]),
    chainOf(chain.refuse, ['reject with tcp reset', 'reject']),
    // The marks of outsiders are IPVS's business only, and are gone before anybody else looks at the packet again.
    baseChain(chain.unmark, 'filter hook output priority -300', [unmark]),
    baseChain(chain.forward, 'filter hook forward priority 0', config.dropInvalid ? ['ct state invalid drop'] : []),
    baseChain(chain.postrouting, 'nat hook postrouting priority 100', [
      `meta mark & ${bit} != 0x00000000 meta mark set meta mark ^ ${bit} masquerade fully-random`,
      `${ip} saddr . ${ip} daddr @${set.hairpin} masquerade fully-random`,
    ]),
  ]
}

const chainOf = (name: ChainName, rules: readonly Rule[]): Chain => ({ name, rules })
const baseChain = (name: ChainName, hook: string, rules: readonly Rule[]): Chain => ({ name, base: `type ${hook}; policy accept;`, rules })

function podMatch(ip: string, { pods }: NodeConfig): Rule | undefined {
  switch (pods.kind) {
    case 'cidrs':
      return `${ip} saddr @${set.podRanges}`
    case 'interface':
      return `iifname "${pods.name}${pods.match === 'prefix' ? '*' : ''}"`
    case 'none':
      return undefined
  }
}

/** Who is no pod. The node's own packets came in on no interface, which kernels compare in different ways. */
function strangers(ip: string, config: NodeConfig, mark: string): readonly Rule[] {
  const isPod = podMatch(ip, config)
  if (config.masqueradeAll) return [mark]
  if (isPod === undefined) return []
  if (config.pods.kind === 'interface') return [`fib saddr type local ${mark} accept`, `${isPod.replace('iifname', 'iifname !=')} ${mark}`]
  return [`${isPod.replace('saddr', 'saddr !=')} ${mark}`]
}

function setsOf(family: Family): readonly SetDeclaration[] {
  const { addressType } = words[family]
  const front = `${addressType} . inet_proto . inet_service`
  return [
    { name: set.services, kind: 'map', type: `type ${front} : verdict;` },
    { name: set.outsiders, kind: 'map', type: `type ${front} : mark;` },
    { name: set.marks, kind: 'set', type: 'type mark;' },
    { name: set.addresses, kind: 'set', type: `type ${addressType};` },
    { name: set.restricted, kind: 'set', type: `type ${front};` },
    { name: set.sourceRanges, kind: 'set', type: `type ${front} . ${addressType}; flags interval;` },
    { name: set.hairpin, kind: 'set', type: `type ${addressType} . ${addressType};` },
    { name: set.podRanges, kind: 'set', type: `type ${addressType}; flags interval;` },
  ]
}
