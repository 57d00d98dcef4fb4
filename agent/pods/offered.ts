/**
 * Fields of a pod that this node cannot honour. A container whose pod has one of the first table waits with
 * CreateContainerConfigError; those of the second are passed over, and an event says so. Pure.
 */
import type { Container, Pod, PodSpec } from '../../api/objects.ts'

export interface Refusal {
  readonly field: string
  readonly message: string
}

type Check<T> = readonly [field: string, asked: (of: T) => boolean, wayOut: string]

const podChecks: readonly Check<PodSpec>[] = [
  ['hostPID', (s) => s.hostPID === true, 'remove the field'],
  ['hostIPC', (s) => s.hostIPC === true, 'remove the field'],
  ['hostUsers', (s) => s.hostUsers === false, 'remove the field'],
  ['shareProcessNamespace', (s) => s.shareProcessNamespace === true, 'remove the field'],
  ['activeDeadlineSeconds', (s) => s.activeDeadlineSeconds !== undefined, 'remove the field and delete the pod in time'],
  ['runtimeClassName', (s) => Boolean(s.runtimeClassName), 'remove the field; there is one runtime'],
  ['securityContext.runAsUser', (s) => Boolean(s.securityContext?.runAsUser), 'give the image a USER instead'],
  ['securityContext.runAsGroup', (s) => Boolean(s.securityContext?.runAsGroup), 'give the image a USER instead'],
  ['securityContext.runAsNonRoot', (s) => s.securityContext?.runAsNonRoot === true, 'give the image a USER instead'],
  ['securityContext.fsGroup', (s) => s.securityContext?.fsGroup !== undefined, 'remove the field; emptyDirs are open to all'],
  ['securityContext.supplementalGroups', (s) => Boolean(s.securityContext?.supplementalGroups?.length), 'remove the field'],
  ['securityContext.sysctls', (s) => Boolean(s.securityContext?.sysctls?.length), 'remove the field'],
  ['securityContext.seccompProfile', (s) => isConfined(s.securityContext?.seccompProfile), 'remove the field or use Unconfined'],
]

const containerChecks: readonly Check<Container>[] = [
  ['volumeDevices', (c) => Boolean(c.volumeDevices?.length), 'use volumeMounts'],
  ['resources.claims', (c) => Boolean(c.resources?.claims?.length), 'remove the field'],
  ['securityContext.runAsUser', (c) => Boolean(c.securityContext?.runAsUser), 'give the image a USER instead'],
  ['securityContext.runAsGroup', (c) => Boolean(c.securityContext?.runAsGroup), 'give the image a USER instead'],
  ['securityContext.runAsNonRoot', (c) => c.securityContext?.runAsNonRoot === true, 'give the image a USER instead'],
  ['securityContext.seccompProfile', (c) => isConfined(c.securityContext?.seccompProfile), 'remove the field or use Unconfined'],
]

const isConfined = (profile?: { readonly type?: string }): boolean => profile !== undefined && profile.type !== 'Unconfined'

/** @param path of the container, e.g. `spec.containers[0]` */
export function refusals(pod: Pod, container: Container, path: string): readonly Refusal[] {
  const refuse = (field: string, wayOut: string): Refusal => ({ field, message: `${field}: not offered on this node; ${wayOut}` })
  const sidecar = path.startsWith('spec.initContainers') && (container as { restartPolicy?: string }).restartPolicy === 'Always'
  return [
    ...podChecks.flatMap(([field, asked, wayOut]) => (asked(pod.spec!) ? [refuse(`spec.${field}`, wayOut)] : [])),
    ...containerChecks.flatMap(([field, asked, wayOut]) => (asked(container) ? [refuse(`${path}.${field}`, wayOut)] : [])),
    ...(sidecar ? [refuse(`${path}.restartPolicy`, 'make it one of spec.containers')] : []),
  ]
}

export interface Passed {
  readonly reason: 'ProbeNotSupported' | 'LifecycleHookNotSupported'
  readonly message: string
}

/** What a container asks for and does without. */
export function passedOver(container: Container): readonly Passed[] {
  const probes = (['startupProbe', 'readinessProbe', 'livenessProbe'] as const).filter((name) => container[name])
  const hooks = (['postStart', 'preStop'] as const).filter((name) => container.lifecycle?.[name])
  const untested = `${probes.join(', ')}: not run on this node; the container counts as ready once it is started`
  const unhooked = `lifecycle ${hooks.join(', ')}: not run on this node`
  return [
    ...(probes.length > 0 ? [{ reason: 'ProbeNotSupported' as const, message: untested }] : []),
    ...(hooks.length > 0 ? [{ reason: 'LifecycleHookNotSupported' as const, message: unhooked }] : []),
  ]
}
