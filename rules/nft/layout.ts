/**
 * The chains, rules and sets of the table. No chain and no set belongs to one service: a packet meets a fixed number of rules,
 * and a change costs its own elements. docs/layout.md walks through it.
 *
 * Every rule is in the words in which nft prints it. Priorities are numbers, because versions of nft differ in when they
 * print a name. A NodePort is looked up under the address 0.0.0.0 or ::, which `daddr & 0.0.0.0` makes of any address.
 */
import { anyAddress, canonicalCIDR, disjointCIDRs } from '../address.ts'
import type { Family, NodeConfig, Problem } from '../model.ts'
import { durationText, portMask } from './affinity.ts'
import type { Chain, ChainName, Element, Rule, SetDeclaration, SetName } from './model.ts'
import { chainNames as chain, extensionName, extensionOf, setNames as set, words, type Extension } from './names.ts'

export interface Layout {
  readonly family: Family
  readonly chains: ReadonlyMap<ChainName, Chain>
  readonly sets: ReadonlyMap<SetName, SetDeclaration>
  /** Of the two sets that the configuration fills. */
  readonly elements: ReadonlyMap<SetName, readonly Element[]>
  readonly problems: readonly Problem[]
}

/** What an extension adds to the table: a set, and rules at the end of chains. */
export interface ExtensionParts {
  readonly set: SetDeclaration
  readonly rules: readonly (readonly [ChainName, Rule])[]
}

export function layoutOf(family: Family, config: NodeConfig): Layout {
  const problems: Problem[] = []
  const ranges = (what: string, texts: readonly string[]): readonly Element[] => {
    const known = texts.flatMap((text) => {
      const cidr = canonicalCIDR(family, text)
      if (cidr === undefined) problems.push({ what: `${what} is no range of this IP family`, value: text })
      return cidr ?? []
    })
    return disjointCIDRs(family, known).map((key) => ({ key }))
  }
  const text = ruleTexts(family, config)
  return {
    family,
    chains: new Map([...natChains(text), ...affinityChains(text), ...filterChains(text)].map((c) => [c.name, c])),
    sets: new Map(fixedSets(family).map((s) => [s.name, s])),
    elements: new Map([
      [set.podRanges, config.pods.kind === 'cidrs' ? ranges('pod range', config.pods.cidrs) : []],
      [set.nodePortAddresses, ranges('node port address', config.nodePortAddresses)],
    ]),
    problems,
  }
}

/** @param extension with as many slots, or seconds, as its number says */
export function extensionParts(family: Family, extension: Extension): ExtensionParts {
  const { ip } = words[family]
  const name = extensionName(extension)
  if (extension.kind === 'affinity-members') {
    const member = `meta priority & ${portMask} . ${ip} daddr . th dport`
    const update = `update @${set.affinity} { meta priority & ${portMask} . ${client[family]} timeout ${durationText(extension.number)} : meta priority }`
    return {
      set: { name, kind: 'map', type: `typeof meta priority . ${ip} daddr . th dport : meta priority;` },
      rules: [[chain.learn, `meta priority set ${member} map @${name} ${update} meta priority set none`]],
    }
  }
  const slot = `numgen random mod ${extension.number}`
  const { front, nodePort } = frontKeys(family)
  const [chains, key] =
    extension.kind === 'endpoints'
      ? [[chain.endpoints, chain.nodePortEndpoints] as const, front]
      : [[chain.outsiders, chain.nodePortOutsiders] as const, front]
  return {
    set: { name, kind: 'map', type: `typeof ${key} . ${slot} : ${ip} daddr . th dport; counter;` },
    rules: [
      [chains[0], `dnat ${ip} to ${front} . ${slot} map @${name}`],
      [chains[1], `dnat ${ip} to ${nodePort} . ${slot} map @${name}`],
    ],
  }
}

function frontKeys(family: Family) {
  const { ip } = words[family]
  return {
    front: `${ip} daddr . meta l4proto . th dport`,
    nodePort: `${ip} daddr & ${anyAddress[family]} . meta l4proto . th dport`,
  }
}

/**
 * Who a client is. Of IPv6 the last 96 bits of the source address, as nft 1.0.6 overwrites what lies behind the first 16 bytes
 * in the key of a map that packets write to.
 */
const client: Readonly<Record<Family, string>> = { ip: 'ip saddr', ip6: '@nh,96,96' }

/** The parts from which rules are put together. */
interface Texts {
  readonly family: Family
  readonly config: NodeConfig
  readonly ip: string
  readonly front: string
  readonly nodePort: string
  /** Begins every rule about a NodePort. */
  readonly toNode: string
  readonly mark: string
  readonly bit: string
  /** All bits but that. */
  readonly noBit: string
  /** Matches sources that are pods, by what the packet shows in prerouting; absent where pods cannot be told. */
  readonly isPod?: string
  readonly notAllowed: string
}

