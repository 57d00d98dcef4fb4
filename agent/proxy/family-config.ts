/** The proxy's configuration as the rules of one IP family need it. */
import { isIP } from 'node:net'
import { allAddresses, familyOf } from '../../rules/address.ts'
import type { Family, NodeConfig, PodSources } from '../../rules/model.ts'
import type { DetectLocal, ProxyConfig } from './config/proxy-config.ts'
import { primary, type NodeFacts } from './own-node.ts'

export function familyConfig(config: ProxyConfig, facts: NodeFacts, family: Family): NodeConfig {
  const nodeAddresses = ownAddresses(config, facts).filter((a) => familyOf(a) === family)
  return {
    pods: podsOf(config.detectLocal, facts, family),
    masqueradeAll: config.masqueradeAll,
    masqueradeBit: config.masqueradeBit,
    nodePortAddresses: nodePortsOf(config, nodeAddresses, family),
    localhostNodePorts: config.localhostNodePorts && family === 'ip',
    nodeAddresses,
    dropInvalid: !config.conntrack.tcpBeLiberal,
  }
}

/** An address that the configuration names goes before those of the Node object. */
export function ownAddresses({ bindAddress }: ProxyConfig, { addresses }: NodeFacts): readonly string[] {
  const named = isIP(bindAddress) !== 0 && !/^(0\.0\.0\.0|::)$/.test(bindAddress) ? [bindAddress] : []
  return primary([...named, ...addresses])
}

function podsOf(detect: DetectLocal, facts: NodeFacts, family: Family): PodSources {
  switch (detect.kind) {
    case 'interface':
      return detect
    case 'cluster-cidr':
    case 'node-cidr': {
      // One range of each family is all that is looked at (KubeProxyConfiguration.detectLocalMode).
      const cidr = (detect.kind === 'node-cidr' ? facts.podCIDRs : detect.cidrs).find((c) => familyOf(c) === family)
      return cidr === undefined ? { kind: 'none' } : { kind: 'cidrs', cidrs: [cidr] }
    }
  }
}

function nodePortsOf({ nodePortAddresses: { all, primary: own, cidrs } }: ProxyConfig, nodeAddresses: readonly string[], family: Family): readonly string[] {
  const mine = cidrs.filter((c) => familyOf(c) === family)
  // Ranges of the other family alone leave this one open, as in kube-proxy.
  if (all || mine.includes(allAddresses[family]) || (!own && mine.length === 0)) return [allAddresses[family]]
  return [...new Set([...(own ? nodeAddresses : []), ...mine])]
}
