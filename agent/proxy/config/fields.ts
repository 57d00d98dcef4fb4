/**
 * The fields of KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1), one row each: where it stands, what it may hold,
 * and whether it means anything here. Fields of older releases are among them, so that an old file is taken, too.
 */

/** `open`: anything at all, for sections that are accepted unread. */
export type FieldKind = 'text' | 'yesno' | 'whole' | 'number' | 'duration' | 'texts' | 'gates' | 'open'

export interface Field {
  readonly path: string
  readonly kind: FieldKind
  /** Set where the field is accepted and has no effect: why, for the log. */
  readonly moot?: string
}

const atOnce = 'a change costs what it changes, and is made at once'

const rows: readonly (readonly [path: string, kind: FieldKind, moot?: string])[] = [
  ['apiVersion', 'text'],
  ['kind', 'text'],
  ['mode', 'text'],
  ['hostnameOverride', 'text'],
  ['bindAddress', 'text'],
  ['healthzBindAddress', 'text'],
  ['metricsBindAddress', 'text'],
  ['bindAddressHardFail', 'yesno'],
  ['clusterCIDR', 'text'],
  ['detectLocalMode', 'text'],
  ['detectLocal.bridgeInterface', 'text'],
  ['detectLocal.interfaceNamePrefix', 'text'],
  ['nodePortAddresses', 'texts'],
  ['oomScoreAdj', 'whole'],
  ['clientConnection.kubeconfig', 'text'],
  ['clientConnection.acceptContentTypes', 'text', 'JSON is spoken'],
  ['clientConnection.contentType', 'text', 'JSON is spoken'],
  ['clientConnection.qps', 'number', 'three watches need no limit'],
  ['clientConnection.burst', 'whole', 'three watches need no limit'],
  ['conntrack.maxPerCore', 'whole'],
  ['conntrack.min', 'whole'],
  ['conntrack.tcpEstablishedTimeout', 'duration'],
  ['conntrack.tcpCloseWaitTimeout', 'duration'],
  ['conntrack.tcpBeLiberal', 'yesno'],
  ['conntrack.udpTimeout', 'duration'],
  ['conntrack.udpStreamTimeout', 'duration'],
  ...(['iptables', 'nftables'] as const).flatMap(
    (mode) =>
      [
        [`${mode}.masqueradeAll`, 'yesno'],
        [`${mode}.masqueradeBit`, 'whole'],
        [`${mode}.syncPeriod`, 'duration'],
        [`${mode}.minSyncPeriod`, 'duration', atOnce],
      ] as const,
  ),
  ['iptables.localhostNodePorts', 'yesno'],
  ['iptables.snatNodeInternalIP', 'yesno', 'not supported: masquerade takes the address of the outgoing interface'],
  ['ipvs.scheduler', 'text'],
  ['ipvs.excludeCIDRs', 'texts'],
  ['ipvs.strictARP', 'yesno'],
  ['ipvs.tcpTimeout', 'duration'],
  ['ipvs.tcpFinTimeout', 'duration'],
  ['ipvs.udpTimeout', 'duration'],
  ['ipvs.syncPeriod', 'duration'],
  ['ipvs.minSyncPeriod', 'duration', atOnce],
  ['logging.verbosity', 'whole'],
  ['logging.format', 'text', 'the log is JSON lines'],
  ['logging.flushFrequency', 'open', 'lines are written at once'],
  ['logging.vmodule', 'open', 'one level counts for all'],
  ['logging.options', 'open', 'the log is JSON lines'],
  ['configSyncPeriod', 'duration', 'nothing is listed again without need'],
  ['enableProfiling', 'yesno', 'there is no pprof'],
  ['featureGates', 'gates', 'there are no gates'],
  ['showHiddenMetricsForVersion', 'text', 'no metrics are hidden'],
  ['portRange', 'text', 'of the userspace mode'],
  ['udpIdleTimeout', 'duration', 'of the userspace mode'],
  ['resourceContainer', 'text', 'of an older release'],
  ['healthzPort', 'whole', 'of an older release: use healthzBindAddress'],
  ['metricsPort', 'whole', 'of an older release: use metricsBindAddress'],
  ['winkernel', 'open', 'for Windows'],
  ['windows', 'open', 'for Windows'],
  ['windowsRunAsService', 'yesno', 'for Windows'],
]

export const fields: readonly Field[] = rows.map(([path, kind, moot]) => ({ path, kind, ...(moot !== undefined && { moot }) }))

const byPath = new Map(fields.map((field) => [field.path, field]))
const sections = new Set(fields.flatMap(({ path }) => (path.includes('.') ? [path.slice(0, path.indexOf('.'))] : [])))

export const fieldAt = (path: string): Field | undefined => byPath.get(path)

/** Whether a path is a map of fields and no field itself. */
export const isSection = (path: string): boolean => sections.has(path)

/** The field that somebody probably meant: the same letters in another case, or one letter more, less or other. */
export function nearestField(path: string): string | undefined {
  const name = path.toLowerCase()
  const known = [...byPath.keys(), ...sections]
  return known.find((k) => k.toLowerCase() === name) ?? known.find((k) => within(k.toLowerCase(), name)) ?? moved(path, known)
}

/** A right name in the wrong section. */
function moved(path: string, known: readonly string[]): string | undefined {
  const name = path.slice(path.lastIndexOf('.') + 1).toLowerCase()
  return known.find((k) => k.slice(k.lastIndexOf('.') + 1).toLowerCase() === name)
}

function within(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false
  let start = 0
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++
  let end = 0
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++
  return Math.max(a.length, b.length) - start - end <= 1
}
