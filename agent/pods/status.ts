/** A pod's status from what is there (core/v1 PodStatus). Pure. */
import { rfc3339 } from '../../api/clock.ts'
import type { Container, ContainerStatus, PodStatus } from '../../api/objects.ts'
import type { Attempt } from './attempts.ts'
import { isInitialized, isOver, networkHold, outcome, volumesHold, type PodSight } from './decide.ts'
import { repositoryOf } from './images.ts'
import { qosClass } from './qos.ts'

export interface StatusInput extends PodSight {
  readonly hostIPs: readonly string[]
  readonly podIPs: readonly string[]
  /** The status told before; times of conditions are kept from it. */
  readonly before?: PodStatus
}

type Condition = NonNullable<PodStatus['conditions']>[number]
type State = NonNullable<ContainerStatus['state']>

export function podStatus(input: StatusInput): PodStatus {
  const { pod, before, hostIPs, podIPs } = input
  const spec = pod.spec!
  const initialized = isInitialized(pod, input.attempts)
  const init = (spec.initContainers ?? []).map((c) => containerStatus(c, 'init', input))
  const main = spec.containers.map((c) => containerStatus(c, initialized ? 'main' : 'early', input))
  const phase = phaseOf(input)
  return {
    phase,
    conditions: conditions(input, { phase, initialized, main }),
    startTime: before?.startTime ?? pod.status?.startTime ?? rfc3339(input.now),
    ...(hostIPs[0] && { hostIP: hostIPs[0], hostIPs: hostIPs.map((ip) => ({ ip })) }),
    ...(podIPs[0] && { podIP: podIPs[0], podIPs: podIPs.map((ip) => ({ ip })) }),
    qosClass: qosClass(spec),
    ...(init.length > 0 && { initContainerStatuses: init }),
    containerStatuses: main,
  }
}

function phaseOf(input: StatusInput): NonNullable<PodStatus['phase']> {
  const { pod, attempts } = input
  const told = pod.status?.phase
  // A pod that is over stays so, even when its containers are gone.
  if (told && isOver(pod, new Map())) return told
  const end = outcome(pod, attempts)
  if (end) return end
  return pod.spec!.containers.every((c) => attempts.has(c.name)) ? 'Running' : 'Pending'
}

/** @param role `early`: a container proper whose turn has not come, because init containers work */
function containerStatus(container: Container, role: 'init' | 'main' | 'early', input: StatusInput): ContainerStatus {
  const [last, previous] = input.attempts.get(container.name) ?? []
  const { state, lastState } = states(container, role, { last, previous }, input)
  const running = last?.state.phase === 'running'
  const done = last?.state.phase === 'exited' && last.state.exitCode === 0
  return {
    name: container.name,
    image: container.image ?? '',
    imageID: last?.state.imageId ? `${repositoryOf(last.state.image)}@${last.state.imageId}` : '',
    ...(last && { containerID: `containerd://${last.state.id}` }),
    restartCount: last?.attempt ?? 0,
    state,
    lastState: lastState ?? {},
    ready: role === 'init' ? done : running,
    started: running,
  }
}

function states(
  container: Container,
  role: 'init' | 'main' | 'early',
  of: { readonly last?: Attempt; readonly previous?: Attempt },
  input: StatusInput,
): { readonly state: State; readonly lastState?: State } {
  const { last, previous } = of
  const hold = input.holds.get(container.name)
  const before = previous && terminated(previous)
  if (last?.state.phase === 'running') {
    const began = last.state.createdAt && { startedAt: seconds(last.state.createdAt) }
    return { state: { running: { ...began } }, lastState: before }
  }
  if (last?.state.phase === 'exited') {
    if (hold && !input.doom) return { state: waiting(hold.reason, hold.message), lastState: terminated(last) }
    return { state: terminated(last), lastState: before }
  }
  if (hold) return { state: waiting(hold.reason, hold.message) }
  const creating = input.doom ? undefined : (input.holds.get(volumesHold) ?? input.holds.get(networkHold))
  return { state: waiting(role === 'early' ? 'PodInitializing' : 'ContainerCreating', creating?.message) }
}

const waiting = (reason: string, message?: string): State => ({ waiting: { reason, ...(message && { message }) } })

function terminated(attempt: Attempt): State {
  const { state } = attempt
  if (state.phase !== 'exited') return {}
  const reasons = { oom: 'OOMKilled', lost: 'ContainerStatusUnknown' }
  return {
    terminated: {
      exitCode: state.exitCode,
      reason: state.why ? reasons[state.why] : state.exitCode === 0 ? 'Completed' : 'Error',
      ...(state.why === 'lost' && { message: 'the node went down, and nobody saw how the container ended' }),
      ...(state.createdAt && { startedAt: seconds(state.createdAt) }),
      ...(state.finishedAt && { finishedAt: seconds(state.finishedAt) }),
      containerID: `containerd://${state.id}`,
    },
  }
}

/** Times in a status have whole seconds. */
const seconds = (time: string): string => rfc3339(Date.parse(time))

function conditions(
  input: StatusInput,
  of: { readonly phase: string; readonly initialized: boolean; readonly main: readonly ContainerStatus[] },
): Condition[] {
  const { pod, before, now } = input
  const known = before?.conditions ?? pod.status?.conditions ?? []
  const make = (type: string, isTrue: boolean, why: { readonly reason?: string; readonly message?: string } = {}): Condition => {
    const status = isTrue ? 'True' : 'False'
    const old = known.find((c) => c.type === type)
    const since = old?.status === status ? old.lastTransitionTime : undefined
    return { type, status, lastTransitionTime: since ?? rfc3339(now), ...(isTrue && of.phase !== 'Succeeded' ? {} : why) }
  }
  const unready = of.main.filter((c) => !c.ready).map((c) => c.name)
  const why =
    of.phase === 'Succeeded'
      ? { reason: 'PodCompleted' }
      : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` }
  const gates = (pod.spec!.readinessGates ?? []).map((g) => g.conditionType)
  const shut = gates.filter((type) => pod.status?.conditions?.find((c) => c.type === type)?.status !== 'True')
  const ready = unready.length === 0 && shut.length === 0
  const notInitialized = { reason: 'ContainersNotInitialized', message: 'init containers have not ended well yet' }
  const gatesShut = { reason: 'ReadinessGatesNotReady', message: `conditions that are not True: [${shut.join(' ')}]` }
  const own = [
    make('Initialized', of.initialized, of.initialized ? why : notInitialized),
    make('Ready', ready, unready.length > 0 ? why : gatesShut),
    make('ContainersReady', unready.length === 0, why),
    make('PodScheduled', true),
  ]
  const foreign = (pod.status?.conditions ?? []).filter((c) => !own.some((o) => o.type === c.type))
  return [...own, ...foreign]
}
