import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { isWherryError } from '../../../api/errors.ts'
import { logLevelOf, readCommand, type ProxyCommand } from './config.ts'
import { formatDuration, parseDuration } from './duration.ts'
import type { ProxyConfig } from './proxy-config.ts'
import { writtenConfig } from './written.ts'

const head = { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration' }

const command = (argv: readonly string[], file?: unknown): ProxyCommand =>
  readCommand(argv, {
    hostname: 'Machine.Example',
    readFile() {
      if (file === undefined) throw new Error('ENOENT: no such file')
      return typeof file === 'string' ? file : stringify({ ...head, ...(file as object) })
    },
  })
const fromFlags = (...argv: readonly string[]): ProxyConfig => configOf(command(argv))
const fromFile = (file: unknown, ...argv: readonly string[]): ProxyConfig => configOf(command(['--config', '/etc/proxy.yaml', ...argv], file))

function configOf(command: ProxyCommand): ProxyConfig {
  if (!('config' in command)) throw new TypeError(command.kind)
  return command.config
}

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (e) {
    if (isWherryError(e, 'USAGE')) return e.message
    throw e
  }
  return 'it was not refused'
}

const defaults: ProxyConfig = {
  mode: 'nftables',
  node: 'machine.example',
  api: {},
  bindAddress: '0.0.0.0',
  healthz: { host: '0.0.0.0', port: 10256 },
  metrics: { host: '127.0.0.1', port: 10249 },
  bindAddressHardFail: false,
  detectLocal: { kind: 'cluster-cidr', cidrs: [] },
  nodePortAddresses: { all: false, primary: true, cidrs: [] },
  masqueradeAll: false,
  masqueradeBit: 14,
  localhostNodePorts: false,
  sync: { periodMs: 30_000 },
  conntrack: { maxPerCore: 32_768, min: 131_072, tcpEstablishedMs: 86_400_000, tcpCloseWaitMs: 3_600_000, tcpBeLiberal: false, udpMs: 0, udpStreamMs: 0 },
  ipvs: { scheduler: 'rr', excludeCIDRs: [], strictARP: false, tcpMs: 0, tcpFinMs: 0, udpMs: 0 },
  oomScoreAdj: -999,
  verbosity: 0,
  moot: [],
}

describe('nothing given', () => {
  test('is kube-proxy’s defaults, in nftables mode', () => {
    expect(fromFlags()).toEqual(defaults)
    expect(fromFile({})).toEqual(defaults)
  })

  test('in each other mode is its own', () => {
    expect(fromFlags('--proxy-mode=iptables')).toEqual({ ...defaults, mode: 'iptables', nodePortAddresses: { all: true, primary: false, cidrs: [] }, localhostNodePorts: true })
    expect(fromFlags('--proxy-mode=ipvs')).toEqual({ ...defaults, mode: 'ipvs', nodePortAddresses: { all: true, primary: false, cidrs: [] }, sync: { periodMs: 30_000 } })
  })

  test('with an IPv6 address is IPv6', () => {
    expect(fromFlags('--bind-address=2001:db8::1')).toMatchObject({ healthz: { host: '::', port: 10256 }, metrics: { host: '::1', port: 10249 } })
  })
})

/** What kubeadm writes: every field there is, most of them empty. */
const kubeadm = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16
configSyncPeriod: 0s
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
  udpStreamTimeout: 0s
  udpTimeout: 0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 0s
  scheduler: ""
  strictARP: false
  syncPeriod: 0s
  tcpFinTimeout: 0s
  tcpTimeout: 0s
  udpTimeout: 0s
kind: KubeProxyConfiguration
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: "0"
    text:
      infoBufferSize: "0"
  verbosity: 0
metricsBindAddress: ""
mode: ""
nftables:
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel:
  enableDSR: false
  forwardHealthCheckVip: false
  networkName: ""
  rootHnsEndpointName: ""
  sourceVip: ""
