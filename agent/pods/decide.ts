/**
 * What to do next for one pod, from what is there and what is wished. Pure: nothing happens here. The worker carries out one
 * step, looks again and asks again, so a crash between any two steps is just another state to start from.
 */
import type { Container, Pod, PodSpec } from '../../api/objects.ts'
import type { Attempt, Attempts } from './attempts.ts'

/** A container, or the pod's network, that is not to be tried again before a time. */
export interface Hold {
  /** ms since 1970. */
  readonly until: number
  /** As `state.waiting` of a container status has it. */
  readonly reason: string
  readonly message: string
}

export interface Doom {
  /** When the first SIGTERM was sent, ms since 1970; absent before it. */
  readonly since?: number
  readonly graceMs: number
}

/** `none`: to be made; `lost`: it was there and is not whole any more. Pods on the node's network are always `up`. */
export type NetworkState = 'none' | 'up' | 'lost'

export interface PodSight {
  readonly pod: Pod
  /** Set when the pod is to end. */
  readonly doom?: Doom
  readonly network: NetworkState
  /** Whether the node knows its pod range yet. */
  readonly networkReady: boolean
  /** Whether the volumes that the agent makes are there. */
  readonly volumes: 'none' | 'there'
  readonly attempts: Attempts
  /** By container name, `networkHold`, `volumesHold` or `killingHold`. */
  readonly holds: ReadonlyMap<string, Hold>
  /** ms since 1970. */
  readonly now: number
}

/** The keys among the holds that stand for the pod's network, its volumes and SIGKILL; no container can have such names. */
export const networkHold = '(network)'
export const volumesHold = '(volumes)'
export const killingHold = '(killing)'

export type Step =
  | { readonly kind: 'provide-volumes' }
  | { readonly kind: 'raise-network' }
  | { readonly kind: 'drop-network' }
  | { readonly kind: 'start'; readonly container: Container; readonly path: string; readonly attempt: number }
  | { readonly kind: 'signal'; readonly attempts: readonly Attempt[]; readonly signal: 'SIGTERM' | 'SIGKILL' }
  | { readonly kind: 'remove'; readonly attempts: readonly Attempt[] }
  /** Nothing of the pod is left. */
  | { readonly kind: 'finish' }
  /** Nothing to do until something changes, or until that time (ms since 1970). */
  | { readonly kind: 'rest'; readonly until?: number }

/** How often SIGKILL is sent to a container that does not go away. */
const killAgainMs = 2_000

export function decide(sight: PodSight): Step {
  const all = [...sight.attempts.values()].flat()
  const running = all.filter((a) => a.state.phase === 'running')
  if (sight.doom) return decideEnd(sight, sight.doom, { all, running })
  const stale = [...sight.attempts.values()].flatMap((group) => group.filter((a, i) => i > 1 || a.state.phase === 'created'))
  if (stale.length > 0) return { kind: 'remove', attempts: stale }
  if (isOver(sight.pod, sight.attempts)) return { kind: 'rest' }
  if (sight.network === 'lost' && running.length > 0) return killStep(sight, running)
  if (sight.volumes === 'none') return decideVolumes(sight)
  if (sight.network !== 'up') return decideNetwork(sight)
  return decideStart(sight)
}

function decideEnd(
  sight: PodSight,
  { since, graceMs }: Doom,
  at: { readonly all: readonly Attempt[]; readonly running: readonly Attempt[] },
): Step {
  if (at.running.length > 0) {
    if (since === undefined && graceMs > 0) return { kind: 'signal', attempts: at.running, signal: 'SIGTERM' }
    const deadline = (since ?? sight.now) + graceMs
    if (sight.now < deadline) return { kind: 'rest', until: deadline }
    return killStep(sight, at.running)
  }
  if (at.all.length > 0) return { kind: 'remove', attempts: at.all }
  return sight.network !== 'none' && !sight.pod.spec?.hostNetwork ? { kind: 'drop-network' } : { kind: 'finish' }
}

function killStep({ holds, now }: PodSight, running: readonly Attempt[]): Step {
  const hold = holds.get(killingHold)
  return hold && now < hold.until ? { kind: 'rest', until: hold.until } : { kind: 'signal', attempts: running, signal: 'SIGKILL' }
}

/** The hold that a SIGKILL leaves, so that it is not sent without pause. */
export const killHold = (now: number): Hold => ({ until: now + killAgainMs, reason: 'Killing', message: 'SIGKILL was sent' })

