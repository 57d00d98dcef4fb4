/** kube-proxy's flags, as pflag reads them: `--name=value`, `--name value`, a bare `--name` for yes and no, `-v 2`. */
import { ProxyError } from '../error.ts'
import { parseDuration } from './duration.ts'
import type { Values } from './document.ts'
import { apiVersion, documentKind } from './document.ts'
import type { FieldKind } from './fields.ts'

/** A flag that sets fields of the configuration. `beside`: it counts beside a configuration file, too. */
interface FieldFlag {
  readonly kind: FieldKind
  readonly sets: readonly string[]
  readonly beside?: boolean
}

const field = (kind: FieldKind, ...sets: readonly string[]): FieldFlag => ({ kind, sets })
const beside = (kind: FieldKind, ...sets: readonly string[]): FieldFlag => ({ kind, sets, beside: true })

const fieldFlags: Readonly<Record<string, FieldFlag>> = {
  kubeconfig: field('text', 'clientConnection.kubeconfig'),
  'kube-api-content-type': field('text', 'clientConnection.contentType'),
  'kube-api-qps': field('number', 'clientConnection.qps'),
  'kube-api-burst': field('whole', 'clientConnection.burst'),
  'proxy-mode': field('text', 'mode'),
  'cluster-cidr': field('text', 'clusterCIDR'),
  'detect-local-mode': field('text', 'detectLocalMode'),
  'pod-bridge-interface': field('text', 'detectLocal.bridgeInterface'),
  'pod-interface-name-prefix': field('text', 'detectLocal.interfaceNamePrefix'),
  'hostname-override': beside('text', 'hostnameOverride'),
  'bind-address': field('text', 'bindAddress'),
  'healthz-bind-address': field('text', 'healthzBindAddress'),
  'metrics-bind-address': field('text', 'metricsBindAddress'),
  'bind-address-hard-fail': field('yesno', 'bindAddressHardFail'),
  'nodeport-addresses': field('texts', 'nodePortAddresses'),
  'masquerade-all': field('yesno', 'iptables.masqueradeAll', 'nftables.masqueradeAll'),
  'iptables-masquerade-bit': field('whole', 'iptables.masqueradeBit'),
  'iptables-localhost-nodeports': field('yesno', 'iptables.localhostNodePorts'),
  'iptables-sync-period': field('duration', 'iptables.syncPeriod', 'nftables.syncPeriod'),
  'iptables-min-sync-period': field('duration', 'iptables.minSyncPeriod', 'nftables.minSyncPeriod'),
  'ipvs-sync-period': field('duration', 'ipvs.syncPeriod'),
  'ipvs-min-sync-period': field('duration', 'ipvs.minSyncPeriod'),
  'ipvs-scheduler': field('text', 'ipvs.scheduler'),
  'ipvs-exclude-cidrs': field('texts', 'ipvs.excludeCIDRs'),
  'ipvs-strict-arp': field('yesno', 'ipvs.strictARP'),
  'ipvs-tcp-timeout': field('duration', 'ipvs.tcpTimeout'),
  'ipvs-tcpfin-timeout': field('duration', 'ipvs.tcpFinTimeout'),
  'ipvs-udp-timeout': field('duration', 'ipvs.udpTimeout'),
  'conntrack-max-per-core': field('whole', 'conntrack.maxPerCore'),
  'conntrack-min': field('whole', 'conntrack.min'),
  'conntrack-tcp-timeout-established': field('duration', 'conntrack.tcpEstablishedTimeout'),
  'conntrack-tcp-timeout-close-wait': field('duration', 'conntrack.tcpCloseWaitTimeout'),
  'conntrack-tcp-be-liberal': field('yesno', 'conntrack.tcpBeLiberal'),
  'conntrack-udp-timeout': field('duration', 'conntrack.udpTimeout'),
  'conntrack-udp-timeout-stream': field('duration', 'conntrack.udpStreamTimeout'),
  'config-sync-period': field('duration', 'configSyncPeriod'),
  'oom-score-adj': field('whole', 'oomScoreAdj'),
  'feature-gates': field('gates', 'featureGates'),
  profiling: field('yesno', 'enableProfiling'),
  'show-hidden-metrics-for-version': field('text', 'showHiddenMetricsForVersion'),
  'proxy-port-range': field('text', 'portRange'),
  'udp-timeout': field('duration', 'udpIdleTimeout'),
  v: beside('whole', 'logging.verbosity'),
  'logging-format': beside('text', 'logging.format'),
  'log-flush-frequency': beside('duration', 'logging.flushFrequency'),
  vmodule: beside('text', 'logging.vmodule'),
}

