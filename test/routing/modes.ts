/** The modes with their tracers, as the suite asks them, and how another hand harms each. */
import * as iptables from '../../rules/iptables/index.ts'
import * as ipvs from '../../rules/ipvs/index.ts'
import type { ModeName } from '../../rules/mode.ts'
import type { Family, NodeView } from '../../rules/model.ts'
import * as nft from '../../rules/nft/index.ts'
import type { Host, Journey, Packet } from '../../rules/packet.ts'

export interface TracedMode {
  readonly name: ModeName
  outcomes(family: Family, view: NodeView, host: Host, packet: Packet): readonly Journey[]
}

export const tracedModes: readonly TracedMode[] = [
  { name: 'nftables', outcomes: (family, view, host, packet) => nft.outcomes(nft.rulesetOf(family, view), host, packet) },
  { name: 'iptables', outcomes: (family, view, host, packet) => iptables.outcomes(iptables.rulesetOf(family, view), host, packet) },
  { name: 'ipvs', outcomes: (family, view, host, packet) => ipvs.outcomes(ipvs.rulesetOf(family, view, host.addresses), host, packet) },
]

/** Programs that empty the place where packets meet our rules first. */
export const disturbances: Readonly<Record<ModeName, (family: Family) => readonly string[]>> = {
  nftables: (family) => ['nft', 'flush', 'chain', family, 'wherry', 'nat-prerouting'],
  iptables: (family) => [family === 'ip' ? 'iptables' : 'ip6tables', '-t', 'nat', '-F', 'PREROUTING'],
  ipvs: () => ['ipvsadm', '-C'],
}
