/** From the fields that were given to what the proxy does: kube-proxy's defaults, and its checks. */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { ProxyError } from '../error.ts'
import type { Document, Values } from './document.ts'
import { fields, type FieldKind } from './fields.ts'
import type { Bind, DetectLocal, ModeName, NodePortAddresses, ProxyConfig } from './proxy-config.ts'

export interface Circumstances {
  /** For errors: the configuration file's name, or `flags`. */
  readonly source: string
  /** The machine's host name. */
  readonly hostname: string
  readonly master?: string
  readonly noHealthz?: boolean
  readonly noMetrics?: boolean
}

const ports = { healthz: 10_256, metrics: 10_249 } as const
const hour = 3_600_000

/** Typed access to what was given, with errors that name the field. */
interface Given {
  get<K extends FieldKind>(path: string, kind: K): Values[K] | undefined
  refuse(path: string, what: string): ProxyError
}

/** @throws ProxyError USAGE that names the field and the way out */
export function complete(document: Document, circumstances: Circumstances): ProxyConfig {
  const given: Given = {
    get: <K extends FieldKind>(path: string, _kind: K) => document.get(path) as Values[K] | undefined,
    refuse: (path, what) => new ProxyError('USAGE', `${circumstances.source}: ${path}: ${what}`),
  }
  const mode = modeOf(given)
  // IPVS borrows its marks from the iptables section, as in kube-proxy.
  const marks = mode === 'nftables' ? 'nftables' : 'iptables'
  const bindAddress = given.get('bindAddress', 'text') || '0.0.0.0'
  if (isIP(bindAddress) === 0) throw given.refuse('bindAddress', `${bindAddress}: expected an IP address`)
  const six = isIP(bindAddress) === 6
  const nodePortAddresses = nodePortsOf(given, mode)
  const healthz = circumstances.noHealthz ? undefined : bindOf(given, 'healthzBindAddress', { host: six ? '::' : '0.0.0.0', port: ports.healthz })
  const metrics = circumstances.noMetrics ? undefined : bindOf(given, 'metricsBindAddress', { host: six ? '::1' : '127.0.0.1', port: ports.metrics })
  const kubeconfig = given.get('clientConnection.kubeconfig', 'text')
  return {
    mode,
    node: nodeOf(given, circumstances.hostname),
    api: { ...(kubeconfig && { kubeconfig }), ...(circumstances.master && { master: circumstances.master }) },
    bindAddress,
    ...(healthz && { healthz }),
    ...(metrics && { metrics }),
    bindAddressHardFail: given.get('bindAddressHardFail', 'yesno') ?? false,
    detectLocal: detectLocalOf(given),
    nodePortAddresses,
    masqueradeAll: given.get(`${marks}.masqueradeAll`, 'yesno') ?? false,
    masqueradeBit: between(given, `${marks}.masqueradeBit`, { least: 0, most: 31, unset: 14 }),
    localhostNodePorts: localhostOf(given, mode, nodePortAddresses),
    sync: syncOf(given, mode),
    conntrack: conntrackOf(given),
    ipvs: ipvsOf(given),
    oomScoreAdj: between(given, 'oomScoreAdj', { least: -1000, most: 1000, unset: -999 }),
    verbosity: given.get('logging.verbosity', 'whole') ?? 0,
    moot: mootOf(document),
  }
}

function modeOf(given: Given): ModeName {
  const mode = given.get('mode', 'text') ?? ''
  if (mode === '') return 'nftables'
  if (mode === 'nftables' || mode === 'iptables' || mode === 'ipvs') return mode
  throw given.refuse('mode', `${mode}: expected nftables, iptables or ipvs`)
}

function nodeOf(given: Given, hostname: string): string {
  const override = given.get('hostnameOverride', 'text') ?? ''
  const name = (override === '' ? hostname : override).trim().toLowerCase()
  if (name === '') throw given.refuse('hostnameOverride', 'is blank: give the name of the Node object, or leave it out for the host name')
  return name
}

/** @param path of a field that holds `ADDRESS:PORT`, or an address alone, or (from a port flag) `:PORT` */
function bindOf(given: Given, path: string, unset: Bind): Bind {
  const text = given.get(path, 'text') ?? ''
  if (text === '') return unset
  if (isIP(text) !== 0) return { host: text, port: unset.port }
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || (host !== '' && isIP(host) === 0) || Number(port) < 1 || Number(port) > 65_535) {
    throw given.refuse(path, `${text}: expected ADDRESS:PORT with an IP address, e.g. 0.0.0.0:${unset.port}`)
  }
  return { host: host === '' ? unset.host : host, port: Number(port) }
}

function detectLocalOf(given: Given): DetectLocal {
  const mode = given.get('detectLocalMode', 'text') || 'ClusterCIDR'
  const needs = (path: string): string => {
    const name = given.get(path, 'text') ?? ''
    if (name === '') throw given.refuse(path, `is empty, and detectLocalMode ${mode} needs it`)
    return name
  }
  switch (mode) {
    case 'ClusterCIDR':
      return { kind: 'cluster-cidr', cidrs: clusterCIDRs(given) }
    case 'NodeCIDR':
      return { kind: 'node-cidr' }
    case 'BridgeInterface':
      return { kind: 'interface', name: needs('detectLocal.bridgeInterface'), match: 'exact' }
    case 'InterfaceNamePrefix':
      return { kind: 'interface', name: needs('detectLocal.interfaceNamePrefix'), match: 'prefix' }
    default:
      throw given.refuse('detectLocalMode', `${mode}: expected ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix`)
  }
}

