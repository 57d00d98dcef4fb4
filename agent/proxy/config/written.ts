/** A configuration as a KubeProxyConfiguration again: for `--write-config-to` and `/configz`. */
import { apiVersion, documentKind } from './document.ts'
import { formatDuration } from './duration.ts'
import type { Bind, DetectLocal, NodePortAddresses, ProxyConfig } from './proxy-config.ts'

/** @returns an object that reads back as the same configuration; what has no effect is not in it */
export function writtenConfig(config: ProxyConfig): Readonly<Record<string, unknown>> {
  const { conntrack, ipvs, mode } = config
  const periods = { syncPeriod: formatDuration(config.sync.periodMs) }
  const marks = { masqueradeAll: config.masqueradeAll, masqueradeBit: config.masqueradeBit }
  return {
    apiVersion,
    kind: documentKind,
    mode,
    hostnameOverride: config.node,
    clientConnection: { kubeconfig: config.api.kubeconfig ?? '' },
    bindAddress: config.bindAddress,
    healthzBindAddress: written(config.healthz),
    metricsBindAddress: written(config.metrics),
    bindAddressHardFail: config.bindAddressHardFail,
    ...writtenDetection(config.detectLocal),
    nodePortAddresses: writtenAddresses(config.nodePortAddresses),
    oomScoreAdj: config.oomScoreAdj,
    conntrack: {
      maxPerCore: conntrack.maxPerCore,
      min: conntrack.min,
      tcpEstablishedTimeout: formatDuration(conntrack.tcpEstablishedMs),
      tcpCloseWaitTimeout: formatDuration(conntrack.tcpCloseWaitMs),
      tcpBeLiberal: conntrack.tcpBeLiberal,
      udpTimeout: formatDuration(conntrack.udpMs),
      udpStreamTimeout: formatDuration(conntrack.udpStreamMs),
    },
    iptables: { ...(mode !== 'nftables' && marks), ...(mode === 'iptables' && { ...periods, localhostNodePorts: config.localhostNodePorts }) },
    nftables: { ...(mode === 'nftables' && { ...marks, ...periods }) },
    ipvs: {
      scheduler: ipvs.scheduler,
      excludeCIDRs: ipvs.excludeCIDRs,
      strictARP: ipvs.strictARP,
      tcpTimeout: formatDuration(ipvs.tcpMs),
      tcpFinTimeout: formatDuration(ipvs.tcpFinMs),
      udpTimeout: formatDuration(ipvs.udpMs),
      ...(mode === 'ipvs' && periods),
    },
    logging: { verbosity: config.verbosity },
  }
}

const written = (bind: Bind | undefined): string => {
  if (!bind) return ''
  return `${bind.host.includes(':') ? `[${bind.host}]` : bind.host}:${bind.port}`
}

function writtenAddresses({ all, primary, cidrs }: NodePortAddresses): readonly string[] {
  return [...(all ? ['all'] : []), ...(primary ? ['primary'] : []), ...cidrs]
}

function writtenDetection(detect: DetectLocal): Readonly<Record<string, unknown>> {
  switch (detect.kind) {
    case 'cluster-cidr':
      return { detectLocalMode: 'ClusterCIDR', clusterCIDR: detect.cidrs.join(',') }
    case 'node-cidr':
      return { detectLocalMode: 'NodeCIDR' }
    case 'interface':
      return detect.match === 'exact'
        ? { detectLocalMode: 'BridgeInterface', detectLocal: { bridgeInterface: detect.name } }
        : { detectLocalMode: 'InterfaceNamePrefix', detectLocal: { interfaceNamePrefix: detect.name } }
  }
}
