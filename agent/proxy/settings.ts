/**
 * Kernel settings that the proxy makes once, at its start (Documentation/networking/nf_conntrack-sysctl, ipvs-sysctl,
 * ip-sysctl), and its own standing with the OOM killer (proc(5)). What cannot be set is told and no reason to stop.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProxyConfig } from './config/proxy-config.ts'

export interface Setting {
  /** Under the root: `proc/sys/net/ipv4/ip_forward`. */
  readonly file: string
  readonly value: number
  /** A limit that somebody set higher stays. */
  readonly raise?: boolean
}

export interface SettingProblem {
  readonly setting: string
  readonly wanted: number
  readonly message: string
}

/** @param cores by which `conntrack.maxPerCore` is multiplied */
export function settingsOf(config: ProxyConfig, cores: number): readonly Setting[] {
  return [...conntrackSettings(config, cores), ...modeSettings(config)]
}

function conntrackSettings({ conntrack }: ProxyConfig, cores: number): readonly Setting[] {
  const netfilter = (name: string, value: number, raise?: boolean): Setting => ({ file: `proc/sys/net/netfilter/${name}`, value, ...(raise && { raise }) })
  const seconds = (name: string, ms: number): readonly Setting[] => (ms > 0 ? [netfilter(name, Math.floor(ms / 1_000))] : [])
  const most = conntrack.maxPerCore > 0 ? Math.max(conntrack.min, conntrack.maxPerCore * cores) : 0
  return [
    // Four entries in a bucket, as the kernel's own default has it.
    ...(most > 0
      ? [netfilter('nf_conntrack_max', most, true), { file: 'sys/module/nf_conntrack/parameters/hashsize', value: Math.floor(most / 4), raise: true }]
      : []),
    ...seconds('nf_conntrack_tcp_timeout_established', conntrack.tcpEstablishedMs),
    ...seconds('nf_conntrack_tcp_timeout_close_wait', conntrack.tcpCloseWaitMs),
    ...seconds('nf_conntrack_udp_timeout', conntrack.udpMs),
    ...seconds('nf_conntrack_udp_timeout_stream', conntrack.udpStreamMs),
    ...(conntrack.tcpBeLiberal ? [netfilter('nf_conntrack_tcp_be_liberal', 1)] : []),
  ]
}

function modeSettings({ mode, ipvs, localhostNodePorts }: ProxyConfig): readonly Setting[] {
  const ipv4 = (name: string, value: number): Setting => ({ file: `proc/sys/net/ipv4/${name}`, value })
  // Answers to 127.0.0.0/8 come from pods, which the kernel takes for martians otherwise.
  const localhost = localhostNodePorts ? [ipv4('conf/all/route_localnet', 1)] : []
  if (mode !== 'ipvs') return localhost
  return [
    ...localhost,
    ipv4('vs/conntrack', 1),
    ipv4('vs/expire_nodest_conn', 1),
    ipv4('vs/expire_quiescent_template', 1),
    ipv4('ip_forward', 1),
    ...(ipvs.strictARP ? [ipv4('conf/all/arp_ignore', 1), ipv4('conf/all/arp_announce', 2)] : []),
  ]
}

/**
 * Sets what is not set yet.
 * @param root where proc and sys are mounted
 */
export function applySettings(settings: readonly Setting[], root = '/'): readonly SettingProblem[] {
  return settings.flatMap(({ file, value, raise = false }) => {
    try {
      const path = join(root, file)
      const now = Number(readFileSync(path, 'utf8').trim())
      if (now === value || (raise && now > value)) return []
      writeFileSync(path, String(value))
      return []
    } catch (e) {
      return [{ setting: file, wanted: value, message: (e as Error).message }]
    }
  })
}

/** How likely the kernel is to end this process when memory runs out: -1000 (never) to 1000. */
export const oomSetting = ({ oomScoreAdj }: ProxyConfig): Setting => ({ file: 'proc/self/oom_score_adj', value: oomScoreAdj })