/** Flags that say what is to be done, and where the API is. They count whatever the file says. */
const commandFlags = {
  config: 'text',
  'write-config-to': 'text',
  master: 'text',
  'notes-dir': 'text',
  cleanup: 'yesno',
  'init-only': 'yesno',
  'healthz-port': 'whole',
  'metrics-port': 'whole',
  version: 'version',
  help: 'yesno',
} as const

/** Taken from people who have them in their manifests, and without effect. */
const mootFlags: Readonly<Record<string, FieldKind>> = {
  'cleanup-ipvs': 'yesno',
  'boot-id-file': 'text',
  'machine-id-file': 'text',
  'logtostderr': 'yesno',
  'alsologtostderr': 'yesno',
  'stderrthreshold': 'text',
  'log-dir': 'text',
  'log-file': 'text',
  'log-file-max-size': 'whole',
  'log-backtrace-at': 'text',
  'log-json-info-buffer-size': 'text',
  'log-json-split-stream': 'yesno',
  'log-text-info-buffer-size': 'text',
  'log-text-split-stream': 'yesno',
  'add-dir-header': 'yesno',
  'skip-headers': 'yesno',
  'skip-log-headers': 'yesno',
  'one-output': 'yesno',
  'windows-service': 'yesno',
  'network-name': 'text',
  'source-vip': 'text',
  'enable-dsr': 'yesno',
  'root-hnsendpoint-name': 'text',
  'forward-healthcheck-vip': 'yesno',
}

export interface Flags {
  readonly config?: string
  readonly writeConfigTo?: string
  readonly master?: string
  readonly notesDir?: string
  readonly cleanup: boolean
  readonly initOnly: boolean
  /** Given as empty text, or by a port of 0: no server. */
  readonly noHealthz: boolean
  readonly noMetrics: boolean
  readonly version: boolean
  readonly help: boolean
  /** Fields of the configuration by their path. */
  readonly fields: ReadonlyMap<string, Values[FieldKind]>
  /** Flags that have no effect beside a configuration file, as they were written. */
  readonly besideFile: readonly string[]
  /** Flags that have no effect at all. */
  readonly moot: readonly string[]
}

type Given = ReadonlyMap<string, Values[FieldKind]>

/** @throws ProxyError USAGE that names the flag */
export function readFlags(argv: readonly string[]): Flags {
  const given = new Map<string, Values[FieldKind]>()
  for (let i = 0; i < argv.length; ) i += takeFlag(given, argv[i]!, argv[i + 1])
  const fields = new Map<string, Values[FieldKind]>([
    ['apiVersion', apiVersion],
    ['kind', documentKind],
  ])
  const hasFile = text(given, 'config') !== undefined
  const besideFile: string[] = []
  for (const [name, value] of given) {
    const flag = fieldFlags[name]
    if (!flag) continue
    if (hasFile && !flag.beside) besideFile.push(`--${name}`)
    else for (const path of flag.sets) fields.set(path, value)
  }
  for (const [flag, path] of [['healthz-port', 'healthzBindAddress'], ['metrics-port', 'metricsBindAddress']] as const) {
    const port = given.get(flag)
    if (port === undefined || port === 0) continue
    if (hasFile) besideFile.push(`--${flag}`)
    else fields.set(path, withPort(text(fields, path), Number(port)))
  }
  const [config, writeConfigTo, master, notesDir] = ['config', 'write-config-to', 'master', 'notes-dir'].map((name) => text(given, name))
  return {
    ...(config !== undefined && { config }),
    ...(writeConfigTo !== undefined && { writeConfigTo }),
    ...(master !== undefined && { master }),
    ...(notesDir !== undefined && { notesDir }),
    cleanup: given.get('cleanup') === true,
    initOnly: given.get('init-only') === true,
    noHealthz: !hasFile && (given.get('healthz-bind-address') === '' || given.get('healthz-port') === 0),
    noMetrics: !hasFile && (given.get('metrics-bind-address') === '' || given.get('metrics-port') === 0),
    version: given.get('version') === true,
    help: given.get('help') === true,
    fields,
    besideFile,
    moot: [...given.keys()].filter((name) => Object.hasOwn(mootFlags, name)).map((name) => `--${name}`),
  }
}

