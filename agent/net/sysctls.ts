/** Kernel settings that a node needs for routing its pods' packets (Documentation/networking/ip-sysctl). */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface SysctlProblem {
  /** e.g. `net/ipv4/ip_forward` */
  readonly name: string
  readonly wanted: string
  readonly message: string
}

/**
 * Sets what is not set yet; /proc/sys/net is that of our own network namespace.
 * @param families which ones pods have addresses of
 * @returns what could not be set; the node cannot route pods' packets then
 */
export function setForwarding(families: readonly ('ipv4' | 'ipv6')[], root = '/proc/sys'): readonly SysctlProblem[] {
  const names = { ipv4: 'net/ipv4/ip_forward', ipv6: 'net/ipv6/conf/all/forwarding' }
  return families.flatMap((family) => setSysctl(root, names[family], '1'))
}

function setSysctl(root: string, name: string, wanted: string): readonly SysctlProblem[] {
  try {
    const file = join(root, name)
    if (readFileSync(file, 'utf8').trim() !== wanted) writeFileSync(file, wanted)
    return []
  } catch (e) {
    return [{ name, wanted, message: `${name} could not be set to ${wanted}: ${(e as Error).message}` }]
  }
}
