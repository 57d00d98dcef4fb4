/** The chains that every node has, and what leads into them. Where chains of services come in, only head and tail are fixed. */
import { canonicalCIDR, disjointCIDRs } from '../address.ts'
import type { Family, NodeConfig, Problem } from '../model.ts'
import type { HookName, Rule, TableName } from './model.ts'
import { chainNames, placeOf, type Place } from './names.ts'
import { addressWords, clearMark, commentWords, destinationIsLocal, markedWords, masquerade, setMark, translated } from './words.ts'

/** What stands before and after the rules that lead to other chains. */
export interface Frame {
  readonly head: readonly Rule[]
  readonly tail: readonly Rule[]
}

export interface Layout {
  readonly frames: ReadonlyMap<Place, Frame>
  /** Matches of sources that are pods, one rule each; empty where pods cannot be told, or where nobody is one. */
  readonly pods: readonly string[]
  readonly problems: readonly Problem[]
}

/** One rule in each of the kernel's chains that our chains hang on. */
export const jumps: ReadonlyMap<TableName, ReadonlyMap<HookName, Rule>> = new Map<TableName, ReadonlyMap<HookName, Rule>>([
  ['filter', new Map<HookName, Rule>([
    ['INPUT', jump('services that are refused', chainNames.input)],
    ['FORWARD', jump('service traffic', chainNames.forward)],
    ['OUTPUT', jump('services that are refused', chainNames.output)],
  ])],
  ['nat', new Map<HookName, Rule>([
    ['PREROUTING', jump('services to their endpoints', chainNames.services)],
    ['OUTPUT', jump('services to their endpoints', chainNames.services)],
    ['POSTROUTING', jump('service traffic that is masqueraded', chainNames.postrouting)],
  ])],
])

function jump(comment: string, chain: string): Rule {
  return `${commentWords(comment)}-j ${chain}`
}

export function layoutOf(family: Family, config: NodeConfig): Layout {
  const problems: Problem[] = []
  const ranges = (what: string, texts: readonly string[]): readonly string[] => {
    const known = texts.flatMap((text) => {
      const cidr = canonicalCIDR(family, text)
      if (cidr === undefined) problems.push({ what: `${what} is no range of this IP family`, value: text })
      return cidr ?? []
    })
    return disjointCIDRs(family, known)
  }
  const { pods: sources } = config
  const pods =
    sources.kind === 'cidrs'
      ? ranges('pod range', sources.cidrs).map((cidr) => addressWords('-s', family, cidr))
      : sources.kind === 'interface'
        ? [`-i ${sources.name}${sources.match === 'prefix' ? '+' : ''} `]
        : []
  const nodePorts = ranges('node port address', config.nodePortAddresses).map((cidr) => `${addressWords('-d', family, cidr)}${destinationIsLocal}`)
  return { frames: new Map([...natFrames(family, config, pods, nodePorts), ...filterFrames(family, config, nodePorts)]), pods, problems }
}

const frame = (table: TableName, chain: string, head: readonly Rule[], tail: readonly Rule[] = []): [Place, Frame] => [placeOf(table, chain), { head, tail }]

function* natFrames(family: Family, config: NodeConfig, pods: readonly string[], nodePorts: readonly string[]): Generator<[Place, Frame]> {
  yield frame('nat', chainNames.services, [], nodePorts.map((match) => `${match}-j ${chainNames.nodePorts}`))
  yield frame('nat', chainNames.nodePorts, loopback(family, config))
  yield frame('nat', chainNames.strangers, [...pods.map((match) => `${match}-j RETURN`), setMark(config)])
  yield frame('nat', chainNames.postrouting, [
    `${markedWords(config)}-j ${chainNames.masquerade}`,
    // Only an endpoint that was chosen for its own packet meets a rule there.
    `${translated}-j ${chainNames.hairpin}`,
  ])
  yield frame('nat', chainNames.masquerade, [clearMark(config), masquerade])
  yield frame('nat', chainNames.hairpin, [])
}

function* filterFrames(family: Family, config: NodeConfig, nodePorts: readonly string[]): Generator<[Place, Frame]> {
  const refuse = `-m conntrack --ctstate NEW -j ${chainNames.refuse}`
  yield frame('filter', chainNames.input, [
    `-p tcp -j ${chainNames.healthChecks}`,
    refuse,
    // With route_localnet, which NodePorts on 127.0.0.1 need, nobody outside may reach what listens there.
    ...(family === 'ip' && config.localhostNodePorts ? ['-d 127.0.0.0/8 ! -i lo -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP'] : []),
  ])
  yield frame('filter', chainNames.output, [refuse])
  yield frame('filter', chainNames.forward, [
    ...(config.dropInvalid ? ['-m conntrack --ctstate INVALID -j DROP'] : []),
    refuse,
    `${markedWords(config)}-j ACCEPT`,
    '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  ])
  yield frame('filter', chainNames.refuse, [`${translated}-j RETURN`], nodePorts.map((match) => `${match}-j ${chainNames.refuseNodePorts}`))
  yield frame('filter', chainNames.healthChecks, [])
  yield frame('filter', chainNames.refuseNodePorts, loopback(family, config))
}

/** NodePorts do not answer on loopback addresses, unless that is asked for; on ::1 they never do. */
function loopback(family: Family, config: NodeConfig): readonly Rule[] {
  if (family === 'ip6') return ['-d ::1/128 -j RETURN']
  return config.localhostNodePorts ? [] : ['-d 127.0.0.0/8 -j RETURN']
}