function ruleTexts(family: Family, config: NodeConfig): Texts {
  const { ip } = words[family]
  const { front, nodePort } = frontKeys(family)
  const bit = hex(2 ** config.masqueradeBit)
  const { pods } = config
  const loopback = family === 'ip6' ? ' ip6 daddr != ::1' : config.localhostNodePorts ? '' : ' ip daddr != 127.0.0.0/8'
  const isPod =
    pods.kind === 'cidrs'
      ? `${ip} saddr @${set.podRanges}`
      : pods.kind === 'interface'
        ? `iifname "${pods.name}${pods.match === 'prefix' ? '*' : ''}"`
        : undefined
  return {
    family, config, ip, front, nodePort, bit,
    noBit: hex(2 ** 32 - 1 - 2 ** config.masqueradeBit),
    toNode: `${ip} daddr @${set.nodePortAddresses} fib daddr type local${loopback}`,
    mark: `meta mark set meta mark | ${bit}`,
    ...(isPod !== undefined && { isPod }),
    notAllowed: `${front} @${set.restricted} ${front} . ${ip} saddr != @${set.sourceRanges} drop`,
  }
}

const hex = (number: number): string => `0x${number.toString(16).padStart(8, '0')}`
const chainOf = (name: ChainName, rules: readonly Rule[]): Chain => ({ name, rules })
const baseChain = (name: ChainName, hook: string, rules: readonly Rule[]): Chain => ({ name, base: `type ${hook}; policy accept;`, rules })

function natChains(t: Texts): readonly Chain[] {
  const { ip, front, nodePort, mark, isPod, config } = t
  const toService = `${ip} daddr @${set.serviceRanges}`
  const toExternal = `${ip} daddr @${set.externalRanges}`
  const translate = (hook: 'prerouting' | 'output'): readonly Rule[] => [
    ...strangers(t, hook),
    // Most packets to services are done here. Whether it is a cluster IP is not asked: what no map has comes back.
    `${toService} ${ip} daddr != @${set.externalRanges} jump ${chain.endpoints}`,
    // An external IP may be somebody's cluster IP, too; its ports are more exact.
    `${toExternal} ${front} @${set.external} goto ${chain.external}`,
    `${toExternal} ${front} @${set.externalLocal} goto ${chain.externalLocal}`,
    `${toExternal} ${toService} jump ${chain.endpoints}`,
    `${t.toNode} goto ${chain.nodePorts}`,
  ]
  /** Who is served by every node's endpoints although the policy is Local: pods keep their address, the node cannot. */
  const shortcut = (to: ChainName): readonly Rule[] => [
    ...(isPod === undefined ? [] : [`${isPod} goto ${to}`]),
    `fib saddr type local ${mark} goto ${to}`,
  ]
  return [
    baseChain(chain.natPrerouting, 'nat hook prerouting priority -100', translate('prerouting')),
    baseChain(chain.natOutput, 'nat hook output priority -100', translate('output')),
    chainOf(chain.external, [t.notAllowed, `${mark} goto ${chain.endpoints}`]),
    // What was marked as for a cluster IP of the same address.
    chainOf(chain.externalLocal, [t.notAllowed, `meta mark set meta mark & ${t.noBit}`, ...shortcut(chain.endpoints), `goto ${chain.outsiders}`]),
    chainOf(chain.nodePorts, [
      `${nodePort} @${set.external} ${mark} goto ${chain.nodePortEndpoints}`,
      `${nodePort} @${set.externalLocal} goto ${chain.nodePortsLocal}`,
    ]),
    chainOf(chain.nodePortsLocal, [...shortcut(chain.nodePortEndpoints), `goto ${chain.nodePortOutsiders}`]),
    baseChain(chain.natPostrouting, 'nat hook postrouting priority 100', [
      // nft prints the first bit alone as a prefix.
      `${config.masqueradeBit === 31 ? 'meta mark != 0x00000000/1' : `meta mark & ${t.bit} != 0x00000000`} meta mark set meta mark ^ ${t.bit} masquerade fully-random`,
      `ct status dnat ${ip} saddr . ${ip} daddr @${set.hairpin} masquerade fully-random`,
    ]),
  ]
}

/** Traffic to a cluster IP from sources that are no pods is masqueraded. The node's own packets came in on no interface. */
function strangers({ ip, config, isPod, mark }: Texts, hook: 'prerouting' | 'output'): readonly Rule[] {
  const toService = `${ip} daddr @${set.clusterIPs}`
  if (config.masqueradeAll) return [`${toService} ${mark}`]
  if (isPod === undefined) return []
  if (config.pods.kind === 'interface') return hook === 'output' ? [`${toService} ${mark}`] : [`${isPod.replace('iifname', 'iifname !=')} ${toService} ${mark}`]
  return [`${isPod.replace('saddr', 'saddr !=')} ${toService} ${mark}`]
}

/**
 * Affinity: before the choice a remembered client is led to its endpoint, if that is still among those that may be chosen;
 * after the translation (-99), the choice is remembered.
 */
