/** The ConfigMaps and Secrets that a pod names, and which of its volumes the agent has to make. Pure. */
import type { Container, Pod } from '../../../api/objects.ts'
import type { ObjectData, ObjectName } from '../../objects/objects.ts'
import { PodError } from '../error.ts'

export type Volume = NonNullable<NonNullable<Pod['spec']>['volumes']>[number]
export type Projected = NonNullable<Volume['projected']>
export type TokenSource = NonNullable<NonNullable<NonNullable<Projected['sources']>[number]['serviceAccountToken']>>

/** The objects of a pod's namespace, as they were found for it. Undefined where there is none. */
export type FoundObjects = (kind: ObjectName['kind'], name: string) => ObjectData | undefined

/** An object, or a key of one that is there, that is not optional and missing. @param field by which the pod names it */
export function absent(field: string, { kind, name, key }: { readonly kind: ObjectName['kind']; readonly name: string; readonly key?: string }): PodError {
  const what = `${kind.toLowerCase()} ${JSON.stringify(name)}`
  return new PodError('OBJECT_ABSENT', `${field}: ${key === undefined ? `${what} not found` : `${what} has no key ${JSON.stringify(key)}`}`)
}

const namespaceOf = (pod: Pod): string => pod.metadata.namespace ?? 'default'

/** A volume of the pod with the path by which messages name it, e.g. `spec.volumes[0]`. */
export interface Placed {
  readonly volume: Volume
  readonly field: string
}

/** Volumes that somebody mounts. */
function mounted({ spec }: Pod): readonly Placed[] {
  const all = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]
  const names = new Set(all.flatMap((c) => (c.volumeMounts ?? []).map((m) => m.name)))
  return (spec?.volumes ?? []).map((volume, i) => ({ volume, field: `spec.volumes[${i}]` })).filter(({ volume }) => names.has(volume.name))
}

/** Whether the agent writes its files: from objects, tokens and what the pod itself is. */
export const isWritten = ({ configMap, secret, downwardAPI, projected }: Volume): boolean => Boolean(configMap ?? secret ?? downwardAPI ?? projected)

/** Mounted volumes whose files the agent writes. */
export const writtenVolumes = (pod: Pod): readonly Placed[] => mounted(pod).filter(({ volume }) => isWritten(volume))

/** Mounted emptyDirs that are in memory. */
export const memoryVolumes = (pod: Pod): readonly Placed[] => mounted(pod).filter(({ volume }) => volume.emptyDir?.medium === 'Memory')

/** What the files of a volume come from. */
export function objectsOfVolume(pod: Pod, { configMap, secret, projected }: Volume): readonly ObjectName[] {
  const sources = projected?.sources ?? []
  return [
    ...named(pod, 'ConfigMap', [configMap?.name, ...sources.map((s) => s.configMap?.name)]),
    ...named(pod, 'Secret', [secret?.secretName, ...sources.map((s) => s.secret?.name)]),
  ]
}

/** What the variables of a container come from. */
export function objectsOfEnv(pod: Pod, { env = [], envFrom = [] }: Container): readonly ObjectName[] {
  return [
    ...named(pod, 'ConfigMap', [...env.map((e) => e.valueFrom?.configMapKeyRef?.name), ...envFrom.map((e) => e.configMapRef?.name)]),
    ...named(pod, 'Secret', [...env.map((e) => e.valueFrom?.secretKeyRef?.name), ...envFrom.map((e) => e.secretRef?.name)]),
  ]
}

/** Everything. */
export function objectsOf(pod: Pod): readonly ObjectName[] {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]
  return [...writtenVolumes(pod).flatMap(({ volume }) => objectsOfVolume(pod, volume)), ...containers.flatMap((c) => objectsOfEnv(pod, c))]
}

function named(pod: Pod, kind: ObjectName['kind'], names: readonly (string | undefined)[]): readonly ObjectName[] {
  const unique = new Set(names.filter((name) => name !== undefined && name !== ''))
  return [...unique].map((name) => ({ kind, namespace: namespaceOf(pod), name: name! }))
}