function clusterCIDRs(given: Given): readonly string[] {
  const text = given.get('clusterCIDR', 'text') ?? ''
  if (text === '') return []
  const cidrs = text.split(',')
  for (const cidr of cidrs) if (!ipaddr.isValidCIDR(cidr)) throw given.refuse('clusterCIDR', `${cidr}: expected a range such as 10.244.0.0/16`)
  const sixes = cidrs.filter((c) => c.includes(':')).length
  if (sixes > 1 || cidrs.length - sixes > 1) throw given.refuse('clusterCIDR', `${text}: one range of each family is the most`)
  return cidrs
}

const keywords: readonly string[] = ['primary', 'all', 'localhost']

function nodePortsOf(given: Given, mode: ModeName): NodePortAddresses {
  const words = given.get('nodePortAddresses', 'texts') ?? []
  for (const word of words) {
    if (!keywords.includes(word) && !ipaddr.isValidCIDR(word)) {
      throw given.refuse('nodePortAddresses', `${word}: expected a range such as 192.0.2.0/24, or one of ${keywords.join(', ')}`)
    }
  }
  const cidrs = [...words.filter((w) => !keywords.includes(w)), ...(words.includes('localhost') ? ['127.0.0.0/8', '::1/128'] : [])]
  if (words.length === 0) return { all: mode !== 'nftables', primary: mode === 'nftables', cidrs }
  return { all: words.includes('all'), primary: words.includes('primary'), cidrs }
}

/** In iptables mode by its own field, where loopback is not left out; elsewhere only where loopback is asked for by name. */
function localhostOf(given: Given, mode: ModeName, addresses: NodePortAddresses): boolean {
  const named = addresses.cidrs.some((cidr) => cidr.startsWith('127.'))
  if (mode !== 'iptables') return named
  return (given.get('iptables.localhostNodePorts', 'yesno') ?? true) && (addresses.all || named || addresses.cidrs.includes('0.0.0.0/0'))
}

/** A period of 0 is one that was not given: kubeadm writes `0s` for it. */
function syncOf(given: Given, mode: ModeName): ProxyConfig['sync'] {
  const [whole, least] = [`${mode}.syncPeriod`, `${mode}.minSyncPeriod`]
  const periodMs = given.get(whole, 'duration') || 30_000
  const leastMs = given.get(least, 'duration') ?? 0
  if (periodMs < 0) throw given.refuse(whole, 'must be more than 0')
  // Without effect, but kube-proxy would refuse the file.
  if (leastMs < 0) throw given.refuse(least, 'must not be less than 0')
  if (leastMs > periodMs) throw given.refuse(least, `must not be more than ${whole}`)
  return { periodMs }
}

function conntrackOf(given: Given): ProxyConfig['conntrack'] {
  return {
    maxPerCore: between(given, 'conntrack.maxPerCore', { least: 0, most: 2 ** 31 - 1, unset: 32_768 }),
    min: between(given, 'conntrack.min', { least: 0, most: 2 ** 31 - 1, unset: 131_072 }),
    tcpEstablishedMs: notNegative(given, 'conntrack.tcpEstablishedTimeout', 24 * hour),
    tcpCloseWaitMs: notNegative(given, 'conntrack.tcpCloseWaitTimeout', hour),
    tcpBeLiberal: given.get('conntrack.tcpBeLiberal', 'yesno') ?? false,
    udpMs: notNegative(given, 'conntrack.udpTimeout', 0),
    udpStreamMs: notNegative(given, 'conntrack.udpStreamTimeout', 0),
  }
}

function ipvsOf(given: Given): ProxyConfig['ipvs'] {
  const excludeCIDRs = given.get('ipvs.excludeCIDRs', 'texts') ?? []
  for (const cidr of excludeCIDRs) {
    if (!ipaddr.isValidCIDR(cidr)) throw given.refuse('ipvs.excludeCIDRs', `${cidr}: expected a range such as 192.0.2.0/24`)
  }
  return {
    scheduler: given.get('ipvs.scheduler', 'text') || 'rr',
    excludeCIDRs,
    strictARP: given.get('ipvs.strictARP', 'yesno') ?? false,
    tcpMs: notNegative(given, 'ipvs.tcpTimeout', 0),
    tcpFinMs: notNegative(given, 'ipvs.tcpFinTimeout', 0),
    udpMs: notNegative(given, 'ipvs.udpTimeout', 0),
  }
}

function between(given: Given, path: string, bounds: { readonly least: number; readonly most: number; readonly unset: number }): number {
  const value = given.get(path, 'whole') ?? bounds.unset
  if (value < bounds.least || value > bounds.most) throw given.refuse(path, `${value}: expected ${bounds.least} to ${bounds.most}`)
  return value
}

function notNegative(given: Given, path: string, unset: number): number {
  const value = given.get(path, 'duration') ?? unset
  if (value < 0) throw given.refuse(path, 'must not be less than 0')
  return value
}

/** Fields without effect, where they ask for anything at all: tools write empty ones into every file. */
function mootOf(document: Document): readonly string[] {
  return fields.flatMap(({ path, moot }) => (moot !== undefined && !isBlank(document.get(path)) ? [`${path} (${moot})`] : []))
}

function isBlank(value: unknown): boolean {
  if (typeof value === 'string') return value === '' || value === '0' || value === '0s'
  if (Array.isArray(value)) return value.every(isBlank)
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isBlank)
  return value === undefined || value === null || value === false || value === 0
}
