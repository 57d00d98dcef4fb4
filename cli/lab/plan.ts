/** What a lab is made of, as a value: names, addresses and places. Everything that acts on a lab takes this. */
import type { ModeName } from '../../rules/mode.ts'
import { CliError } from '../error.ts'

export interface LabOptions {
  /** Prefix of everything that the lab makes; `wherry` unless a second lab stands beside the first. */
  readonly name: string
  /** How many nodes. */
  readonly nodes: number
  /** The API's port on the host's 127.0.0.1. */
  readonly port: number
  /** How agents program the kernel. */
  readonly proxyMode: ModeName
  /** Where the lab's state is kept; made from the name if absent. */
  readonly stateDir?: string
  /** Where sockets and process records are; made from the name if absent. */
  readonly runDir?: string
}

export interface LabPlan {
  readonly name: string
  readonly port: number
  readonly proxyMode: ModeName
  readonly stateDir: string
  readonly runDir: string
  readonly logDir: string
  readonly kubeconfig: string
  /** Cgroup path of the whole lab, from the root of each hierarchy. */
  readonly cgroup: string
  readonly clusterCIDR: string
  readonly serviceCIDR: string
  readonly switch: SwitchPlan
  readonly hub: HubPlan
  readonly nodes: readonly NodePlan[]
}

/** The namespace whose bridge joins all others. Nothing in it forwards packets. */
export interface SwitchPlan {
  readonly namespace: string
  readonly bridge: string
  readonly address: string
}

/** A namespace with one link, `eth0`, to the switch. `switchPort` is the other end's name in the switch's namespace. */
export interface HostPlan {
  readonly namespace: string
  readonly switchPort: string
  readonly address: string
}

export interface HubPlan extends HostPlan {
  readonly dataDir: string
}

export interface NodePlan extends HostPlan {
  readonly name: string
  readonly cgroup: string
  /** The agent's state. */
  readonly agentDir: string
  /** node.crt, node.key, ca.crt, agent.json. */
  readonly credentialsDir: string
  readonly containerd: {
    readonly config: string
    readonly root: string
    readonly state: string
    readonly socket: string
  }
}

export const labDefaults = { name: 'wherry', nodes: 3, port: 6443, proxyMode: 'nftables' } as const

/** Length of the lab's own network, 198.18.0.0/24 (RFC 2544: for benchmarks, never routed). */
export const lanLength = 24
export const hubPort = 6443

const lan = (host: number): string => `198.18.0.${host}`

/** @throws CliError USAGE, naming the option */
export function createLabPlan(options: LabOptions): LabPlan {
  check(options)
  const { name, port, proxyMode } = options
  const place = name === labDefaults.name ? 'lab' : name
  const stateDir = options.stateDir ?? `/var/lib/wherry/${place}`
  const runDir = options.runDir ?? `/run/wherry/${place}`
  const cgroup = `/${name}-lab`
  return {
    name,
    port,
    proxyMode,
    stateDir,
    runDir,
    logDir: `${stateDir}/logs`,
    kubeconfig: `${stateDir}/kubeconfig`,
    cgroup,
    clusterCIDR: '10.244.0.0/16',
    serviceCIDR: '10.96.0.0/12',
    switch: { namespace: `${name}-switch`, bridge: 'lan', address: lan(1) },
    hub: { namespace: `${name}-hub`, switchPort: 'hub', address: lan(10), dataDir: `${stateDir}/hub` },
    nodes: Array.from({ length: options.nodes }, (_, i): NodePlan => {
      const node = `node${i + 1}`
      return {
        name: node,
        namespace: `${name}-${node}`,
        switchPort: node,
        address: lan(11 + i),
        cgroup: `${cgroup}/${node}`,
        agentDir: `${stateDir}/${node}/agent`,
        credentialsDir: `${stateDir}/${node}/credentials`,
        containerd: {
          config: `${stateDir}/${node}/containerd.toml`,
          root: `${stateDir}/${node}/containerd`,
          state: `${runDir}/${node}/containerd`,
          socket: `${runDir}/${node}/containerd.sock`,
        },
      }
    }),
  }
}

/** Every namespace of the lab itself; those of pods are not in the plan. */
export function namespacesOf(plan: LabPlan): readonly string[] {
  return [plan.switch.namespace, plan.hub.namespace, ...plan.nodes.map((node) => node.namespace)]
}

/**
 * Whether a network namespace of the machine belongs to this lab, however many nodes it once had. Those of pods are agents'
 * work; their names begin with that of their node's namespace.
 */
export function isOurNamespace(plan: LabPlan, namespace: string): boolean {
  return namespace.startsWith(`${plan.name}-`) && /^(?:switch|hub|node[0-9]+(?:-.+)?)$/.test(namespace.slice(plan.name.length + 1))
}

/** The command that runs a program inside a namespace's network and leaves everything else as it is. */
export function inside(namespace: string, argv: readonly string[]): readonly string[] {
  return ['nsenter', `--net=/run/netns/${namespace}`, '--', ...argv]
}

/** @throws CliError USAGE where there is no such node */
export function nodeOf(plan: LabPlan, name: string): NodePlan {
  const node = plan.nodes.find((candidate) => candidate.name === name)
  if (node) return node
  const names = plan.nodes.map((candidate) => candidate.name).join(', ')
  throw new CliError('USAGE', `there is no node ${name} in this lab`, `name one of ${names}`)
}

function check(options: LabOptions): void {
  if (!/^[a-z][a-z0-9]{0,15}$/.test(options.name) || options.name === 'lab') {
    throw new CliError(
      'USAGE',
      `--name ${options.name} cannot name a lab`,
      'use up to 16 small letters and digits, a letter first; not `lab`',
    )
  }
  if (!Number.isInteger(options.nodes) || options.nodes < 1 || options.nodes > 50) {
    throw new CliError('USAGE', `--nodes ${options.nodes} is not a number of nodes`, 'give a number from 1 to 50')
  }
  if (!Number.isInteger(options.port) || options.port < 1 || options.port > 65535) {
    throw new CliError('USAGE', `--port ${options.port} is not a port`, 'give a number from 1 to 65535')
  }
}
