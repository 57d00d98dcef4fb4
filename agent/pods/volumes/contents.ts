/** The files of a volume from what it is made of (core/v1 ConfigMapVolumeSource, SecretVolumeSource, DownwardAPIVolumeSource, ProjectedVolumeSource). Pure. */
import type { ObjectName } from '../../objects/objects.ts'
import { fieldText, resourceValue, type Downward } from '../downward.ts'
import { PodError } from '../error.ts'
import { absent, type FoundObjects, type Placed, type Projected, type TokenSource, type Volume } from './named.ts'

export interface VolumeFile {
  /** Inside the volume. */
  readonly path: string
  readonly bytes: Buffer
  /** Permission bits. */
  readonly mode: number
}

/** What volumes are made of. */
export interface Supply {
  readonly object: FoundObjects
  token(source: TokenSource): string
  readonly downward: Downward
}

type Source = NonNullable<Projected['sources']>[number]
type KeyPath = NonNullable<NonNullable<Volume['configMap']>['items']>[number]
type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number]

/** Readable by everybody, writable by root: 0644. */
const usualMode = 0o644

/**
 * @returns the files by path; of two with one path the later counts
 * @throws PodError OBJECT_ABSENT (an object or a key that is not optional), CONTAINER_CONFIG, both naming the field
 */
export function volumeFiles({ volume, field }: Placed, supply: Supply): readonly VolumeFile[] {
  const files = collect({ volume, field }, supply)
  for (const { path } of files) if (!staysInside(path)) throw refused(field, `the path ${JSON.stringify(path)} does not stay inside the volume`)
  return [...new Map(files.map((file) => [file.path, file])).values()]
}

function collect({ volume, field }: Placed, supply: Supply): readonly VolumeFile[] {
  const { configMap, secret, downwardAPI, projected } = volume
  if (configMap) return keyed({ ...configMap, kind: 'ConfigMap', field: `${field}.configMap` }, configMap.defaultMode, supply)
  if (secret) return keyed({ ...secret, name: secret.secretName, kind: 'Secret', field: `${field}.secret` }, secret.defaultMode, supply)
  if (downwardAPI) return downward(downwardAPI.items ?? [], { field: `${field}.downwardAPI`, mode: downwardAPI.defaultMode }, supply)
  const mode = projected?.defaultMode
  return (projected?.sources ?? []).flatMap((source, i) => fromSource(source, { field: `${field}.projected.sources[${i}]`, mode }, supply))
}

interface Spot {
  readonly field: string
  readonly mode: number | undefined
}

function fromSource({ configMap, secret, downwardAPI, serviceAccountToken, ...others }: Source, { field, mode }: Spot, supply: Supply): readonly VolumeFile[] {
  if (configMap) return keyed({ ...configMap, kind: 'ConfigMap', field: `${field}.configMap` }, mode, supply)
  if (secret) return keyed({ ...secret, kind: 'Secret', field: `${field}.secret` }, mode, supply)
  if (downwardAPI) return downward(downwardAPI.items ?? [], { field: `${field}.downwardAPI`, mode }, supply)
  if (serviceAccountToken) return [{ path: serviceAccountToken.path, bytes: Buffer.from(supply.token(serviceAccountToken)), mode: mode ?? usualMode }]
  const kind = Object.keys(others)[0] ?? 'its source'
  throw refused(`${field}.${kind}`, 'not offered on this node; use configMap, secret, downwardAPI or serviceAccountToken')
}

interface Keyed {
  readonly kind: ObjectName['kind']
  readonly name?: string
  readonly optional?: boolean
  readonly items?: readonly KeyPath[]
  readonly field: string
}

/** All keys under their own names, or those of `items` under the paths that they say. */
function keyed({ kind, name = '', optional, items, field }: Keyed, mode: number | undefined, supply: Supply): readonly VolumeFile[] {
  const data = supply.object(kind, name)
  if (!data) {
    if (optional) return []
    throw absent(field, { kind, name })
  }
  if (!items?.length) return [...data].map(([path, { bytes }]) => ({ path, bytes, mode: mode ?? usualMode }))
  return items.flatMap((item, i) => {
    const value = data.get(item.key)
    if (value) return [{ path: item.path, bytes: value.bytes, mode: item.mode ?? mode ?? usualMode }]
    if (optional) return []
    throw absent(`${field}.items[${i}].key`, { kind, name, key: item.key })
  })
}

function downward(items: readonly DownwardItem[], { field, mode }: Spot, supply: Supply): readonly VolumeFile[] {
  return items.map(({ path, fieldRef, resourceFieldRef, mode: own }, i) => {
    const at = `${field}.items[${i}]`
    const text = fieldRef
      ? fieldText(fieldRef, `${at}.fieldRef.fieldPath`, supply.downward)
      : resourceValue(resourceFieldRef ?? { resource: '' }, `${at}.resourceFieldRef`, undefined, supply.downward)
    return { path, bytes: Buffer.from(text), mode: own ?? mode ?? usualMode }
  })
}

/** Names that begin with two dots are the volume's own. */
function staysInside(path: string): boolean {
  const parts = path.split('/')
  return !path.startsWith('..') && parts.every((part) => part !== '' && part !== '.' && part !== '..')
}

function refused(field: string, why: string): PodError {
  return new PodError('CONTAINER_CONFIG', `${field}: ${why}`)
}
