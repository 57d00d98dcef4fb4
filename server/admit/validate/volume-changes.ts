/** What of volumes and claims may change once they are there. */
import { isDeepStrictEqual } from 'node:util'
import type { PersistentVolume, PersistentVolumeClaim } from '../../../api/objects.ts'
import { forbidden, immutable, type Causes } from '../causes.ts'
import { readAmount } from './amounts.ts'
import type { Step } from './fixed.ts'
import { sourcesOf } from './volume.ts'

type VolumeSpec = NonNullable<PersistentVolume['spec']>
type ClaimSpec = NonNullable<PersistentVolumeClaim['spec']>

export function* volumeChange({ before, after }: Step<PersistentVolume>): Causes {
  const [old, now] = [before.spec!, after.spec!]
  const source = (spec: VolumeSpec): unknown => sourcesOf(spec).map((field) => [field, spec[field as keyof VolumeSpec]])
  if (!isDeepStrictEqual(source(old), source(now)))
    yield forbidden('spec.persistentvolumesource', 'where a volume is may not change after its creation; delete it and create it anew')
  if (old.volumeMode !== now.volumeMode) yield immutable('spec.volumeMode', now.volumeMode)
  if (old.nodeAffinity && !isDeepStrictEqual(old.nodeAffinity, now.nodeAffinity)) yield immutable('spec.nodeAffinity', now.nodeAffinity)
}

const changeable =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims; delete the claim and create it anew'

export function* claimChange({ before, after }: Step<PersistentVolumeClaim>): Causes {
  const [old, now] = [before.spec!, after.spec!]
  const bound = before.status?.phase === 'Bound'
  // Who binds a claim names its volume, once; a class is given to a claim that has none.
  const [named, classed] = [old.volumeName ? old : now, old.storageClassName === undefined ? now : old]
  const was = { ...old, volumeName: named.volumeName, storageClassName: classed.storageClassName }
  if (!isDeepStrictEqual(fixedPart(was, bound), fixedPart(now, bound))) yield forbidden('spec', changeable)
  if (!bound) return
  const [had, wants] = [old.resources?.requests?.['storage'], now.resources?.requests?.['storage']].map((amount) => readAmount(amount ?? '0'))
  if (typeof had === 'bigint' && typeof wants === 'bigint' && wants < had) yield forbidden('spec.resources.requests.storage', 'field can not be less than previous value')
}

function fixedPart(spec: ClaimSpec, bound: boolean): unknown {
  const { volumeName = '', storageClassName, resources, volumeAttributesClassName, ...others } = spec
  const { requests, ...limits } = resources ?? {}
  return { ...others, volumeName, storageClassName, limits, ...(!bound && { requests, volumeAttributesClassName }) }
}
