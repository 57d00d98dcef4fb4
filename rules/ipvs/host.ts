/** What of this host matters: its addresses, and those of them on which NodePorts answer. */
import { canonicalAddress, cidrContains, unicastFault } from '../address.ts'
import type { Family, NodeConfig } from '../model.ts'

export interface HostFacts {
  /** On other devices than ours. They are the node's own, and are never put on our device. */
  readonly owned: ReadonlySet<string>
  readonly nodePortAddresses: readonly string[]
}

/** IPVS has no virtual server for "any address of the node": each needs its own. Loopback and link-local addresses get none. */
export function hostFacts(family: Family, hostAddresses: readonly string[], config: NodeConfig): HostFacts {
  const owned = new Set(hostAddresses.flatMap((text) => canonicalAddress(family, text) ?? []))
  return {
    owned,
    nodePortAddresses: [...owned]
      .filter((address) => !unicastFault(family, address) && config.nodePortAddresses.some((range) => cidrContains(range, address)))
      .sort(),
  }
}
