/** A container's environment, and the $(NAME) references in it and in its command. Pure. */
import type { Container } from '../../api/objects.ts'
import type { ObjectName } from '../objects/objects.ts'
import { fieldValue, resourceValue, type Downward } from './downward.ts'
import { PodError } from './error.ts'
import type { ContainerSpec } from './runtime/runtime.ts'
import { absent, type FoundObjects } from './volumes/named.ts'

type EnvVar = NonNullable<Container['env']>[number]
type EnvFrom = NonNullable<Container['envFrom']>[number]

/** What variables are made of. */
export interface EnvSupply {
  readonly object: FoundObjects
  /** Of services, which everything else goes before. */
  readonly services: readonly Variable[]
}

export type Variable = ContainerSpec['env'][number]

export interface ContainerEnv {
  readonly env: readonly Variable[]
  /** What a source has under names that no variable can have, in words. */
  readonly skipped: readonly string[]
}

/** As the hub takes them from `env`: ASCII that can be printed, without the equals sign. */
const variableName = /^[ -<>-~]+$/

/**
 * @param path of the container, e.g. `spec.containers[0]`, for messages
 * @throws PodError CONTAINER_CONFIG, OBJECT_ABSENT, naming the field
 */
export function containerEnv(container: Container, path: string, downward: Downward, supply: EnvSupply): ContainerEnv {
  const values = new Map(supply.services.map(({ name, value }) => [name, value]))
  const skipped: string[] = []
  for (const [i, from] of (container.envFrom ?? []).entries()) {
    const { variables, wrong, of } = wholeSource(from, `${path}.envFrom[${i}]`, supply)
    for (const { name, value } of variables) values.set(name, value)
    if (wrong.length > 0) skipped.push(`Keys [${wrong.join(', ')}] of ${of} were left out: no variable can have such a name`)
  }
  for (const [i, variable] of (container.env ?? []).entries()) {
    const value = variable.valueFrom
      ? sourced(variable, { path: `${path}.env[${i}].valueFrom`, container, downward }, supply)
      : expand(variable.value ?? '', values)
    if (value !== undefined) values.set(variable.name, value)
  }
  return { env: [...values].map(([name, value]) => ({ name, value })), skipped }
}

/** Replaces $(NAME) where NAME is known; `$$` stands for one `$`, so that `$$(NAME)` stays as text. */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$'
    return values.get(name) ?? whole
  })
}

interface Whole {
  readonly variables: readonly Variable[]
  readonly wrong: readonly string[]
  /** In words. */
  readonly of: string
}

/** All keys of an object, behind the prefix. */
function wholeSource({ configMapRef, secretRef, prefix = '' }: EnvFrom, path: string, supply: EnvSupply): Whole {
  const [kind, ref, field] = secretRef ? (['Secret', secretRef, 'secretRef'] as const) : (['ConfigMap', configMapRef, 'configMapRef'] as const)
  const name = ref?.name ?? ''
  const data = supply.object(kind, name)
  if (!data && !ref?.optional) throw absent(`${path}.${field}`, { kind, name })
  const texts = [...(data ?? [])].filter(([, { binary }]) => !binary)
  const variables = texts.map(([key, { bytes }]) => ({ name: prefix + key, value: bytes.toString() }))
  const wrong = variables.filter((v) => !variableName.test(v.name)).map((v) => v.name.slice(prefix.length))
  return { variables: variables.filter((v) => variableName.test(v.name)), wrong, of: `${kind.toLowerCase()} ${JSON.stringify(name)}` }
}

interface Spot {
  /** Of `valueFrom`. */
  readonly path: string
  readonly container: Container
  readonly downward: Downward
}

/** Undefined for what is optional and not there: then there is no such variable. */
function sourced({ valueFrom }: EnvVar, { path, container, downward }: Spot, supply: EnvSupply): string | undefined {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom!
  if (fieldRef) return fieldValue(fieldRef, `${path}.fieldRef.fieldPath`, downward)
  if (resourceFieldRef) return resourceValue(resourceFieldRef, `${path}.resourceFieldRef`, container, downward)
  if (configMapKeyRef) return keyValue({ ...configMapKeyRef, kind: 'ConfigMap', path: `${path}.configMapKeyRef` }, supply)
  if (secretKeyRef) return keyValue({ ...secretKeyRef, kind: 'Secret', path: `${path}.secretKeyRef` }, supply)
  throw new PodError('CONTAINER_CONFIG', `${path}: this source is not known; use value, fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef`)
}

interface KeyRef {
  readonly kind: ObjectName['kind']
  readonly path: string
  readonly name?: string
  readonly key: string
  readonly optional?: boolean
}

function keyValue({ kind, path, name = '', key, optional }: KeyRef, supply: EnvSupply): string | undefined {
  const data = supply.object(kind, name)
  const value = data?.get(key)
  if (value && !value.binary) return value.bytes.toString()
  if (optional) return undefined
  throw data ? absent(`${path}.key`, { kind, name, key }) : absent(path, { kind, name })
}
