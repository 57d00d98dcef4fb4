/** The agent's flags, and the only place where it reads its environment. */
import { parseArgs } from 'node:util'
import { WherryError } from '../api/errors.ts'
import type { LogLevel } from '../api/log.ts'
import { modeNames, type ModeName } from '../rules/mode.ts'
import { defaultDnsAddress, dnsSettings, type DnsSettings } from './dns/settings.ts'

export interface AgentConfig {
  readonly node: string
  /** https URLs of hubs on one store. */
  readonly hubs: readonly string[]
  /** node.crt, node.key and ca.crt, as `wherry join` writes them. */
  readonly credentials: string
  /** CNI state, container logs and records, and what the kernel was known to hold. */
  readonly state: string
  readonly containerdAddress: string
  /** Pods' cgroups are made under this path. */
  readonly cgroupRoot: string
  /** One or two, of different families; they say which families are served. */
  readonly clusterCIDRs: readonly string[]
  readonly proxyMode: ModeName
  readonly serviceCIDR: string
  /** What "measured load" means: the whole machine, or this node's cgroup where several nodes share one machine. */
  readonly usageFrom: 'machine' | 'cgroup'
  /** What the names of pods' network namespaces begin with; no other node of this machine may have the same. */
  readonly netnsPrefix: string
  /** Serve virtual IPs and run no pods, for a host where somebody else does. */
  readonly servicesOnly: boolean
  /** How this node answers its pods about names; absent: not at all. */
  readonly dns?: DnsSettings
  readonly kernel: 'auto' | 'libnftables' | 'process'
  /** Where Node keeps what it compiled; absent: nowhere. */
  readonly compileCache?: string | undefined
  readonly logLevel: LogLevel
}

export const usage = `Usage: agent --node NAME --hub URL --credentials DIR [options]

  --node NAME                   this node's name, as in its certificate
  --hub URL[,URL]               https://HOST:PORT of the hub; of several on one etcd the agent uses one that is there,
                                and can be asked through all of them
  --credentials DIR             node.crt, node.key and ca.crt (made by: wherry join)
  --state DIR                   CNI state, container logs, what it noted of its rules (default /var/lib/wherry/agent)
  --containerd-address SOCKET   (default /run/containerd/containerd.sock)
  --cgroup-root PATH            pods' cgroups go below it (default /wherry)
  --cluster-cidr CIDR[,CIDR]    pod addresses (default 10.244.0.0/16); one of each IP family that is to be served
  --proxy-mode MODE             nftables, iptables or ipvs (default nftables)
  --service-cidr CIDR           virtual IPs (default 10.96.0.0/12)
  --usage-from WHAT             machine or cgroup: whose load is reported (default machine)
  --netns-prefix TEXT           pods' network namespaces are named so (default wherry-NAME-)
  --services-only               serve virtual IPs, run no pods
  --cluster-domain NAME         (default cluster.local)
  --cluster-dns ADDRESS         where this node answers its pods about names, an address for lo, or none
                                (default 169.254.20.10; none with --services-only)
  --dns-upstream ADDRESS[,...]  who is asked about other names, ADDRESS or ADDRESS:PORT (default: as in /etc/resolv.conf)
  --kernel HOW                  auto, libnftables (in process) or process (nft) (default auto)
  --log-level LEVEL             error, warn, info, debug or trace (default info; or WHERRY_LOG)
`

const options = {
  node: { type: 'string' },
  hub: { type: 'string' },
  credentials: { type: 'string' },
  state: { type: 'string', default: '/var/lib/wherry/agent' },
  'containerd-address': { type: 'string', default: '/run/containerd/containerd.sock' },
  'cgroup-root': { type: 'string', default: '/wherry' },
  'cluster-cidr': { type: 'string', default: '10.244.0.0/16' },
  'proxy-mode': { type: 'string', default: 'nftables' },
  'service-cidr': { type: 'string', default: '10.96.0.0/12' },
  'usage-from': { type: 'string', default: 'machine' },
  'netns-prefix': { type: 'string' },
  'services-only': { type: 'boolean', default: false },
  'cluster-domain': { type: 'string', default: 'cluster.local' },
  'cluster-dns': { type: 'string' },
  'dns-upstream': { type: 'string' },
  kernel: { type: 'string', default: 'auto' },
  'log-level': { type: 'string' },
} as const

/** @throws WherryError USAGE, naming the flag */
export function parseConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>> = process.env): AgentConfig {
  const values = read(argv)
  const node = required(values.node, 'node')
  return {
    node,
    hubs: hubsOf(required(values.hub, 'hub')),
    credentials: required(values.credentials, 'credentials'),
    state: values.state,
    containerdAddress: values['containerd-address'],
    cgroupRoot: values['cgroup-root'],
    clusterCIDRs: values['cluster-cidr'].split(','),
    proxyMode: oneOf('proxy-mode', values['proxy-mode'], modeNames),
    serviceCIDR: values['service-cidr'],
    usageFrom: oneOf('usage-from', values['usage-from'], ['machine', 'cgroup']),
    netnsPrefix: values['netns-prefix'] ?? `wherry-${node}-`,
    servicesOnly: values['services-only'],
    dns: dnsSettings({
      address: values['cluster-dns'] ?? (values['services-only'] ? 'none' : defaultDnsAddress),
      domain: values['cluster-domain'],
      upstream: values['dns-upstream'],
    }),
    kernel: oneOf('kernel', values.kernel, ['auto', 'libnftables', 'process']),
    compileCache: env['NODE_COMPILE_CACHE'],
    logLevel: oneOf('log-level', values['log-level'] ?? env['WHERRY_LOG'] ?? 'info', ['error', 'warn', 'info', 'debug', 'trace']),
  }
}

function read(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options }).values
  } catch (e) {
    throw new WherryError('USAGE', `${(e as Error).message}\n\n${usage}`, { cause: e })
  }
}

function hubsOf(list: string): readonly string[] {
  const hubs = list.split(',')
  for (const hub of hubs) if (!URL.canParse(hub)) throw new WherryError('USAGE', `--hub ${hub}: expected https://HOST:PORT, or several with commas between them`)
  return hubs
}

function required(value: string | undefined, flag: string): string {
  if (!value) throw new WherryError('USAGE', `--${flag} is missing\n\n${usage}`)
  return value
}

function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((a) => a === value)
  if (!found) throw new WherryError('USAGE', `--${flag} ${value}: expected one of ${allowed.join(', ')}`)
  return found
}
