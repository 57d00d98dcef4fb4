/** A node's own status, as `kubectl get nodes` and the scheduler read it. Pure. */
import { rfc3339 } from '../../api/clock.ts'
import type { NodeCondition, NodeStatus } from '../../api/objects.ts'
import type { NodeFacts } from './node-facts.ts'

/** Which of the machine's goods are short. */
export interface Pressures {
  readonly memory: boolean
  readonly disk: boolean
  readonly pids: boolean
}

export interface NodeStatusInput {
  readonly name: string
  readonly addresses: readonly string[]
  readonly facts: NodeFacts
  readonly pressures: Pressures
  /** Whether the node can run pods; the reason is one word, the message a sentence. */
  readonly ready: { readonly status: boolean; readonly reason: string; readonly message: string }
  /** e.g. `containerd://1.6.20` */
  readonly runtimeVersion: string
  /** Our own version, e.g. 0.1.0. */
  readonly version: string
  /** ms since 1970. */
  readonly now: number
  /** The status before, whose transition times are kept. */
  readonly before?: NodeStatus
}

/** The Kubernetes release whose API the node speaks. */
const kubernetesVersion = 'v1.32.0'
const maxPods = 110

/** Labels that every node has (well-known labels of Kubernetes). */
export function nodeLabels(name: string, facts: Pick<NodeFacts, 'architecture'>): Readonly<Record<string, string>> {
  return {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': facts.architecture,
  }
}

export function nodeStatus(input: NodeStatusInput): NodeStatus {
  const { facts } = input
  const amounts = {
    cpu: String(facts.cores),
    memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor(facts.diskBytes / 1024)}Ki`,
    pods: String(maxPods),
  }
  const own = `${kubernetesVersion}+wherry.${input.version}`
  return {
    addresses: [
      ...input.addresses.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: input.name },
    ],
    capacity: amounts,
    allocatable: amounts,
    conditions: conditions(input),
    nodeInfo: {
      architecture: facts.architecture,
      bootID: facts.bootID,
      containerRuntimeVersion: input.runtimeVersion,
      kernelVersion: facts.kernelVersion,
      kubeProxyVersion: own,
      kubeletVersion: own,
      machineID: facts.machineID,
      operatingSystem: 'linux',
      osImage: facts.osImage,
      systemUUID: facts.systemUUID,
    },
  }
}

function conditions(input: NodeStatusInput): NodeCondition[] {
  const { pressures, ready } = input
  type Bare = Omit<NodeCondition, 'lastTransitionTime'>
  const pressure = (short: boolean, type: string, words: readonly [string, string]): Bare => ({
    type,
    status: short ? 'True' : 'False',
    reason: words[short ? 1 : 0],
    message: `the node ${short ? 'is short of' : 'has enough'} ${type.replace('Pressure', '')}`,
  })
  return [
    pressure(pressures.memory, 'MemoryPressure', ['KubeletHasSufficientMemory', 'KubeletHasInsufficientMemory']),
    pressure(pressures.disk, 'DiskPressure', ['KubeletHasNoDiskPressure', 'KubeletHasDiskPressure']),
    pressure(pressures.pids, 'PIDPressure', ['KubeletHasSufficientPID', 'KubeletHasInsufficientPID']),
    { type: 'Ready', status: ready.status ? 'True' : 'False', reason: ready.reason, message: ready.message },
  ].map((condition) => {
    const old = input.before?.conditions?.find((c) => c.type === condition.type)
    const now = rfc3339(input.now)
    return {
      ...condition,
      lastHeartbeatTime: now,
      lastTransitionTime: old?.status === condition.status && old.lastTransitionTime ? old.lastTransitionTime : now,
    } as NodeCondition
  })
}