function affinityChains({ family, ip, front, nodePort }: Texts): readonly Chain[] {
  const ask = (key: string, to: ChainName): readonly Rule[] => [`meta priority set ${key} map @${set.affinityIds} jump ${to}`]
  const recall = (name: ChainName, key: string, map: SetName): Chain =>
    chainOf(name, [
      `meta priority set meta priority . ${client[family]} map @${set.affinity}`,
      `dnat ${ip} to ${key} . meta priority map @${map}`,
      `meta priority set meta priority & ${portMask}`,
      `delete @${set.affinity} { meta priority . ${client[family]} : meta priority }`,
    ])
  const learn = [`ct state new ct status dnat goto ${chain.learn}`]
  return [
    chainOf(chain.endpoints, ask(front, chain.remembered)),
    chainOf(chain.outsiders, ask(front, chain.rememberedOutsiders)),
    chainOf(chain.nodePortEndpoints, ask(nodePort, chain.nodePortRemembered)),
    chainOf(chain.nodePortOutsiders, ask(nodePort, chain.nodePortRememberedOutsiders)),
    recall(chain.remembered, front, set.rememberedEndpoints),
    recall(chain.rememberedOutsiders, front, set.rememberedOutsiders),
    recall(chain.nodePortRemembered, nodePort, set.rememberedEndpoints),
    recall(chain.nodePortRememberedOutsiders, nodePort, set.rememberedOutsiders),
    baseChain(chain.learnPrerouting, 'filter hook prerouting priority -99', learn),
    baseChain(chain.learnOutput, 'filter hook output priority -99', learn),
    chainOf(chain.learn, []),
  ]
}

/**
 * What was not translated at -100 is refused at -90; that early, no route to a virtual address is needed for packets from
 * outside. `reject with tcp reset` matches TCP only; a bare `reject` answers port-unreachable.
 */
function filterChains(t: Texts): readonly Chain[] {
  const { ip, front, nodePort, config, family } = t
  const untranslated = [`ct state new goto ${chain.untranslated}`]
  return [
    baseChain(chain.untranslatedPrerouting, 'filter hook prerouting priority -90', untranslated),
    baseChain(chain.untranslatedOutput, 'filter hook output priority -90', untranslated),
    chainOf(chain.untranslated, [
      'ct status dnat return',
      t.notAllowed,
      `${front} @${set.refused} goto ${chain.refuse}`,
      `${front} @${set.externalLocal} drop`,
      `${ip} daddr @${set.clusterIPs} goto ${chain.untranslatedClusterIP}`,
      `${t.toNode} goto ${chain.untranslatedNodePort}`,
    ]),
    chainOf(chain.untranslatedClusterIP, [`${front} @${set.dropped} drop`, `goto ${chain.refuse}`]),
    chainOf(chain.untranslatedNodePort, [`${nodePort} @${set.refused} goto ${chain.refuse}`, `${nodePort} @${set.externalLocal} drop`]),
    chainOf(chain.refuse, ['reject with tcp reset', 'reject']),
    baseChain(chain.filterForward, 'filter hook forward priority 0', config.dropInvalid ? ['ct state invalid drop'] : []),
    // With route_localnet, which NodePorts on 127.0.0.1 need, nobody outside may reach what listens there.
    baseChain(chain.filterInput, 'filter hook input priority 0',
      family === 'ip' && config.localhostNodePorts ? ['ct status dnat accept', 'ip daddr 127.0.0.0/8 iifname != "lo" drop'] : []),
  ]
}

/** What a set of the layout, or of an extension, was declared as; undefined for a name that is neither. */
export function declarationOf(family: Family, name: SetName): SetDeclaration | undefined {
  const extension = extensionOf(name)
  return extension ? extensionParts(family, extension).set : fixedSets(family).find((each) => each.name === name)
}

function fixedSets(family: Family): readonly SetDeclaration[] {
  const { ip, addressType } = words[family]
  const { front } = frontKeys(family)
  const key = `${addressType} . inet_proto . inet_service`
  const named = (kind: 'set' | 'map', type: string) => (name: SetName): SetDeclaration => ({ name, kind, type })
  const remembered = `typeof ${front} . meta priority : ${ip} daddr . th dport; counter;`
  return [
    ...[set.external, set.externalLocal, set.restricted, set.refused, set.dropped].map(named('set', `type ${key};`)),
    ...[set.clusterIPs].map(named('set', `type ${addressType};`)),
    ...[set.serviceRanges, set.externalRanges, set.podRanges, set.nodePortAddresses].map(named('set', `type ${addressType}; flags interval;`)),
    ...[set.sourceRanges].map(named('set', `type ${key} . ${addressType}; flags interval;`)),
    ...[set.hairpin].map(named('set', `type ${addressType} . ${addressType};`)),
    ...[set.affinityIds].map(named('map', `type ${key} : classid;`)),
    ...[set.affinity].map(named('map', `typeof meta priority . ${client[family]} : meta priority; size 1048576; flags dynamic,timeout;`)),
    ...[set.rememberedEndpoints, set.rememberedOutsiders].map(named('map', remembered)),
  ]
}
