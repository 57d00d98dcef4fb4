/** The pod half of the agent, wired: containers, their network and volumes, routes, load. Loaded only by agents that run pods. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../api/clock.ts'
import type { Log } from '../api/log.ts'
import type { AgentConfig } from './config.ts'
import type { Exec } from './kernel/exec.ts'
import type { LinkTls } from './link/connection.ts'
import { createHubApi } from './link/hub-api.ts'
import type { Link } from './link/link.ts'
import { goArchitecture, readNodeFacts, readPressures, type NodeFacts } from './metrics/node-facts.ts'
import { createPodUsage } from './metrics/pod-usage.ts'
import { createCgroupUsage, createMachineUsage, type UsageSampler } from './metrics/usage.ts'
import { createEgress } from './net/egress.ts'
import { createIp } from './net/ip.ts'
import { createPodNetwork } from './net/pod-network.ts'
import { createRoutes } from './net/routes.ts'
import { createNode, type NodeHalf } from './node.ts'
import { createObjects } from './objects/objects.ts'
import { createForwards } from './pods/forward/forwards.ts'
import { createPods, type Pods } from './pods/pods.ts'
import { createCtrRuntime } from './pods/runtime/ctr.ts'
import { serviceVariables } from './pods/service-env.ts'
import { createMounts } from './pods/volumes/mounts.ts'
import type { Tables } from './state/tables.ts'

const pluginDir = '/usr/lib/cni'
const mtu = 1500

export interface PodHalf {
  readonly node: NodeHalf
  readonly pods: Pods
}

export interface PodHalfParts {
  readonly config: AgentConfig
  readonly address: string
  readonly exec: Exec
  readonly tables: Tables
  readonly log: Log
  readonly send: Link['send']
  readonly tls: LinkTls
  readonly clock: Clock
  readonly signal: AbortSignal
}

export function createPodHalf({ config, address, exec, tables, log, send, tls, clock, signal }: PodHalfParts): PodHalf {
  const facts = readNodeFacts(config.state)
  const runtime = createCtrRuntime({
    exec,
    clock,
    log,
    address: config.containerdAddress,
    stateDir: join(config.state, 'runtime'),
    node: process.execPath,
    compileCache: config.compileCache,
    architecture: goArchitecture(),
  })
  const network = createPodNetwork({ exec, netnsPrefix: config.netnsPrefix, dir: join(config.state, 'net'), pluginDir, mtu })
  const report = (told: Parameters<Parameters<typeof createNode>[0]['report']>[0]): void => send({ kind: 'report', report: told })
  const pods = createPods({
    runtime,
    network,
    forwards: createForwards({ exec, log, node: process.execPath, dir: join(config.state, 'forward') }),
    objects: createObjects({ api: createHubApi({ hubs: config.hubs, tls, clock }), clock, closing: signal }),
    mounts: createMounts(exec),
    random: Math.random,
    serviceVariables: (pod) => serviceVariables(pod, tables.all('services').values()),
    clock,
    log,
    node: config.node,
    dir: join(config.state, 'pods'),
    cgroupRoot: `${config.cgroupRoot}/pods`,
    capacity: { cpuMillis: facts.cores * 1000, memoryBytes: facts.memoryBytes },
    hostIPs: () => [address],
    dns: config.dns,
    report,
  })
  const node = createNode({
    node: config.node,
    address,
    serviceCIDR: config.serviceCIDR,
    tables,
    pods,
    runtime,
    clusterCIDRs: config.clusterCIDRs,
    routes: createRoutes(createIp(exec)),
    egress: createEgress(exec),
    usage: usageOf(config, facts),
    podUsage: createPodUsage({ mount: '/sys/fs/cgroup', readFile: (path) => readFile(path, 'utf8'), now: () => performance.now() }),
    facts,
    pressures: () => readPressures(config.state),
    report,
    clock,
    log,
  })
  return { node, pods }
}

function usageOf(config: AgentConfig, facts: NodeFacts): UsageSampler {
  if (config.usageFrom === 'machine') {
    // Loaded when it is first asked, which is not before the rules: it is large.
    const source = () => import('systeminformation')
    return createMachineUsage({ currentLoad: async () => (await source()).currentLoad(), mem: async () => (await source()).mem(), cores: facts.cores })
  }
  const capacity = { cpuMillis: facts.cores * 1000, memoryBytes: facts.memoryBytes }
  return createCgroupUsage({ mount: '/sys/fs/cgroup', path: config.cgroupRoot, readFile: (path) => readFile(path, 'utf8'), now: () => performance.now(), capacity })
}
