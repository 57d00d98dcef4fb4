/**
 * How containers are known again, also by an agent that has just been started: by labels that name the pod, the container
 * and the attempt (0 for the first start, one more for each restart).
 */
import { createHash } from 'node:crypto'
import type { Pod } from '../../api/objects.ts'
import type { ContainerState } from './runtime/runtime.ts'

const prefix = 'wherry.io/'

/** One start of one container. */
export interface Attempt {
  readonly container: string
  readonly attempt: number
  readonly state: ContainerState
}

/** What labels tell of the pod that a container belongs to. */
export interface PodIdentity {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly graceSeconds: number
}

/** How long a pod may take to end when nothing else is said (Kubernetes' default). */
export const defaultGraceSeconds = 30

export const identityOf = (pod: Pod): PodIdentity => ({
  uid: pod.metadata.uid,
  namespace: pod.metadata.namespace ?? 'default',
  name: pod.metadata.name,
  graceSeconds: pod.spec?.terminationGracePeriodSeconds ?? defaultGraceSeconds,
})

export function attemptLabels(pod: PodIdentity, container: string, attempt: number): Readonly<Record<string, string>> {
  return {
    [`${prefix}pod-uid`]: pod.uid,
    [`${prefix}pod-namespace`]: pod.namespace,
    [`${prefix}pod-name`]: pod.name,
    [`${prefix}grace-seconds`]: String(pod.graceSeconds),
    [`${prefix}container`]: container,
    [`${prefix}attempt`]: String(attempt),
  }
}

/** Undefined for a container that is not ours. */
export function readAttempt(state: ContainerState): (Attempt & { readonly pod: PodIdentity }) | undefined {
  const label = (name: string): string | undefined => state.labels[prefix + name]
  const [uid, namespace, name, container] = [label('pod-uid'), label('pod-namespace'), label('pod-name'), label('container')]
  if (!uid || !namespace || !name || !container) return undefined
  const graceSeconds = Number(label('grace-seconds') ?? defaultGraceSeconds)
  return { container, attempt: Number(label('attempt') ?? 0), state, pod: { uid, namespace, name, graceSeconds } }
}

/**
 * At most 76 characters, as containerd has it, without two separators in a row: the container's name for people, a hash of
 * the pod and the name against collisions, the attempt.
 */
export function containerId(uid: string, container: string, attempt: number): string {
  const hash = createHash('sha256').update(`${uid}/${container}`).digest('hex').slice(0, 12)
  const name = container.replace(/-+/g, '-').slice(0, 40).replace(/-$/, '')
  return `${name}-${hash}-${attempt}`
}

/** Attempts by container, the newest first. */
export type Attempts = ReadonlyMap<string, readonly Attempt[]>

export function byContainer(attempts: readonly Attempt[]): Attempts {
  const groups = Map.groupBy(attempts, (a) => a.container)
  for (const group of groups.values()) group.sort((a, b) => b.attempt - a.attempt)
  return groups
}
