/** A container's environment, and the $(NAME) references in it and in its command. Pure. */
import type { Container, Pod } from '../../api/objects.ts'
import { PodError } from './error.ts'
import { parseQuantity } from './quantity.ts'
import type { ContainerSpec } from './runtime/runtime.ts'

export interface Downward {
  readonly pod: Pod
  readonly node: string
  readonly hostIPs: readonly string[]
  readonly podIPs: readonly string[]
  /** What stands for a limit that a container does not have. */
  readonly capacity: { readonly cpuMillis: number; readonly memoryBytes: number }
}

type EnvVar = NonNullable<Container['env']>[number]
type FieldRef = NonNullable<NonNullable<EnvVar['valueFrom']>['fieldRef']>
type ResourceRef = NonNullable<NonNullable<EnvVar['valueFrom']>['resourceFieldRef']>

/**
 * @param path of the container, e.g. `spec.containers[0]`, for messages
 * @throws PodError CONTAINER_CONFIG naming the field
 */
export function containerEnv(container: Container, path: string, downward: Downward): ContainerSpec['env'] {
  if (container.envFrom?.length) {
    throw refused(`${path}.envFrom`, 'ConfigMaps and Secrets are not offered on this node', 'write the variables out under env')
  }
  const values = new Map<string, string>()
  for (const [i, variable] of (container.env ?? []).entries()) {
    const value = variable.valueFrom
      ? sourced(variable, `${path}.env[${i}]`, container, downward)
      : expand(variable.value ?? '', values)
    values.set(variable.name, value)
  }
  return [...values].map(([name, value]) => ({ name, value }))
}

/** Replaces $(NAME) where NAME is known; `$$` stands for one `$`, so that `$$(NAME)` stays as text. */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$'
    return values.get(name) ?? whole
  })
}

function sourced(variable: EnvVar, path: string, container: Container, downward: Downward): string {
  const from = variable.valueFrom!
  const at = `${path}.valueFrom`
  if (from.fieldRef) return fieldValue(from.fieldRef, `${at}.fieldRef.fieldPath`, downward)
  if (from.resourceFieldRef) return resourceValue(from.resourceFieldRef, `${at}.resourceFieldRef`, container, downward)
  const wayOut = 'write the value out'
  if (from.configMapKeyRef) throw refused(`${at}.configMapKeyRef`, 'ConfigMaps are not offered on this node', wayOut)
  if (from.secretKeyRef) throw refused(`${at}.secretKeyRef`, 'Secrets are not offered on this node', wayOut)
  throw refused(at, 'this source is not known', 'use value, fieldRef or resourceFieldRef')
}

function fieldValue(ref: FieldRef, path: string, at: Downward): string {
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

function resourceValue(ref: ResourceRef, path: string, self: Container, at: Downward): string {
  const of = ref.containerName ? at.pod.spec?.containers.find((c) => c.name === ref.containerName) : self
  if (!of) throw refused(`${path}.containerName`, `there is no container ${ref.containerName}`, 'name one of the pod')
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
