/** One attempt of one container, as the runtime takes it. Pure. */
import { join } from 'node:path'
import type { Container, Pod } from '../../api/objects.ts'
import { attemptLabels, containerId, identityOf } from './attempts.ts'
import type { Downward } from './downward.ts'
import { containerEnv, expand, type EnvSupply } from './env.ts'
import { PodError } from './error.ts'
import { fullImageName } from './images.ts'
import { refusals } from './offered.ts'
import { parseQuantity } from './quantity.ts'
import type { ContainerSpec } from './runtime/runtime.ts'
import { mountPlan, type Provision } from './volumes/mount-plan.ts'

export interface SpecInput {
  readonly container: Container
  /** e.g. `spec.containers[0]` */
  readonly path: string
  readonly attempt: number
  readonly downward: Downward
  /** What its variables are made of. */
  readonly supply: EnvSupply
  /** Path of the pod's network namespace; undefined for the node's own. */
  readonly netns?: string
  /** The pod's own folder on the node. */
  readonly dir: string
  readonly logPath: string
  /** The pod's cgroup. */
  readonly cgroup: string
}

export interface SpecPlan {
  readonly spec: ContainerSpec
  readonly provisions: readonly Provision[]
  /** Of its variables, those that cannot be: in words. */
  readonly skipped: readonly string[]
}

/** The files that each pod has of its own, and where its containers see them. */
export const ownFiles = [
  ['hosts', '/etc/hosts'],
  ['resolv.conf', '/etc/resolv.conf'],
  ['hostname', '/etc/hostname'],
] as const

/** The pod's host name: what it asks for, else its own name (63 characters are what the kernel takes). */
export const hostnameOf = (pod: Pod, node: string): string =>
  pod.spec?.hostNetwork ? node : (pod.spec?.hostname ?? pod.metadata.name).slice(0, 63).replace(/[-.]$/, '')

/** @throws PodError naming the field: CONTAINER_CONFIG (this node cannot honour it), OBJECT_ABSENT */
export function containerSpec(input: SpecInput): SpecPlan {
  const { container, path, attempt, downward } = input
  const { pod } = downward
  const refused = refusals(pod, container, path)[0]
  if (refused) throw new PodError('CONTAINER_CONFIG', refused.message)
  const { env, skipped } = containerEnv(container, path, downward, input.supply)
  const values = new Map(env.map((e) => [e.name, e.value]))
  const expanded = (words?: readonly string[]): readonly string[] | undefined => words?.map((word) => expand(word, values))
  const { mounts, provisions } = mountPlan(pod, container, path, input.dir)
  const taken = new Set(mounts.map((m) => m.target))
  const own = ownFiles
    .filter(([, target]) => !taken.has(target))
    .map(([name, target]) => ({ source: join(input.dir, name), target, readOnly: false }))
  const id = containerId(pod.metadata.uid, container.name, attempt)
  const spec: ContainerSpec = {
    id,
    image: fullImageName(container.image ?? ''),
    command: expanded(container.command),
    args: expanded(container.args),
    env,
    ...(container.workingDir && { workingDir: container.workingDir }),
    hostname: hostnameOf(pod, downward.node),
    ...(input.netns !== undefined && { netns: input.netns }),
    cgroup: join(input.cgroup, id),
    mounts: [...own, ...mounts],
    ...amounts(container, path),
    ...rights(container),
    ...streams(container),
    logPath: input.logPath,
    labels: attemptLabels(identityOf(pod), container.name, attempt),
  }
  return { spec, provisions, skipped }
}

function streams({ stdin, stdinOnce, tty }: Container): Pick<ContainerSpec, 'stdin' | 'stdinOnce' | 'tty'> {
  return { ...(stdin && { stdin, ...(stdinOnce && { stdinOnce }) }), ...(tty && { tty }) }
}

function amounts(container: Container, path: string): Pick<ContainerSpec, 'cpuMillisLimit' | 'memoryBytesLimit' | 'cpuShares'> {
  const { limits = {}, requests = {} } = container.resources ?? {}
  const amount = (kind: 'limits' | 'requests', name: string): number | undefined => {
    const text = { limits, requests }[kind][name]
    try {
      return text === undefined ? undefined : parseQuantity(text)
    } catch (cause) {
      throw new PodError('CONTAINER_CONFIG', `${path}.resources.${kind}.${name}: ${(cause as Error).message}`, { cause })
    }
  }
  const cpuLimit = amount('limits', 'cpu')
  const memoryLimit = amount('limits', 'memory')
  const cpu = amount('requests', 'cpu') ?? cpuLimit ?? 0
  return {
    ...(cpuLimit && { cpuMillisLimit: Math.ceil(cpuLimit * 1000) }),
    ...(memoryLimit && { memoryBytesLimit: Math.floor(memoryLimit) }),
    // The kernel's smallest weight is 2.
    cpuShares: Math.max(2, Math.round(cpu * 1024)),
  }
}

function rights(container: Container): Pick<ContainerSpec, 'privileged' | 'readOnlyRoot' | 'noNewPrivileges' | 'capabilities'> {
  const context = container.securityContext
  const { add = [], drop = [] } = context?.capabilities ?? {}
  return {
    privileged: context?.privileged ?? false,
    readOnlyRoot: context?.readOnlyRootFilesystem ?? false,
    noNewPrivileges: context?.allowPrivilegeEscalation === false,
    ...(add.length + drop.length > 0 && { capabilities: { add, drop } }),
  }
}