/** An empty path or URL is one that was not given. */
function text(given: Given, name: string): string | undefined {
  const value = given.get(name)
  return typeof value === 'string' && value !== '' ? value : undefined
}

const withPort = (address: string | undefined, port: number): string => {
  if (address === undefined) return `:${port}`
  return /^\[.*\]:\d+$|^[^:]*:\d+$/.test(address) ? address : `${address.includes(':') ? `[${address}]` : address}:${port}`
}

/** @returns how many words it took */
function takeFlag(given: Map<string, Values[FieldKind]>, word: string, next: string | undefined): 1 | 2 {
  const [, short, long, inline] = /^(?:-(v|h)|--([A-Za-z][\w-]*))(?:=(.*))?$/s.exec(word) ?? []
  // pflag reads log_dir as log-dir.
  const name = short === 'h' ? 'help' : (short ?? long?.replaceAll('_', '-'))
  if (name === undefined) throw new ProxyError('USAGE', `${word}: flags begin with --; see wherry proxy --help`)
  const kind = kindOf(name)
  if (kind === undefined) throw new ProxyError('USAGE', `--${name}: there is no such flag; see wherry proxy --help`)
  const bare = (kind === 'yesno' || kind === 'version') && inline === undefined
  const value = bare ? 'true' : (inline ?? next)
  if (value === undefined) throw new ProxyError('USAGE', `--${name}: a value is missing; write --${name}=VALUE`)
  given.set(name, read(name, kind === 'version' ? 'yesno' : kind, kind === 'version' ? String(value !== 'false') : value))
  return bare || inline !== undefined ? 1 : 2
}

function kindOf(name: string): FieldKind | 'version' | undefined {
  if (Object.hasOwn(commandFlags, name)) return commandFlags[name as keyof typeof commandFlags]
  if (Object.hasOwn(fieldFlags, name)) return fieldFlags[name]!.kind
  return Object.hasOwn(mootFlags, name) ? mootFlags[name] : undefined
}

function read(name: string, kind: FieldKind, value: string): Values[FieldKind] {
  const wrong = (expected: string): ProxyError => new ProxyError('USAGE', `--${name}=${value}: expected ${expected}`)
  switch (kind) {
    case 'text':
    case 'open':
      return value
    case 'yesno':
      if (/^(1|t|true)$/i.test(value)) return true
      if (/^(0|f|false)$/i.test(value)) return false
      throw wrong('true or false')
    case 'whole':
      if (!/^[+-]?\d+$/.test(value)) throw wrong('a whole number')
      return Number(value)
    case 'number':
      if (value.trim() === '' || !Number.isFinite(Number(value))) throw wrong('a number')
      return Number(value)
    case 'duration': {
      const ms = parseDuration(value)
      if (ms === undefined) throw wrong('a duration such as 30s or 1h30m')
      return ms
    }
    case 'texts':
      return value === '' ? [] : value.split(',')
    case 'gates':
      return gates(value, wrong)
  }
}

function gates(value: string, wrong: (expected: string) => ProxyError): Readonly<Record<string, boolean>> {
  const pairs = value.split(',').filter((pair) => pair.trim() !== '')
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, gate, on] = /^\s*([^=\s]+)\s*=\s*(true|false)\s*$/i.exec(pair) ?? []
      if (gate === undefined) throw wrong('NAME=true,NAME=false')
      return [gate, on!.toLowerCase() === 'true'] as const
    }),
  )
}