`

describe('a file', () => {
  test('as kubeadm writes it is taken, and nothing in it counts as asked for in vain', () => {
    expect(fromFile(kubeadm)).toEqual({ ...defaults, api: { kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf' }, detectLocal: { kind: 'cluster-cidr', cidrs: ['10.244.0.0/16'] } })
  })

  test('as JSON is the same', () => {
    expect(fromFile(JSON.stringify({ ...head, clusterCIDR: '10.244.0.0/16' }))).toEqual(fromFile({ clusterCIDR: '10.244.0.0/16' }))
  })

  test.each<[string, object, Partial<ProxyConfig>]>([
    ['mode', { mode: 'ipvs' }, { mode: 'ipvs' }],
    ['hostnameOverride', { hostnameOverride: ' Node-1 ' }, { node: 'node-1' }],
    ['clusterCIDR of both families', { clusterCIDR: '10.244.0.0/16,fd00::/48' }, { detectLocal: { kind: 'cluster-cidr', cidrs: ['10.244.0.0/16', 'fd00::/48'] } }],
    ['detectLocalMode NodeCIDR', { detectLocalMode: 'NodeCIDR', clusterCIDR: '10.244.0.0/16' }, { detectLocal: { kind: 'node-cidr' } }],
    ['detectLocalMode BridgeInterface', { detectLocalMode: 'BridgeInterface', detectLocal: { bridgeInterface: 'cni0' } }, { detectLocal: { kind: 'interface', name: 'cni0', match: 'exact' } }],
    ['detectLocalMode InterfaceNamePrefix', { detectLocalMode: 'InterfaceNamePrefix', detectLocal: { interfaceNamePrefix: 'veth' } }, { detectLocal: { kind: 'interface', name: 'veth', match: 'prefix' } }],
    ['nodePortAddresses of ranges', { nodePortAddresses: ['192.0.2.0/24', '2001:db8::/64'] }, { nodePortAddresses: { all: false, primary: false, cidrs: ['192.0.2.0/24', '2001:db8::/64'] } }],
    ['nodePortAddresses of words', { nodePortAddresses: ['primary', 'localhost'] }, { nodePortAddresses: { all: false, primary: true, cidrs: ['127.0.0.0/8', '::1/128'] }, localhostNodePorts: true }],
    ['nodePortAddresses all', { nodePortAddresses: ['all'] }, { nodePortAddresses: { all: true, primary: false, cidrs: [] } }],
    ['nftables.masqueradeBit', { nftables: { masqueradeBit: 15, masqueradeAll: true } }, { masqueradeBit: 15, masqueradeAll: true }],
    ['iptables.masqueradeBit in iptables mode alone', { iptables: { masqueradeBit: 15, masqueradeAll: true } }, { masqueradeBit: 14, masqueradeAll: false }],
    ['iptables.masqueradeBit', { mode: 'ipvs', iptables: { masqueradeBit: 0, masqueradeAll: true } }, { masqueradeBit: 0, masqueradeAll: true }],
    ['iptables.localhostNodePorts', { mode: 'iptables', iptables: { localhostNodePorts: false } }, { localhostNodePorts: false }],
    ['localhost that nodePortAddresses leave out', { mode: 'iptables', nodePortAddresses: ['192.0.2.0/24'] }, { localhostNodePorts: false }],
    ['nftables.syncPeriod', { nftables: { syncPeriod: '1m', minSyncPeriod: '10ms' }, iptables: { syncPeriod: '9s' } }, { sync: { periodMs: 60_000 }, moot: [expect.stringMatching(/^nftables\.minSyncPeriod \(/)] }],
    ['conntrack', { conntrack: { maxPerCore: 0, min: 1, tcpEstablishedTimeout: '0s', udpTimeout: '1m30s', tcpBeLiberal: true } }, { conntrack: { ...defaults.conntrack, maxPerCore: 0, min: 1, tcpEstablishedMs: 0, udpMs: 90_000, tcpBeLiberal: true } }],
    ['ipvs', { ipvs: { scheduler: 'lc', strictARP: true, excludeCIDRs: ['192.0.2.0/24'], tcpTimeout: '15m0s' } }, { ipvs: { ...defaults.ipvs, scheduler: 'lc', strictARP: true, excludeCIDRs: ['192.0.2.0/24'], tcpMs: 900_000 } }],
    ['healthzBindAddress', { healthzBindAddress: '[::1]:1', metricsBindAddress: '192.0.2.1' }, { healthz: { host: '::1', port: 1 }, metrics: { host: '192.0.2.1', port: 10249 } }],
    ['oomScoreAdj', { oomScoreAdj: 0, bindAddressHardFail: true }, { oomScoreAdj: 0, bindAddressHardFail: true }],
    ['logging.verbosity', { logging: { verbosity: 6 } }, { verbosity: 6 }],
  ])('%s', (_field, file, expected) => {
    expect(fromFile(file)).toMatchObject(expected)
  })

  test('names in one list what has no effect, with the reason', () => {
    const file = { clientConnection: { qps: 5, contentType: 'application/vnd.kubernetes.protobuf' }, featureGates: { A: true }, winkernel: { networkName: 'n' }, configSyncPeriod: '15m0s', iptables: { snatNodeInternalIP: true } }
    expect(fromFile(file).moot.map((m) => m.split(' ')[0])).toEqual(['clientConnection.contentType', 'clientConnection.qps', 'iptables.snatNodeInternalIP', 'configSyncPeriod', 'featureGates', 'winkernel'])
    expect(fromFile(file).moot.every((m) => / \(.+\)$/.test(m))).toBe(true)
  })

  test.each<[string, unknown, RegExp]>([
    ['an unknown field', { clusterCidr: 'x' }, /clusterCidr: there is no such field; did you mean clusterCIDR\?/],
    ['an unknown field in a section', { conntrack: { maxPerCores: 1 } }, /conntrack\.maxPerCores: there is no such field; did you mean conntrack\.maxPerCore\?/],
    ['a field in the wrong place', { masqueradeAll: true }, /masqueradeAll: there is no such field; did you mean iptables\.masqueradeAll\?/],
    ['something quite unknown', { ebpf: true }, /ebpf: there is no such field: take it out/],
    ['a number for a text', { clusterCIDR: 10 }, /clusterCIDR: 10: expected a text; put it in quotes/],
    ['a text for a number', { oomScoreAdj: '-999' }, /oomScoreAdj: "-999": expected a whole number/],
    ['a text for yes or no', { ipvs: { strictARP: 'yes' } }, /ipvs\.strictARP: "yes": expected true or false/],
    ['a number for a time', { conntrack: { udpTimeout: 30 } }, /conntrack\.udpTimeout: 30: expected a duration such as 30s/],
    ['no time', { configSyncPeriod: '15 min' }, /configSyncPeriod: "15 min": expected a duration/],
    ['a text for a list', { nodePortAddresses: 'primary' }, /nodePortAddresses: "primary": expected a list/],
    ['a list for a section', { iptables: [] }, /iptables: \[\]: expected a map of fields/],
    ['gates that are none', { featureGates: { A: 'true' } }, /featureGates: .*expected a map of names to true or false/],
    ['a mode that is none', { mode: 'userspace' }, /mode: userspace: expected nftables, iptables or ipvs/],
    ['a range that is none', { clusterCIDR: '10.244.0.0' }, /clusterCIDR: 10\.244\.0\.0: expected a range/],
    ['two ranges of a family', { clusterCIDR: '10.0.0.0/8,11.0.0.0/8' }, /clusterCIDR: .*one range of each family/],
    ['a detection without its name', { detectLocalMode: 'BridgeInterface' }, /detectLocal\.bridgeInterface: is empty/],
    ['a detection that is none', { detectLocalMode: 'Magic' }, /detectLocalMode: Magic: expected ClusterCIDR/],
    ['a bit too high', { nftables: { masqueradeBit: 32 } }, /nftables\.masqueradeBit: 32: expected 0 to 31/],
    ['a score too low', { oomScoreAdj: -1001 }, /oomScoreAdj: -1001: expected -1000 to 1000/],
    ['a period below nothing', { nftables: { syncPeriod: '-1s' } }, /nftables\.syncPeriod: must be more than 0/],
    ['a pace above the period', { nftables: { syncPeriod: '1s', minSyncPeriod: '2s' } }, /nftables\.minSyncPeriod: must not be more/],
    ['an address that is none', { bindAddress: 'eth0' }, /bindAddress: eth0: expected an IP address/],
    ['a place that is none', { metricsBindAddress: 'localhost:10249' }, /metricsBindAddress: localhost:10249: expected ADDRESS:PORT/],
    ['a port that is none', { healthzBindAddress: '0.0.0.0:99999' }, /healthzBindAddress: 0\.0\.0\.0:99999/],
    ['node ports on a name', { nodePortAddresses: ['eth0'] }, /nodePortAddresses: eth0: expected a range/],
    ['an excluded address', { ipvs: { excludeCIDRs: ['192.0.2.1'] } }, /ipvs\.excludeCIDRs: 192\.0\.2\.1/],
    ['another version', { apiVersion: 'kubeproxy.config.k8s.io/v1alpha2' }, /apiVersion: .*expected kubeproxy\.config\.k8s\.io\/v1alpha1/],
    ['no document', '- 1', /holds no KubeProxyConfiguration/],
    ['no YAML', '{', /neither YAML nor JSON/],
  ])('with %s is refused, by the file’s and the field’s name', (_what, file, message) => {
    expect(refusal(() => fromFile(file))).toMatch(message)
    expect(refusal(() => fromFile(file))).toContain('/etc/proxy.yaml')
  })

  test('that is not there is refused by name', () => {
    expect(refusal(() => command(['--config=/etc/none.yaml']))).toMatch(/--config \/etc\/none\.yaml: the file cannot be read: ENOENT/)
  })
})

describe('flags', () => {
  test.each<[readonly string[], Partial<ProxyConfig>]>([
    [['--kubeconfig=/k', '--master', 'https://m:6443'], { api: { kubeconfig: '/k', master: 'https://m:6443' } }],
    [['--hostname-override', 'NODE-1'], { node: 'node-1' }],
    [['--cluster-cidr=10.0.0.0/8,fd00::/8'], { detectLocal: { kind: 'cluster-cidr', cidrs: ['10.0.0.0/8', 'fd00::/8'] } }],
    [['--masquerade-all'], { masqueradeAll: true }],
    [['--masquerade-all=false'], { masqueradeAll: false }],
    [['--proxy-mode=iptables', '--iptables-masquerade-bit=3', '--iptables-localhost-nodeports=false'], { masqueradeBit: 3, localhostNodePorts: false }],
    [['--nodeport-addresses=192.0.2.0/24,primary'], { nodePortAddresses: { all: false, primary: true, cidrs: ['192.0.2.0/24'] } }],
    [['--iptables-sync-period=1m', '--iptables_min_sync_period=2s'], { sync: { periodMs: 60_000 }, moot: [expect.stringMatching(/^iptables\.min/), expect.stringMatching(/^nftables\.min/)] }],
    [['--proxy-mode=ipvs', '--ipvs-sync-period=5s', '--ipvs-scheduler=sh', '--ipvs-exclude-cidrs=192.0.2.0/24'], { sync: { periodMs: 5_000 }, ipvs: { ...defaults.ipvs, scheduler: 'sh', excludeCIDRs: ['192.0.2.0/24'] } }],
    [['--conntrack-max-per-core=0', '--conntrack-tcp-timeout-established=1h'], { conntrack: { ...defaults.conntrack, maxPerCore: 0, tcpEstablishedMs: 3_600_000 } }],
    [['--healthz-bind-address='], { healthz: undefined }],
    [['--metrics-bind-address', ''], { metrics: undefined }],
    [['--metrics-port=0'], { metrics: undefined }],
    [['--healthz-port=8080', '--healthz-bind-address=127.0.0.1'], { healthz: { host: '127.0.0.1', port: 8080 } }],
    [['--metrics-port', '8081'], { metrics: { host: '127.0.0.1', port: 8081 } }],
    [['--oom-score-adj=-5', '-v', '4'], { oomScoreAdj: -5, verbosity: 4 }],
    [['-v=5'], { verbosity: 5 }],
    [['--feature-gates=A=true,B=false'], { moot: ['featureGates (there are no gates)'] }],
  ])('%j', (argv, expected) => {
    const config = fromFlags(...argv)
    for (const [field, value] of Object.entries(expected)) expect({ [field]: config[field as keyof ProxyConfig] }).toEqual({ [field]: value })
  })

  test('are ignored beside a file, and named, but for those that are about the process', () => {
    const given = command(['--config=/f', '--proxy-mode=ipvs', '--kubeconfig=/k', '--metrics-port=0', '--hostname-override=Other', '--v=4', '--master=http://m'], { mode: 'iptables', hostnameOverride: 'file' })
    expect(configOf(given)).toMatchObject({ mode: 'iptables', node: 'other', verbosity: 4, api: { master: 'http://m' }, metrics: defaults.metrics })
    expect(given).toMatchObject({ kind: 'run', ignored: expect.arrayContaining(['--proxy-mode (the configuration file counts)', '--kubeconfig (the configuration file counts)']) })
  })

  test('of older releases are accepted and named', () => {
    expect(command(['--logtostderr', '--cleanup-ipvs=true', '--boot-id-file', '/x'])).toMatchObject({ kind: 'run', ignored: ['--logtostderr', '--cleanup-ipvs', '--boot-id-file'] })
  })

  test('where notes go is said beside a file, too', () => {
    expect(command(['--config=/f', '--notes-dir=/run/notes'], { mode: 'nftables' })).toMatchObject({ kind: 'run', notesDir: '/run/notes' })
    expect(command(['--notes-dir='])).not.toHaveProperty('notesDir')
  })

  test.each<[readonly string[], string]>([
    [['--help'], 'help'],
    [['-h'], 'help'],
    [['--version'], 'version'],
    [['--version=raw'], 'version'],
    [['--cleanup'], 'cleanup'],
    [['--init-only=true'], 'init-only'],
    [['--write-config-to=/x', '--cleanup'], 'write-config'],
    [['--cleanup=false'], 'run'],
  ])('%j: %s', (argv, kind) => {
    expect(command(argv).kind).toBe(kind)
  })

  test.each<[readonly string[], RegExp]>([
    [['--ebpf'], /--ebpf: there is no such flag/],
    [['--constructor=1'], /--constructor: there is no such flag/],
    [['run'], /run: flags begin with --/],
    [['--kubeconfig'], /--kubeconfig: a value is missing/],
    [['--v=loud'], /--v=loud: expected a whole number/],
    [['--masquerade-all=yes'], /--masquerade-all=yes: expected true or false/],
    [['--conntrack-udp-timeout=5'], /--conntrack-udp-timeout=5: expected a duration/],
    [['--kube-api-qps=fast'], /--kube-api-qps=fast: expected a number/],
    [['--feature-gates=A'], /--feature-gates=A: expected NAME=true/],
    [['--hostname-override=  '], /hostnameOverride: is blank/],
    [['--proxy-mode=userspace'], /flags: mode: userspace/],
  ])('%j is refused by name', (argv, message) => {
    expect(refusal(() => command(argv))).toMatch(message)
  })
})

describe('what is written', () => {
  test.each<[string, readonly string[]]>([
    ['the defaults', []],
    ['iptables mode', ['--proxy-mode=iptables', '--masquerade-all', '--iptables-sync-period=1m30s', '--nodeport-addresses=192.0.2.0/24']],
    ['ipvs mode', ['--proxy-mode=ipvs', '--ipvs-strict-arp', '--ipvs-sync-period=2s', '--detect-local-mode=NodeCIDR']],
    ['a detection by interface', ['--detect-local-mode=InterfaceNamePrefix', '--pod-interface-name-prefix=veth', '--healthz-bind-address=[::1]:5']],
  ])('reads back as the same: %s', (_what, argv) => {
    const config = fromFlags(...argv)
    expect(fromFile(writtenConfig(config))).toEqual(config)
  })
})

test.each<[string, number | undefined]>([
  ['1s', 1_000],
  ['15m0s', 900_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['300ms', 300],
  ['500µs', 0.5],
  ['-2s', -2_000],
  ['0', 0],
  ['', undefined],
  ['5', undefined],
  ['1 s', undefined],
  ['1d', undefined],
  ['.s', undefined],
])('the duration %j is %j ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each([0, 10, 1_000, 90_000, 3_600_000, 86_400_000, 1_500, -5_000])('a duration of %i ms is written as Go reads it', (ms) => {
  expect(parseDuration(formatDuration(ms))).toBe(ms)
})

test('the verbosities of klog', () => {
  expect([0, 3, 4, 5, 6, 10].map(logLevelOf)).toEqual(['info', 'info', 'debug', 'debug', 'trace', 'trace'])
})
