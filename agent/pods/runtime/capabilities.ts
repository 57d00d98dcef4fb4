/** Linux capabilities (capabilities(7)) of a container: the usual set, what is added to it and what is dropped from it. */

/** What containerd gives to every container that is not privileged. */
const usual = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
] as const

const special = [
  'CAP_AUDIT_CONTROL',
  'CAP_AUDIT_READ',
  'CAP_BLOCK_SUSPEND',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
  'CAP_DAC_READ_SEARCH',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_LEASE',
  'CAP_LINUX_IMMUTABLE',
  'CAP_MAC_ADMIN',
  'CAP_MAC_OVERRIDE',
  'CAP_NET_ADMIN',
  'CAP_NET_BROADCAST',
  'CAP_PERFMON',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_MODULE',
  'CAP_SYS_NICE',
  'CAP_SYS_PACCT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
] as const

export const knownCapabilities: ReadonlySet<string> = new Set([...usual, ...special])

/** `net_admin` and `CAP_NET_ADMIN` are the same. */
export function capabilityName(name: string): string {
  const upper = name.toUpperCase()
  return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`
}

/**
 * What to add to and take from the usual set. A name that is both dropped by `ALL` and added stays, as in Kubernetes.
 * @returns full names, in a fixed order
 */
export function capabilityChange(wish: { readonly add: readonly string[]; readonly drop: readonly string[] }): {
  readonly add: readonly string[]
  readonly drop: readonly string[]
} {
  const add = new Set(wish.add.map(capabilityName))
  const drop = new Set(wish.drop.map(capabilityName))
  const keeps = (name: string): boolean => {
    if (drop.has(name)) return false
    if (add.has('ALL') || add.has(name)) return true
    return !drop.has('ALL') && (usual as readonly string[]).includes(name)
  }
  return { add: special.filter(keeps), drop: usual.filter((name) => !keeps(name)) }
}
