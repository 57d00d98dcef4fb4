/** What a pod may learn of itself (core/v1 ObjectFieldSelector, ResourceFieldSelector), in variables and in files. Pure. */
import type { Container, Pod } from '../../api/objects.ts'
import { PodError } from './error.ts'
import { parseQuantity } from './quantity.ts'

export interface Downward {
  readonly pod: Pod
  readonly node: string
  readonly hostIPs: readonly string[]
  readonly podIPs: readonly string[]
  /** What stands for a limit that a container does not have. */
  readonly capacity: { readonly cpuMillis: number; readonly memoryBytes: number }
}

type EnvSource = NonNullable<NonNullable<Container['env']>[number]['valueFrom']>
export type FieldRef = NonNullable<EnvSource['fieldRef']>
export type ResourceRef = NonNullable<EnvSource['resourceFieldRef']>

/** @param path of `ref.fieldPath`, for the message. @throws PodError CONTAINER_CONFIG */
export function fieldValue(ref: Pick<FieldRef, 'fieldPath'>, path: string, at: Downward): string {
  const { metadata, spec } = at.pod
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(ref.fieldPath)
  if (keyed) return metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2]!] ?? ''
  const fields: Readonly<Record<string, string>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace ?? 'default',
    'metadata.uid': metadata.uid,
    'spec.nodeName': at.node,
    'spec.serviceAccountName': spec?.serviceAccountName ?? 'default',
    'status.hostIP': at.hostIPs[0] ?? '',
    'status.hostIPs': at.hostIPs.join(','),
    'status.podIP': at.podIPs[0] ?? '',
    'status.podIPs': at.podIPs.join(','),
  }
  const value = fields[ref.fieldPath]
  if (value !== undefined) return value
  const known = Object.keys(fields).join(', ')
  throw refused(path, `${ref.fieldPath} is not a field that a container can ask for`, `use one of ${known}`)
}

/** As `fieldValue`, for a file: all labels or annotations as well, one `key="value"` in a line. */
export function fieldText(ref: Pick<FieldRef, 'fieldPath'>, path: string, at: Downward): string {
  const whole = /^metadata\.(labels|annotations)$/.exec(ref.fieldPath)?.[1] as 'labels' | 'annotations' | undefined
  if (!whole) return fieldValue(ref, path, at)
  const words = Object.entries(at.pod.metadata[whole] ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return words.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join('\n')
}

/** @param self whose amounts are meant where `ref` names no container. @throws PodError CONTAINER_CONFIG */
export function resourceValue(ref: ResourceRef, path: string, self: Container | undefined, at: Downward): string {
  const { containers = [], initContainers = [] } = at.pod.spec ?? {}
  const of = ref.containerName ? [...containers, ...initContainers].find((c) => c.name === ref.containerName) : self
  if (!of) throw refused(`${path}.containerName`, `there is no container ${ref.containerName ?? ''}`, 'name one of the pod')
  const match = /^(limits|requests)\.(cpu|memory)$/.exec(ref.resource)
  if (!match) throw refused(`${path}.resource`, `${ref.resource} is not offered`, 'use limits or requests of cpu or memory')
  const [, kind, name] = match as unknown as [string, 'limits' | 'requests', 'cpu' | 'memory']
  const whole = name === 'cpu' ? at.capacity.cpuMillis / 1000 : at.capacity.memoryBytes
  const stated = of.resources?.[kind]?.[name] ?? (kind === 'requests' ? of.resources?.limits?.[name] : undefined)
  const amount = stated === undefined ? (kind === 'limits' ? whole : 0) : parseQuantity(stated)
  const divisor = parseQuantity(ref.divisor ?? '1') || 1
  // The division of 1 by 0.001 must give 1000 and not a little more, before it is rounded up.
  return String(Math.ceil(Number((amount / divisor).toPrecision(15))))
}

function refused(field: string, why: string, wayOut: string): PodError {
  return new PodError('CONTAINER_CONFIG', `${field}: ${why}; ${wayOut}`)
}
