/** Carries out the steps that `decide.ts` names. Each may fail or be cut short at any point; the next look finds what is left. */
import type { NodeEvent } from '../../api/frames.ts'
import type { Container, Pod } from '../../api/objects.ts'
import type { Clock } from '../../api/clock.ts'
import type { PodNetwork } from '../net/pod-network.ts'
import type { Objects } from '../objects/objects.ts'
import { identityOf } from './attempts.ts'
import type { Step } from './decide.ts'
import type { Downward } from './downward.ts'
import type { EnvSupply, Variable } from './env.ts'
import { fullImageName, pullPolicyOf, type Images } from './images.ts'
import { passedOver } from './offered.ts'
import type { PodFiles } from './pod-files.ts'
import type { Runtime } from './runtime/runtime.ts'
import type { Slots } from './slots.ts'
import { containerSpec } from './spec.ts'
import { containerField } from './teller.ts'
import { objectsOfEnv } from './volumes/named.ts'
import { findAll, type PodVolumes } from './volumes/pod-volumes.ts'

/** What all pods of a node share. */
export interface StepTools {
  readonly node: string
  readonly runtime: Runtime
  readonly network: PodNetwork
  readonly files: PodFiles
  readonly volumes: PodVolumes
  readonly objects: Objects
  readonly images: Images
  readonly clock: Clock
  /** Bounds how many containers and networks are made at once. */
  readonly slots: Slots
  /** Path of the node's own network namespace, for pods on its network; undefined where containers share containerd's. */
  readonly nodeNetns?: string
  /** Pods' cgroups are made below it. */
  readonly cgroupRoot: string
  readonly capacity: Downward['capacity']
  hostIPs(): readonly string[]
  /** What a pod's containers learn of services. */
  serviceVariables(pod: Pod): readonly Variable[]
}

/** What is known of an object counts for so long (ms) when a container is started: a pod that waits for one asks once a second. */
const recentMs = 1_000

/** The pod that a step is for. */
export interface StepTarget {
  readonly pod: Pod
  /** When the pod came to this node, ms since 1970: what was known of objects before may be too old for it. */
  readonly arrived: number
  event(event: Pick<NodeEvent, 'type' | 'reason' | 'message'>, path?: string): void
}

export const podCgroup = (root: string, uid: string): string => `${root}/pod${uid}`

/** The pod's addresses; none before its network stands. */
export function podIPs(pod: Pod, tools: Pick<StepTools, 'network' | 'hostIPs'>): readonly string[] {
  if (pod.spec?.hostNetwork) return tools.hostIPs()
  const found = tools.network.find(pod.metadata.uid)
  return found.kind === 'up' ? found.network.addresses : []
}

export function downwardOf(pod: Pod, tools: Pick<StepTools, 'node' | 'network' | 'hostIPs' | 'capacity'>): Downward {
  return { pod, node: tools.node, hostIPs: tools.hostIPs(), podIPs: podIPs(pod, tools), capacity: tools.capacity }
}

/** The steps that do something; resting and finishing are the worker's. */
export type Act = Exclude<Step, { readonly kind: 'rest' | 'finish' }>
type ActOf<K extends Act['kind']> = Extract<Act, { readonly kind: K }>
type Performers = {
  readonly [K in Act['kind']]: (step: ActOf<K>, target: StepTarget, signal: AbortSignal) => Promise<void>
}

export interface Steps {
  /** @throws whatever kept the step from being done */
  perform(step: Act, target: StepTarget, signal: AbortSignal): Promise<void>
}

export function createSteps(tools: StepTools): Steps {
  const { runtime, network, files, images, slots } = tools

  async function start(step: ActOf<'start'>, target: StepTarget, signal: AbortSignal): Promise<void> {
    const { pod } = target
    const { container, path, attempt } = step
    const identity = identityOf(pod)
    const eventPath = containerField(pod, container.name)
    const tell: Tell = (reason, message) => target.event({ type: 'Normal', reason, message }, eventPath)
    if (attempt === 0) {
      for (const { reason, message } of passedOver(container)) target.event({ type: 'Warning', reason, message }, eventPath)
    }
    const logPath = files.logPath(identity, container.name, attempt)
    const supply = await supplyOf(container, target, signal)
    const { spec, provisions, skipped } = containerSpec({ ...surroundings(pod), container, path, attempt, logPath, supply })
    for (const message of skipped) target.event({ type: 'Warning', reason: 'InvalidEnvironmentVariableNames', message }, eventPath)
    await ensureImage(step, tell, signal)
    files.provide(provisions)
    files.writeOwn(pod, podIPs(pod, tools))
    await slots.use(signal, () => runtime.run(spec, signal))
    files.trimLogs(identity, container.name, attempt)
    tell('Created', `Created container: ${container.name}`)
    tell('Started', `Started container ${container.name}`)
  }

  async function supplyOf(container: Container, { pod, arrived }: StepTarget, signal: AbortSignal): Promise<EnvSupply> {
    const object = await findAll(objectsOfEnv(pod, container), tools.objects, newerThan(arrived), signal)
    return { object, services: tools.serviceVariables(pod) }
  }

  const newerThan = (arrived: number): number => Math.max(arrived, tools.clock.now() - recentMs)

  type Tell = (reason: string, message: string) => void

  async function ensureImage({ container }: ActOf<'start'>, tell: Tell, signal: AbortSignal): Promise<void> {
    const image = container.image ?? ''
    const began = tools.clock.now()
    const onPull = (): void => tell('Pulling', `Pulling image "${fullImageName(image)}"`)
    const pulled = await images.ensure({ image, policy: pullPolicyOf(container) }, onPull, signal)
    const seconds = ((tools.clock.now() - began) / 1000).toFixed(1)
    const present = `Container image "${image}" already present on machine`
    tell('Pulled', pulled ? `Successfully pulled image "${image}" in ${seconds}s` : present)
  }

  function surroundings(pod: Pod) {
    const { uid } = pod.metadata
    const found = network.find(uid)
    const netns = pod.spec?.hostNetwork ? tools.nodeNetns : found.kind === 'up' ? found.network.netns : undefined
    return { downward: downwardOf(pod, tools), netns, dir: files.dirOf(uid), cgroup: podCgroup(tools.cgroupRoot, uid) }
  }

  const performers: Performers = {
    start,
    'provide-volumes': (_, { pod, arrived }, signal) => tools.volumes.provide(pod, newerThan(arrived), signal),
    'raise-network': async (_, { pod }, signal) => void (await slots.use(signal, () => network.raise(pod.metadata.uid, signal))),
    'drop-network': (_, { pod }, signal) => network.drop(pod.metadata.uid, signal),
    async signal({ attempts, signal: posixSignal }, target, signal) {
      for (const { container, state } of attempts) {
        const killing = { type: 'Normal' as const, reason: 'Killing', message: `Stopping container ${container}` }
        if (posixSignal === 'SIGTERM') target.event(killing, containerField(target.pod, container))
        await runtime.kill(state.id, posixSignal, signal)
      }
    },
    async remove({ attempts }, _, signal) {
      for (const { state } of attempts) await runtime.remove(state.id, signal)
    },
  }

  return {
    perform<K extends Act['kind']>(step: ActOf<K>, target: StepTarget, signal: AbortSignal) {
      return (performers[step.kind as K] as Performers[K])(step, target, signal)
    },
  }
}