function decideNetwork(sight: PodSight): Step {
  const hold = sight.holds.get(networkHold)
  if (!sight.networkReady) return { kind: 'rest' }
  return hold && hold.until > sight.now ? { kind: 'rest', until: hold.until } : { kind: 'raise-network' }
}

/** Before the network: a pod that waits for an object holds no address. */
function decideVolumes({ holds, now }: PodSight): Step {
  const hold = holds.get(volumesHold)
  return hold && hold.until > now ? { kind: 'rest', until: hold.until } : { kind: 'provide-volumes' }
}

function decideStart(sight: PodSight): Step {
  const { pod, attempts, holds, now } = sight
  const waiting: number[] = []
  for (const { container, path } of due(pod, attempts)) {
    const last = attempts.get(container.name)?.[0]
    const hold = holds.get(container.name)
    if (hold && hold.until > now) waiting.push(hold.until)
    else return { kind: 'start', container, path, attempt: last ? last.attempt + 1 : 0 }
  }
  return waiting.length > 0 ? { kind: 'rest', until: Math.min(...waiting) } : { kind: 'rest' }
}

interface Placed {
  readonly container: Container
  readonly path: string
}

/** The containers that should run and do not. */
function due(pod: Pod, attempts: Attempts): readonly Placed[] {
  const spec = pod.spec!
  if (!isInitialized(pod, attempts)) {
    const pending = placedInit(spec).find(({ container }) => !isDone(attempts.get(container.name)?.[0]))
    return pending && wantsInit(spec, attempts.get(pending.container.name)?.[0]) ? [pending] : []
  }
  return spec.containers
    .map((container, i) => ({ container, path: `spec.containers[${i}]` }))
    .filter(({ container }) => wantsStart(spec, container, attempts))
}

const placedInit = (spec: PodSpec): readonly Placed[] =>
  (spec.initContainers ?? []).map((container, i) => ({ container, path: `spec.initContainers[${i}]` }))

const isDone = (attempt: Attempt | undefined): boolean => attempt?.state.phase === 'exited' && attempt.state.exitCode === 0

/** Whether all init containers have done their work; once a container proper was started that is not asked again. */
export function isInitialized(pod: Pod, attempts: Attempts): boolean {
  const spec = pod.spec!
  if (spec.containers.some((c) => attempts.has(c.name))) return true
  return (spec.initContainers ?? []).every((c) => isDone(attempts.get(c.name)?.[0]))
}

function wantsInit(spec: PodSpec, last: Attempt | undefined): boolean {
  if (!last) return true
  return last.state.phase === 'exited' && spec.restartPolicy !== 'Never'
}

function wantsStart(spec: PodSpec, container: Container, attempts: Attempts): boolean {
  const last = attempts.get(container.name)?.[0]
  return !last || willRestart(spec, last)
}

/** Whether an attempt of a container proper has ended and is to be followed by another. */
export function willRestart(spec: PodSpec, last: Attempt): boolean {
  if (last.state.phase !== 'exited') return false
  const policy = spec.restartPolicy ?? 'Always'
  return policy === 'Always' || (policy === 'OnFailure' && last.state.exitCode !== 0)
}

/** Newest attempts that have ended and are to be followed by another. */
export function awaitingRestart(pod: Pod, attempts: Attempts): readonly Attempt[] {
  return due(pod, attempts).flatMap(({ container }) => attempts.get(container.name)?.[0] ?? [])
}

/** How a pod ended: it has, and nothing of it will run again. */
export function outcome(pod: Pod, attempts: Attempts): 'Succeeded' | 'Failed' | undefined {
  const spec = pod.spec!
  const policy = spec.restartPolicy ?? 'Always'
  const failedInit = (spec.initContainers ?? [])
    .map((c) => attempts.get(c.name)?.[0])
    .find((a) => a?.state.phase === 'exited' && a.state.exitCode !== 0)
  if (policy === 'Never' && failedInit && !wantsInit(spec, failedInit)) return 'Failed'
  const last = spec.containers.map((c) => attempts.get(c.name)?.[0])
  if (!last.every((a) => a?.state.phase === 'exited' && !willRestart(spec, a))) return undefined
  return last.every(isDone) ? 'Succeeded' : 'Failed'
}

/** Whether nothing of the pod is to be started any more, as its containers or its status say. */
export function isOver(pod: Pod, attempts: Attempts): boolean {
  const told = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
  return told || outcome(pod, attempts) !== undefined
}
