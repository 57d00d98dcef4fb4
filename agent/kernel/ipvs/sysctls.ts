/** What IPVS needs set in the kernel (Documentation/networking/ipvs-sysctl, ip-sysctl). */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Family } from '../../../rules/model.ts'
import { KernelError } from '../errors.ts'

export interface SysctlOptions {
  readonly family: Family
  /** Addresses are answered for by ARP on the interface alone that has them: needed where others announce load balancer IPs. */
  readonly strictARP: boolean
  /** `/proc/sys`; that of this process's network namespace counts. */
  readonly root: string
}

/**
 * Sets what is not set yet.
 * @throws KernelError SETUP, with the name and the value
 */
export function setIpvsSysctls({ family, strictARP, root }: SysctlOptions): void {
  const wanted = {
    // So that connection tracking knows the endpoint, and what is masqueraded finds its way back.
    'net/ipv4/vs/conntrack': '1',
    // A flow to an endpoint that was taken away chooses anew.
    'net/ipv4/vs/expire_nodest_conn': '1',
    // Affinity yields when its endpoint has weight 0.
    'net/ipv4/vs/expire_quiescent_template': '1',
    [family === 'ip' ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding']: '1',
    ...(strictARP && { 'net/ipv4/conf/all/arp_ignore': '1', 'net/ipv4/conf/all/arp_announce': '2' }),
  }
  for (const [name, value] of Object.entries(wanted)) {
    try {
      const file = join(root, name)
      if (readFileSync(file, 'utf8').trim() !== value) writeFileSync(file, value)
    } catch (cause) {
      throw new KernelError('SETUP', `ipvs: ${name} could not be set to ${value}; set it by hand, or use mode nftables`, { cause })
    }
  }
}
